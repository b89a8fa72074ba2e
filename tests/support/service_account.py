"""Keys of service accounts, made when they are needed: none is stored anywhere."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

EMAIL = "robot@demo.iam.gserviceaccount.com"


def make_key(token_uri: str, *, project_id: str = "demo") -> tuple[dict[str, Any], str]:
    """Return a key as Google's console gives it, and its public half in PEM."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    key = {
        "type": "service_account",
        "project_id": project_id,
        "private_key_id": "0" * 40,
        "private_key": pem,
        "client_email": EMAIL,
        "token_uri": token_uri,
    }
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key, public.decode()
