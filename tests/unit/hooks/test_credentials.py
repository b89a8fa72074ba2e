"""Each way to log in gives credentials and a project, or one sentence about what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.auth import aws, identity_pool, impersonated_credentials
from google.auth.credentials import AnonymousCredentials
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account

from airflow_provider.earthengine.exceptions import ConnectionConfigError
from airflow_provider.earthengine.hooks.connection_config import read_connection_config
from airflow_provider.earthengine.hooks.credentials import SCOPES, Login, load_login
from tests.support.service_account import EMAIL, make_key
from tests.unit.hooks.pasted_keys import FEDERATION, REFRESH_TOKEN
from tests.unit.hooks.scripted_earthengine import silent_listener

IMPERSONATION_URL = (
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
    f"{EMAIL}:generateAccessToken"
)
TOKEN_URI = "https://oauth2.googleapis.com/token"


@pytest.fixture(scope="module")
def key() -> dict[str, Any]:
    return make_key(TOKEN_URI, project_id="of-the-key")[0]


def load(**extra: Any) -> Login:
    return load_login(read_connection_config("my_earth", extra))


def test_an_anonymous_connection_has_anonymous_credentials() -> None:
    login = load(auth="anonymous", project="demo")
    assert isinstance(login.credentials, AnonymousCredentials)
    assert login.project == "demo"


@pytest.mark.parametrize("is_file", [True, False])
def test_a_service_account_asks_for_two_scopes_and_for_its_own_project(
    key: dict[str, Any], home: Path, is_file: bool
) -> None:
    (home / "key.json").write_text(json.dumps(key))
    login = load(**({"key_path": "~/key.json"} if is_file else {"keyfile_dict": key}))
    assert isinstance(login.credentials, service_account.Credentials)
    assert login.credentials.service_account_email == EMAIL
    assert tuple(login.credentials.scopes) == SCOPES
    assert login.project == "of-the-key"


@pytest.mark.parametrize("is_file", [True, False])
def test_a_refresh_token_asks_for_what_every_google_login_grants(home: Path, is_file: bool) -> None:
    key = {**REFRESH_TOKEN, "quota_project_id": "of-the-file"}
    (home / "key.json").write_text(json.dumps(key))
    login = load(**({"key_path": "~/key.json"} if is_file else {"keyfile_dict": key}))
    assert isinstance(login.credentials, user_credentials.Credentials)
    assert login.credentials.refresh_token == key["refresh_token"]
    assert login.credentials.token_uri == TOKEN_URI
    assert list(login.credentials.scopes) == ["https://www.googleapis.com/auth/cloud-platform"]
    assert login.project == "of-the-file"


@pytest.mark.parametrize("is_file", [True, False])
def test_a_federation_file_asks_for_two_scopes_and_for_the_project_of_its_account(
    home: Path, is_file: bool
) -> None:
    key = {**FEDERATION, "service_account_impersonation_url": IMPERSONATION_URL}
    (home / "key.json").write_text(json.dumps(key))
    login = load(**({"key_path": "~/key.json"} if is_file else {"keyfile_dict": key}))
    assert isinstance(login.credentials, identity_pool.Credentials)
    assert tuple(login.credentials.scopes) == SCOPES
    assert login.credentials.service_account_email == EMAIL
    assert login.project == "demo"


def test_a_federation_file_of_aws_is_one(home: Path) -> None:
    source = {
        "environment_id": "aws1",
        "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=X",
    }
    token_type = "urn:ietf:params:aws:token-type:aws4_request"
    key = {**FEDERATION, "subject_token_type": token_type, "credential_source": source}
    assert isinstance(load(keyfile_dict=key, project="demo").credentials, aws.Credentials)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"file": "/token", "url": "https://x"}, "mutually exclusive"),
        ({"file": "/token", "format": {"type": "json"}}, "subject_token_field_name"),
        ({"environment_id": "aws1"}, "environment_id"),
        ({}, "must be provided"),
    ],
)
def test_a_federation_file_that_cannot_be_used_is_said_to_be_so(
    source: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConnectionConfigError, match=rf"its key cannot be used \(.*{message}"):
        load(keyfile_dict={**FEDERATION, "credential_source": source}, project="demo")


def test_a_federation_file_without_an_account_needs_a_project() -> None:
    with pytest.raises(ConnectionConfigError, match="set project in its extra"):
        load(keyfile_dict=FEDERATION)


def test_a_key_file_of_another_type_than_auth_says_is_refused(home: Path) -> None:
    (home / "key.json").write_text(json.dumps(FEDERATION))
    with pytest.raises(ConnectionConfigError, match=r"auth is service_account, .*external_account"):
        load(key_path="~/key.json", auth="service_account")


def test_an_impersonated_account_asks_for_its_own_project(key: dict[str, Any]) -> None:
    login = load(keyfile_dict=key, impersonation_chain=EMAIL)
    assert isinstance(login.credentials, impersonated_credentials.Credentials)
    assert login.credentials.service_account_email == EMAIL
    assert login.project == "demo"


def test_an_impersonated_account_that_names_no_project_needs_one(key: dict[str, Any]) -> None:
    chain = "1-compute@developer.gserviceaccount.com"
    with pytest.raises(ConnectionConfigError, match="set project in its extra"):
        load(keyfile_dict=key, impersonation_chain=chain)


def test_scopes_of_the_connection_go_before_all_others(key: dict[str, Any], home: Path) -> None:
    for extra in ({"keyfile_dict": key}, {"keyfile_dict": REFRESH_TOKEN}):
        login = load(**extra, scopes="https://a/b", project="demo")
        assert list(login.credentials.scopes) == ["https://a/b"]


def test_the_connections_project_goes_before_the_keys(key: dict[str, Any]) -> None:
    assert load(keyfile_dict=key, project="of-the-connection").project == "of-the-connection"


def test_a_key_without_a_project_needs_one(key: dict[str, Any]) -> None:
    without = {name: value for name, value in key.items() if name != "project_id"}
    with pytest.raises(ConnectionConfigError, match="set project in its extra"):
        load(keyfile_dict=without)


def test_a_private_key_that_cannot_be_read_is_not_shown(key: dict[str, Any]) -> None:
    body = key["private_key"].replace("M", "", 1)
    with pytest.raises(
        ConnectionConfigError, match=r"private_key of its key cannot be read"
    ) as caught:
        load(keyfile_dict={**key, "private_key": body})
    assert body.splitlines()[3] not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"{}", b"{"])
def test_a_key_file_that_cannot_be_used_is_named(home: Path, content: bytes | None) -> None:
    path = home / "key.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConnectionConfigError, match=r"key\.json"):
        load(key_path=str(path))


def test_the_users_own_file_is_read(home: Path) -> None:
    path = home / ".config" / "earthengine" / "credentials"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"refresh_token": "1//R", "project": "of-the-file"}))
    login = load(auth="user")
    assert isinstance(login.credentials, user_credentials.Credentials)
    assert login.credentials.refresh_token == "1//R"
    assert login.project == "of-the-file"
    assert "1//R" not in repr(login)


@pytest.mark.parametrize("content", [None, "{}", "[]", "no JSON"])
def test_without_the_users_own_file_it_is_said_how_to_make_it(
    home: Path, content: str | None
) -> None:
    path = home / ".config" / "earthengine" / "credentials"
    if content is not None:
        path.parent.mkdir(parents=True)
        path.write_text(content)
    with pytest.raises(ConnectionConfigError, match="run `earthengine authenticate`"):
        load(auth="user", project="demo")


def test_application_default_credentials_are_asked_for_with_scopes(
    key: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "key.json").write_text(json.dumps(key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(home / "key.json"))
    login = load()
    assert tuple(login.credentials.scopes) == SCOPES
    assert login.project == "of-the-key"


def test_the_project_of_a_federated_default_identity_is_not_asked_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "token").write_text("of the other cloud")
    file = {**FEDERATION, "credential_source": {"file": str(home / "token")}}
    (home / "key.json").write_text(json.dumps(file))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(home / "key.json"))
    with silent_listener() as listener:
        monkeypatch.setenv("HTTPS_PROXY", listener.url)
        monkeypatch.setenv("https_proxy", listener.url)
        login = load(project="demo")
        assert listener.accepted == []
    assert tuple(login.credentials.scopes) == SCOPES


def test_without_application_default_credentials_it_is_said_what_to_do() -> None:
    with pytest.raises(ConnectionConfigError, match="keyfile_dict or key_path"):
        load(project="demo")


def test_the_project_of_a_google_sdk_is_refused() -> None:
    with pytest.raises(ConnectionConfigError, match="not registered for Earth Engine"):
        load(auth="anonymous", project="764086051850")
