"""The OAuth token endpoint: a signed statement of a service account becomes a bearer token.

Sources: https://developers.google.com/identity/protocols/oauth2/service-account (2025-08; grant
type, claims, error texts), RFC 7523.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# What clients put into the statement even when the endpoint is another.
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
TOKEN_SECONDS = 3600
_CLOCK_SKEW_SECONDS = 300


class GrantError(Exception):
    """A refusal of the token endpoint, which has another shape than the API's.

    :param error: OAuth's name of it, for example ``invalid_grant``.
    """

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description

    def body(self) -> dict[str, str]:
        return {"error": self.error, "error_description": self.description}


class TokenIssuer:
    """Gives tokens and knows whose they are; safe to use from any thread.

    :param public_keys: the accounts' public keys (PEM) by e-mail.
    :param clock: seconds since 1970.
    """

    def __init__(self, public_keys: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._public_keys = public_keys
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}

    def issue(self, form: Mapping[str, str], audience: str) -> dict[str, Any]:
        """Returns the answer to a token request.

        :param audience: this endpoint's own URL.
        :raises GrantError: for a request that does not prove who it is.
        """
        grant = form.get("grant_type", "")
        if grant != JWT_BEARER:
            raise GrantError("unsupported_grant_type", f"Invalid grant_type: {grant}")
        email = self._verify(form.get("assertion", ""), audience)
        token = f"ya29.{secrets.token_urlsafe(48)}"
        with self._lock:
            self._tokens[token] = (email, self._clock() + TOKEN_SECONDS)
        return {"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}

    def email_of(self, token: str) -> str | None:
        """Returns whose token it is; None if it was never given or has expired."""
        with self._lock:
            email, expires_at = self._tokens.get(token, (None, 0.0))
        return email if expires_at > self._clock() else None

    def _verify(self, assertion: str, audience: str) -> str:
        """Returns the e-mail that a JWT proves."""
        try:
            signed, _, signature = assertion.rpartition(".")
            header, claims = (json.loads(_decode(part)) for part in signed.split("."))
            algorithm, email = header["alg"], claims["iss"]
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise GrantError("invalid_grant", "Invalid JWT: Failed to parse.") from None
        key = self._public_keys.get(email) if isinstance(email, str) else None
        if key is None:
            raise GrantError("invalid_grant", "Invalid grant: account not found")
        if algorithm != "RS256" or not _is_signed(key, signed, signature):
            raise GrantError("invalid_grant", "Invalid JWT Signature.")
        self._check_claims(claims, audience)
        return str(email)

    def _check_claims(self, claims: Mapping[str, Any], audience: str) -> None:
        if claims.get("aud") not in {GOOGLE_AUDIENCE, audience}:
            raise GrantError(
                "invalid_grant",
                f"Invalid JWT: Failed audience check. The right audience is {GOOGLE_AUDIENCE}",
            )
        issued, expires, now = claims.get("iat"), claims.get("exp"), self._clock()
        if (
            not isinstance(issued, (int, float))
            or not isinstance(expires, (int, float))
            or expires <= now
            or issued > now + _CLOCK_SKEW_SECONDS
            or expires - issued > TOKEN_SECONDS
        ):
            raise GrantError(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim.",
            )
        if not claims.get("scope"):
            raise GrantError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_signed(public_key: str, signed: str, signature: str) -> bool:
    key = load_pem_public_key(public_key.encode())
    if not isinstance(key, RSAPublicKey):
        return False
    try:
        key.verify(_decode(signature), signed.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
