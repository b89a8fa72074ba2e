"""Who may ask: projects, tokens, readers, and download ids that expire."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ee
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import exceptions, jwt
from google.auth.crypt import RSASigner
from google.oauth2 import service_account

from airflow_provider.earthengine.emulator.access.identities import project_of_account
from airflow_provider.earthengine.emulator.server import Emulator, serve
from tests.emulator.official_client import initialised

CATALOG = Path(__file__).parents[1] / "data/catalog"
READER = "reader@demo.iam.gserviceaccount.com"
STRANGER = "stranger@demo.iam.gserviceaccount.com"
GUEST = "guest@elsewhere.iam.gserviceaccount.com"
PRIVATE = "projects/demo/assets/private"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    seconds: float

    def __call__(self) -> float:
        return self.seconds


@dataclass(frozen=True)
class Key:
    """A key pair in PEM."""

    private: str
    public: str


def make_key() -> Key:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Key(private.decode(), public.decode())


@pytest.fixture(scope="module")
def key() -> Key:
    return make_key()


@pytest.fixture(scope="module")
def module_clock() -> Clock:
    return Clock(0)


@pytest.fixture
def clock(module_clock: Clock) -> Clock:
    """Return the guarded emulator's clock, set to the present."""
    module_clock.seconds = time.time()
    return module_clock


@pytest.fixture(scope="module")
def module_emulator(key: Key, module_clock: Clock) -> Iterator[Emulator]:
    accounts = dict.fromkeys([READER, STRANGER, GUEST], key.public)
    with serve(CATALOG, "demo", True, service_accounts=accounts, clock=module_clock) as emulator:
        yield emulator


@pytest.fixture
def guarded(module_emulator: Emulator, clock: Clock) -> Emulator:
    """Return an emulator that wants credentials, with two accounts of one key."""
    return module_emulator


def credentials(emulator: Emulator, key: Key, email: str) -> service_account.Credentials:
    info = {
        "type": "service_account",
        "client_email": email,
        "private_key": key.private,
        "token_uri": f"{emulator.url}/token",
    }
    return service_account.Credentials.from_service_account_info(info, scopes=ee.oauth.SCOPES)


def test_a_reader_sees_the_private_asset_and_a_stranger_does_not(
    guarded: Emulator, key: Key
) -> None:
    with initialised(guarded.url, credentials(guarded, key, READER)):
        assert ee.Image(PRIVATE).getInfo()["id"] == PRIVATE
    refused = pytest.raises(ee.EEException, match=r"not found \(does not exist or caller")
    with initialised(guarded.url, credentials(guarded, key, STRANGER)), refused:
        ee.Image(PRIVATE).getInfo()


def login(emulator: Emulator, key: Key, email: str) -> Any:
    """Return the credentials of the classic login, which names no project."""
    info = {
        "type": "service_account",
        "client_email": email,
        "private_key": key.private,
        "token_uri": f"{emulator.url}/token",
    }
    return ee.ServiceAccountCredentials(email, key_data=json.dumps(info))


def test_an_account_without_a_project_uses_its_own(guarded: Emulator, key: Key) -> None:
    with initialised(guarded.url, login(guarded, key, READER), project=None):
        image = ee.Image(PRIVATE)
        assert image.getInfo()["id"] == PRIVATE
        url = ee.data.makeDownloadUrl(ee.data.getDownloadId({"image": image, "format": "NPY"}))
        assert "/projects/earthengine-legacy/thumbnails/" in url
        by_id = requests.get(url, timeout=30)
        assert by_id.status_code == 200
        assert ee.data.computePixels({"expression": image, "fileFormat": "NPY"}) == by_id.content


def test_an_account_of_another_project_uses_that_and_may_not(guarded: Emulator, key: Key) -> None:
    login_of_guest = login(guarded, key, GUEST)
    denied = pytest.raises(ee.EEException, match="required permission to use project elsewhere")
    with denied, initialised(guarded.url, login_of_guest, project=None):
        pass
    with initialised(guarded.url, login_of_guest):
        assert ee.Number(1).getInfo() == 1


def test_who_has_no_project_of_their_own_must_name_one(emulator: Emulator) -> None:
    url = f"{emulator.url}/v1/projects/earthengine-legacy/algorithms"
    response = requests.get(url, timeout=30)
    assert response.status_code == 403
    assert "use project earthengine-legacy." in response.json()["error"]["message"]
    named = requests.get(url, headers={"X-Goog-User-Project": "demo"}, timeout=30)
    assert named.status_code == 200


@pytest.mark.parametrize(
    ("email", "project"),
    [
        ("a@my-project.iam.gserviceaccount.com", "my-project"),
        ("a@my-project.example.com.iam.gserviceaccount.com", "example.com:my-project"),
        ("my-project@appspot.gserviceaccount.com", "my-project"),
        ("123-compute@developer.gserviceaccount.com", None),
        ("someone@example.com", None),
    ],
)
def test_the_name_of_an_account_tells_its_project(email: str, project: str | None) -> None:
    assert project_of_account(email) == project


def test_whoever_holds_an_id_fetches_the_pixels(guarded: Emulator, key: Key) -> None:
    with initialised(guarded.url, credentials(guarded, key, READER)):
        url = ee.data.makeDownloadUrl(ee.data.getDownloadId({"image": ee.Image(PRIVATE)}))
    assert requests.get(url, timeout=30).status_code == 200


def test_an_id_expires_after_two_hours(guarded: Emulator, key: Key, clock: Clock) -> None:
    with initialised(guarded.url, credentials(guarded, key, READER)):
        url = ee.data.makeDownloadUrl(ee.data.getDownloadId({"image": ee.Image(PRIVATE)}))
    clock.seconds += 7199
    assert requests.get(url, timeout=30).status_code == 200
    clock.seconds += 2
    response = requests.get(url, timeout=30)
    assert response.status_code == 404
    assert response.json()["error"]["status"] == "NOT_FOUND"


def test_an_unknown_id_is_not_found(emulator: Emulator) -> None:
    name = f"projects/demo/thumbnails/{'0' * 32}-{'1' * 32}"
    response = requests.get(f"{emulator.url}/v1/{name}:getPixels", timeout=30)
    assert (response.status_code, response.json()["error"]["code"]) == (404, 404)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer made-up"}])
def test_missing_and_unknown_credentials_are_unauthenticated(
    guarded: Emulator, headers: dict[str, str]
) -> None:
    url = f"{guarded.url}/v1/projects/demo/algorithms"
    response = requests.get(url, headers=headers, timeout=30)
    assert response.status_code == 401
    assert response.json()["error"]["status"] == "UNAUTHENTICATED"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_unknown_token_is_refused_where_none_is_required(emulator: Emulator) -> None:
    url = f"{emulator.url}/v1/projects/demo/algorithms"
    assert requests.get(url, timeout=30).status_code == 200
    headers = {"Authorization": "Bearer made-up"}
    assert requests.get(url, headers=headers, timeout=30).status_code == 401


def test_a_token_expires_after_an_hour(guarded: Emulator, key: Key, clock: Clock) -> None:
    token = ask_for_token(guarded, claims(), key).json()["access_token"]
    url = f"{guarded.url}/v1/projects/demo/algorithms"
    headers = {"Authorization": f"Bearer {token}"}
    assert requests.get(url, headers=headers, timeout=30).status_code == 200
    clock.seconds += 3601
    assert requests.get(url, headers=headers, timeout=30).status_code == 401


def test_another_project_is_denied_with_the_real_text(emulator: Emulator) -> None:
    with pytest.raises(ee.EEException) as caught, initialised(emulator.url, project="other"):
        pass
    assert str(caught.value).startswith(
        "Caller does not have required permission to use project other. Grant the caller the "
        "roles/serviceusage.serviceUsageConsumer role, "
    )
    url = f"{emulator.url}/v1/projects/other/algorithms"
    error = requests.get(url, timeout=30).json()["error"]
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")
    reasons = [detail.get("reason") for detail in error["details"]]
    assert reasons == [None, "USER_PROJECT_DENIED"]


def test_another_quota_project_is_denied(emulator: Emulator) -> None:
    url = f"{emulator.url}/v1/projects/demo/algorithms"
    headers = {"X-Goog-User-Project": "other"}
    assert requests.get(url, headers=headers, timeout=30).status_code == 403


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": READER,
        "aud": "https://oauth2.googleapis.com/token",
        "scope": "https://www.googleapis.com/auth/earthengine",
        "iat": now,
        "exp": now + 3600,
    } | changes


def ask_for_token(
    emulator: Emulator, payload: dict[str, Any], key: Key, grant: str = GRANT
) -> requests.Response:
    assertion = jwt.encode(RSASigner.from_string(key.private), payload)
    form = {"grant_type": grant, "assertion": assertion.decode()}
    return requests.post(f"{emulator.url}/token", data=form, timeout=30)


def test_the_endpoints_own_url_is_a_right_audience(guarded: Emulator, key: Key) -> None:
    answer = ask_for_token(guarded, claims(aud=f"{guarded.url}/token"), key).json()
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3600


@pytest.mark.parametrize(
    ("changes", "error", "description"),
    [
        ({"iss": "nobody@x"}, "invalid_grant", "Invalid grant: account not found"),
        ({"aud": "https://example.com"}, "invalid_grant", "Failed audience check"),
        ({"exp": 1}, "invalid_grant", "must be a short-lived token"),
        ({"iat": 1}, "invalid_grant", "must be a short-lived token"),
        ({"exp": "soon"}, "invalid_grant", "must be a short-lived token"),
        ({"scope": ""}, "invalid_scope", "Invalid OAuth scope"),
    ],
)
def test_a_statement_that_proves_nothing_gets_no_token(
    guarded: Emulator, key: Key, changes: dict[str, Any], error: str, description: str
) -> None:
    response = ask_for_token(guarded, claims(**changes), key)
    assert response.status_code == 400
    assert response.json()["error"] == error
    assert description in response.json()["error_description"]


def test_a_wrong_key_gets_no_token(guarded: Emulator) -> None:
    wrong = credentials(guarded, make_key(), READER)
    refused = pytest.raises(exceptions.RefreshError, match="Invalid JWT Signature")
    with refused, initialised(guarded.url, wrong):
        pass


def test_other_grants_and_broken_statements_are_refused(guarded: Emulator, key: Key) -> None:
    other = ask_for_token(guarded, claims(), key, grant="password")
    assert other.json()["error"] == "unsupported_grant_type"
    form = {"grant_type": GRANT, "assertion": "a.b.c"}
    broken = requests.post(f"{guarded.url}/token", data=form, timeout=30)
    assert broken.json()["error"] == "invalid_grant"


def test_an_unsigned_statement_is_refused(guarded: Emulator, key: Key) -> None:
    signed = jwt.encode(RSASigner.from_string(key.private), claims(), {"alg": "none"})
    form = {"grant_type": GRANT, "assertion": signed.decode()}
    response = requests.post(f"{guarded.url}/token", data=form, timeout=30)
    assert response.status_code == 400


def test_accounts_come_from_the_catalog_too(tmp_path: Path, key: Key) -> None:
    account = {"email": READER, "public_key": key.public}
    (tmp_path / "service_accounts.json").write_text(json.dumps({"accounts": [account]}))
    with serve(tmp_path, require_auth=True) as emulator:
        assert ask_for_token(emulator, claims(), key).status_code == 200


def test_the_ids_of_downloads_are_in_no_log(
    client: Emulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A program that configures logging after the server was started: Airflow does.
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "propagate", True)
    caplog.set_level(logging.DEBUG)
    params = {"image": ee.Image(7), "crs": "EPSG:4326", "crs_transform": [1, 0, 0, 0, -1, 0],
              "dimensions": [1, 1], "format": "NPY"}  # fmt: skip
    download_id = ee.data.getDownloadId(params)["docid"].rsplit("/", 1)[1]
    caplog.clear()
    caplog.set_level(logging.WARNING, "urllib3")  # the client's own library prints what it asks for
    requests.get(f"{client.url}/v1/projects/demo/thumbnails/{download_id}:getPixels", timeout=30)
    assert client.counts()["thumbnails.getPixels"] == 1
    assert download_id not in caplog.text
