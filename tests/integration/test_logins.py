"""Every way to log in against the emulator's token endpoints, and all of a download over TLS."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from airflow_provider.earthengine.download.fetch.body import BodyRequest, fetch_body
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.emulator.access.identities import (
    AuthorizedUser,
    Identities,
    WorkloadPool,
)
from airflow_provider.earthengine.emulator.server import Emulator, Tls, serve
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.hooks.session import SESSION
from stack.emulator import CATALOG_FOLDER
from tests.support.forward_proxy import forward_proxy
from tests.support.private_ca import make_private_ca
from tests.support.service_account import EMAIL, make_key
from tests.unit.hooks.pasted_keys import AUDIENCE

pytestmark = pytest.mark.slow

ONCE = RetryPolicy(attempts=1)
SCENE = "COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG"
TARGET = "target@demo.iam.gserviceaccount.com"
STRANGER = "stranger@demo.iam.gserviceaccount.com"
ISSUER = "https://idp.example"
SUBJECT = "worker-7"
PRINCIPAL = f"principal:{AUDIENCE.partition('/providers/')[0]}/subject/{SUBJECT}"
USER = AuthorizedUser("user@example.com", "1.apps.example", "SECRETSECRET", "1//SECRETSECRET")
Connect = Callable[..., EarthEngineHook]


@dataclass(frozen=True)
class Guarded:
    """An emulator that knows an account, a user and a pool, and their keys."""

    emulator: Emulator
    keys: dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def no_session_left() -> Iterator[None]:
    SESSION.close()
    yield
    SESSION.close()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return what makes a hook for a connection with this extra."""

    def connect(conn_type: str = "earthengine", **extra: Any) -> EarthEngineHook:
        connection = {"conn_type": conn_type, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_EARTH", json.dumps(connection))
        return EarthEngineHook("earth", retry_policy=ONCE)

    return connect


@pytest.fixture(scope="module")
def key_pair() -> tuple[dict[str, Any], str]:
    return make_key("to be known when it serves")


def identities(public_key: str) -> Identities:
    """One key pair for the account and for the pool's issuer: making one takes long."""
    return Identities(
        public_keys={EMAIL: public_key},
        impersonators={TARGET: (EMAIL, USER.email, PRINCIPAL)},
        users=(USER,),
        pools=(WorkloadPool(AUDIENCE, ISSUER, public_key),),
    )


def make_keys(url: str, key: dict[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """Return the three kinds of key for the emulator at a URL."""
    subject = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "exp": int(time.time()) + 600}
    (folder / "subject").write_text(sign(subject, key["private_key"]))
    user = {"client_id": USER.client_id, "client_secret": USER.client_secret}
    return {
        "service_account": {**key, "token_uri": f"{url}/token"},
        "authorized_user": {
            "type": "authorized_user",
            **user,
            "refresh_token": USER.refresh_token,
            "token_uri": f"{url}/token",
        },
        "external_account": {
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{url}/sts/v1/token",
            "credential_source": {"file": str(folder / "subject")},
        },
    }


def sign(claims: dict[str, Any], private_key: str) -> str:
    """Return a JWT (RFC 7519), signed with RS256."""
    key = load_pem_private_key(private_key.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(key.sign(signed, PKCS1v15(), SHA256())).rstrip(b"=")
    return (signed + b"." + signature).decode()


@pytest.fixture
def guarded(key_pair: tuple[dict[str, Any], str], tmp_path: Path) -> Iterator[Guarded]:
    key, public_key = key_pair
    with serve(
        CATALOG_FOLDER, "demo", require_auth=True, identities=identities(public_key)
    ) as running:
        yield Guarded(running, make_keys(running.url, key, tmp_path))


@pytest.mark.parametrize("impersonation", [{}, {"impersonation_chain": TARGET}])
@pytest.mark.parametrize("kind", ["service_account", "authorized_user", "external_account"])
def test_every_kind_of_key_is_accepted_and_may_impersonate(
    guarded: Guarded, connect: Connect, kind: str, impersonation: dict[str, str]
) -> None:
    url = guarded.emulator.url
    hook = connect(
        project="demo",
        endpoint_url=url,
        iam_endpoint_url=url,
        keyfile_dict=json.dumps(guarded.keys[kind]),
        **impersonation,
    )
    assert hook.test_connection() == (True, f"Earth Engine at {url} answers.")


def test_a_federated_identity_is_an_account_when_its_file_says_so(
    guarded: Guarded, connect: Connect, tmp_path: Path
) -> None:
    url = guarded.emulator.url
    as_account = f"{url}/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
    key = {**guarded.keys["external_account"], "service_account_impersonation_url": as_account}
    (tmp_path / "federation.json").write_text(json.dumps(key))
    # The project is the account's.
    hook = connect(endpoint_url=url, key_path=str(tmp_path / "federation.json"))
    assert hook.test_connection()[0]


def test_an_existing_google_connection_is_enough(
    guarded: Guarded, connect: Connect, tmp_path: Path
) -> None:
    url = guarded.emulator.url
    (tmp_path / "federation.json").write_text(json.dumps(guarded.keys["external_account"]))
    prefix = "extra__google_cloud_platform__"
    extra = {
        f"{prefix}project": "demo",
        f"{prefix}credential_config_file": str(tmp_path / "federation.json"),
        f"{prefix}impersonation_chain": TARGET,
        f"{prefix}scope": "https://www.googleapis.com/auth/cloud-platform",
        "num_retries": 5,
        "is_anonymous": False,
        "endpoint_url": url,
        "iam_endpoint_url": url,
    }
    assert connect("google_cloud_platform", **extra).test_connection()[0]


def test_an_account_that_allows_nobody_is_not_impersonated(
    guarded: Guarded, connect: Connect
) -> None:
    url = guarded.emulator.url
    is_good, message = connect(
        endpoint_url=url,
        iam_endpoint_url=url,
        keyfile_dict=guarded.keys["service_account"],
        impersonation_chain=STRANGER,
    ).test_connection()
    assert not is_good
    assert "grant the impersonating identity roles/iam.serviceAccountTokenCreator on it" in message
    assert "'iam.serviceAccounts.getAccessToken' denied" in message


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("authorized_user", {"refresh_token": "1//SECRETWRONG"}, "expired or revoked"),
    ("authorized_user", {"client_secret": "SECRETWRONG"}, "client secret is invalid"),
    ("authorized_user", {"client_id": "unknown"}, "OAuth client was not found"),
    ("external_account", {"audience": "//iam.googleapis.com/other"}, "audience"),
]


@pytest.mark.parametrize(("kind", "wrong", "text"), WRONG)
def test_what_is_wrong_with_a_key_is_said_without_it(
    guarded: Guarded, connect: Connect, kind: str, wrong: dict[str, Any], text: str
) -> None:
    key = {**guarded.keys[kind], **wrong}
    is_good, message = connect(
        project="demo", endpoint_url=guarded.emulator.url, keyfile_dict=key
    ).test_connection()
    assert not is_good
    assert "the token endpoint rejected the credentials" in message
    assert text in message
    assert "SECRET" not in message


def test_a_subject_token_of_another_issuer_is_refused(
    guarded: Guarded, connect: Connect, tmp_path: Path
) -> None:
    stranger, _ = make_key("unused")
    claims = {"iss": ISSUER, "sub": SUBJECT, "exp": int(time.time()) + 600}
    (tmp_path / "subject").write_text(sign(claims, stranger["private_key"]))
    is_good, message = connect(
        project="demo",
        endpoint_url=guarded.emulator.url,
        keyfile_dict=guarded.keys["external_account"],
    ).test_connection()
    assert not is_good
    assert "verifying the ID Token signature" in message
    assert (tmp_path / "subject").read_text()[:40] not in message


def test_a_download_goes_through_a_proxy_to_a_private_ca(
    key_pair: tuple[dict[str, Any], str],
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, public_key = key_pair
    ca = make_private_ca(tmp_path, "127.0.0.1")
    tls = Tls(ca.certificate, ca.key)
    known = identities(public_key)
    with (
        serve(CATALOG_FOLDER, "demo", require_auth=True, identities=known, tls=tls) as running,
        forward_proxy() as proxy,
    ):
        for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca.ca))
        hook = connect(
            endpoint_url=running.url,
            iam_endpoint_url=running.url,
            keyfile_dict=make_keys(running.url, key, tmp_path)["service_account"],
            impersonation_chain=TARGET,
        )
        region = [-122.0859, 37.0436, -122.0826, 37.0486]
        params = {"image": hook.get_conn().Image(SCENE), "bands": ["B3"], "region": region}
        body = BodyRequest(
            {**params, "scale": 20, "format": "GEO_TIFF"},
            SCENE,
            tmp_path / "body.tif",
            max_byte_count=10_000_000,
            check=lambda _path: None,
        )
        fetched = fetch_body(hook, body, ONCE)
        assert fetched.path.read_bytes()[:4] in (b"II*\x00", b"MM\x00*")
        assert set(proxy.targets) == {running.url.removeprefix("https://")}
