"""Tokens for users, workloads and impersonated accounts, and https."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import ee
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import exceptions, identity_pool, impersonated_credentials, jwt
from google.auth.crypt import RSASigner
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account

from airflow_provider.earthengine.emulator.access.identities import (
    AuthorizedUser,
    Identities,
    WorkloadPool,
)
from airflow_provider.earthengine.emulator.server import Emulator, Tls, serve
from tests.emulator.official_client import initialised

CATALOG = Path(__file__).parents[1] / "data/catalog"
PRIVATE = "projects/demo/assets/private"
READER = "reader@demo.iam.gserviceaccount.com"
CALLER = "caller@demo.iam.gserviceaccount.com"
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x"
SUBJECT = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p"
ISSUER = "https://issuer.example.com"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture(scope="module")
def guarded(private_key: rsa.RSAPrivateKey) -> Iterator[Emulator]:
    """Return an emulator that knows a user, a pool, and who may be whom."""
    public = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    known = Identities(
        public_keys={CALLER: public.decode()},
        impersonators={READER: (CALLER, f"{SUBJECT}/subject/worker")},
        users=(AuthorizedUser(READER, "client", "secret", "1//refresh"),),
        pools=(WorkloadPool(POOL, ISSUER, public.decode()),),
    )
    with serve(CATALOG, require_auth=True, identities=known) as emulator:
        yield emulator


def sees_the_private_asset(emulator: Emulator, credentials: Any) -> bool:
    with initialised(emulator.url, credentials):
        return bool(ee.Image(PRIVATE).getInfo()["id"] == PRIVATE)


def refreshing(emulator: Emulator, **changes: str) -> user_credentials.Credentials:
    fields = {"refresh_token": "1//refresh", "client_id": "client", "client_secret": "secret"}
    return user_credentials.Credentials(
        None, token_uri=f"{emulator.url}/token", **(fields | changes)
    )


def test_a_refresh_token_is_good_for_access(guarded: Emulator) -> None:
    assert sees_the_private_asset(guarded, refreshing(guarded))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"refresh_token": "1//other"}, "invalid_grant: Token has been expired or revoked."),
        ({"client_secret": "other"}, "invalid_client: The provided client secret is invalid."),
        ({"client_id": "other"}, "invalid_client: The OAuth client was not found."),
    ],
)
def test_a_wrong_refresh_token_or_client_is_refused(
    guarded: Emulator, changes: dict[str, str], error: str
) -> None:
    refused = pytest.raises(exceptions.RefreshError, match=error)
    with refused, initialised(guarded.url, refreshing(guarded, **changes)):
        pass


def caller_credentials(
    emulator: Emulator, private_key: rsa.RSAPrivateKey
) -> service_account.Credentials:
    info = {
        "type": "service_account",
        "client_email": CALLER,
        "private_key": pem_of(private_key),
        "token_uri": f"{emulator.url}/token",
    }
    return service_account.Credentials.from_service_account_info(info, scopes=ee.oauth.SCOPES)


def iam_url(emulator: Emulator, email: str) -> str:
    return f"{emulator.url}/v1/projects/-/serviceAccounts/{email}:generateAccessToken"


def impersonated(source: Any, emulator: Emulator, email: str) -> Any:
    return impersonated_credentials.Credentials(
        source_credentials=source,
        target_principal=email,
        target_scopes=ee.oauth.SCOPES,
        iam_endpoint_override=iam_url(emulator, email),
    )


def test_an_account_lends_its_rights_to_whom_it_allows(
    guarded: Emulator, private_key: rsa.RSAPrivateKey
) -> None:
    source = caller_credentials(guarded, private_key)
    assert sees_the_private_asset(guarded, impersonated(source, guarded, READER))


def test_an_account_lends_nothing_to_others(
    guarded: Emulator, private_key: rsa.RSAPrivateKey
) -> None:
    source = caller_credentials(guarded, private_key)
    refused = pytest.raises(exceptions.RefreshError, match="denied on resource")
    with refused, initialised(guarded.url, impersonated(source, guarded, "other@demo")):
        pass
    anonymous = requests.post(iam_url(guarded, READER), json={"scope": ["x"]}, timeout=30)
    assert anonymous.status_code == 401


def pool_configuration(
    emulator: Emulator, folder: Path, private_key: rsa.RSAPrivateKey, **claims: Any
) -> dict[str, Any]:
    """Return what a workload's configuration file holds, having written its own token."""
    payload = {"iss": ISSUER, "sub": "worker", "exp": int(time.time()) + 600} | claims
    token = jwt.encode(RSASigner.from_string(pem_of(private_key)), payload)
    (folder / "token").write_bytes(token)
    return {
        "type": "external_account",
        "audience": POOL,
        "subject_token_type": JWT_TYPE,
        "token_url": f"{emulator.url}/sts/v1/token",
        "service_account_impersonation_url": iam_url(emulator, READER),
        "credential_source": {"file": str(folder / "token")},
    }


def test_a_workload_becomes_a_service_account(
    guarded: Emulator, tmp_path: Path, private_key: rsa.RSAPrivateKey
) -> None:
    configuration = pool_configuration(guarded, tmp_path, private_key)
    workload = identity_pool.Credentials.from_info(configuration, scopes=ee.oauth.SCOPES)
    assert sees_the_private_asset(guarded, workload)


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"iss": "https://other"}, "issuer in ID Token does not match"),
        ({"exp": 1}, "stale"),
        ({"sub": "stranger"}, "denied on resource"),
    ],
)
def test_a_workload_that_proves_nothing_is_refused(
    guarded: Emulator,
    tmp_path: Path,
    private_key: rsa.RSAPrivateKey,
    claims: dict[str, Any],
    error: str,
) -> None:
    configuration = pool_configuration(guarded, tmp_path, private_key, **claims)
    workload = identity_pool.Credentials.from_info(configuration, scopes=ee.oauth.SCOPES)
    with pytest.raises(exceptions.GoogleAuthError, match=error), initialised(guarded.url, workload):
        pass


def test_a_forged_or_misaddressed_token_is_refused(
    guarded: Emulator, tmp_path: Path, private_key: rsa.RSAPrivateKey
) -> None:
    forger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    configuration = pool_configuration(guarded, tmp_path, forger)
    workload = identity_pool.Credentials.from_info(configuration, scopes=ee.oauth.SCOPES)
    with (
        pytest.raises(exceptions.OAuthError, match="signature"),
        initialised(guarded.url, workload),
    ):
        pass
    configuration = pool_configuration(guarded, tmp_path, private_key) | {"audience": POOL + "y"}
    workload = identity_pool.Credentials.from_info(configuration, scopes=ee.oauth.SCOPES)
    with pytest.raises(exceptions.OAuthError, match="audience"), initialised(guarded.url, workload):
        pass


def test_users_and_pools_come_from_the_catalog_too(
    tmp_path: Path, private_key: rsa.RSAPrivateKey
) -> None:
    user = {"email": READER, "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    account = {"email": READER, "impersonators": [CALLER]}
    document = {"users": [user], "accounts": [account]}
    (tmp_path / "service_accounts.json").write_text(json.dumps(document))
    with serve(tmp_path) as emulator:
        form = {"grant_type": "refresh_token"} | user
        answer = requests.post(f"{emulator.url}/token", data=form, timeout=30)
        assert answer.json()["token_type"] == "Bearer"


@pytest.fixture
def certificate(tmp_path: Path, private_key: rsa.RSAPrivateKey) -> Tls:
    """Return a certificate for 127.0.0.1, signed by itself."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(private_key, hashes.SHA256())
    )
    certfile, keyfile = tmp_path / "cert.pem", tmp_path / "key.pem"
    certfile.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    keyfile.write_text(pem_of(private_key))
    return Tls(certfile, keyfile)


def test_https_is_served_with_a_certificate(certificate: Tls) -> None:
    with serve(CATALOG, tls=certificate) as emulator:
        assert emulator.url.startswith("https://")
        url = f"{emulator.url}/$discovery/rest"
        trusted = requests.get(url, verify=str(certificate.certfile), timeout=30)
        assert trusted.json()["rootUrl"] == f"{emulator.url}/"
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=30)
