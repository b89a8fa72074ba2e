"""A connection's extra is read by name, and every mistake in it is named."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from airflow_provider.earthengine.exceptions import ConnectionConfigError
from airflow_provider.earthengine.hooks.connection_config import (
    EXTRA_KEYS,
    ConnectionConfig,
    read_connection_config,
)
from airflow_provider.earthengine.hooks.keys import secrets_of
from tests.unit.hooks.pasted_keys import FEDERATION, KEY, REFRESH_TOKEN

ANONYMOUS = {"auth": "anonymous", "project": "demo"}


def read(**extra: Any) -> ConnectionConfig:
    return read_connection_config("my_earth", extra)


def test_nothing_given_means_application_default_credentials_and_the_high_volume_endpoint() -> None:
    assert read() == ConnectionConfig(
        conn_id="my_earth",
        auth="application_default",
        endpoint_url="https://earthengine-highvolume.googleapis.com",
    )


def test_empty_texts_of_a_form_count_as_not_given() -> None:
    empty = dict.fromkeys(EXTRA_KEYS, "")
    assert read(**empty) == read(**dict.fromkeys(empty)) == read()


@pytest.mark.parametrize("key", [KEY, json.dumps(KEY), json.dumps(KEY).replace("\\n", "\n")])
def test_a_pasted_key_may_be_text_or_an_object(key: Any) -> None:
    config = read(keyfile_dict=key)
    assert config.auth == "service_account"
    assert config.key_text is not None
    assert json.loads(config.key_text, strict=False) == KEY


@pytest.mark.parametrize("key", [KEY, REFRESH_TOKEN, FEDERATION])
def test_a_pasted_key_says_by_its_type_how_to_log_in(key: dict[str, Any]) -> None:
    assert read(keyfile_dict=key).auth == key["type"]
    assert read(keyfile_dict=key, auth=key["type"]).auth == key["type"]


def test_a_key_at_a_path_is_not_opened_here() -> None:
    assert read(key_path="/nowhere/key.json").auth == "key_file"
    assert read(key_path="/nowhere/key.json", auth="service_account").auth == "service_account"


@pytest.mark.parametrize("chain", ["a@b.c, d-1@e.f", ["a@b.c", "d-1@e.f"], "a@b.c d-1@e.f,"])
def test_an_impersonation_chain_is_a_list_or_a_text_with_commas(chain: Any) -> None:
    assert read(impersonation_chain=chain).impersonation_chain == ("a@b.c", "d-1@e.f")


def test_one_account_is_a_chain_of_one() -> None:
    assert read(impersonation_chain="a@b.c").impersonation_chain == ("a@b.c",)


def test_scopes_are_a_list_or_a_text_with_commas() -> None:
    assert read(scopes="https://a/b,https://c/d") == read(scopes=["https://a/b", "https://c/d"])
    assert read(scopes="https://a/b").scopes == ("https://a/b",)


def test_a_project_number_may_be_a_number() -> None:
    assert read(auth="user", project=123456789012).project == "123456789012"


@pytest.mark.parametrize(
    ("text", "endpoint_url"),
    [
        ("https://earthengine.googleapis.com/", "https://earthengine.googleapis.com"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.9:8080//", "http://127.0.0.9:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://proxy.example/earthengine/", "https://proxy.example/earthengine"),
    ],
)
def test_an_endpoint_loses_its_last_slash(text: str, endpoint_url: str) -> None:
    assert read(endpoint_url=text).endpoint_url == endpoint_url


def test_http_on_another_machine_is_for_anonymous_connections_only() -> None:
    url = "http://emulator.example:8080"
    assert read(**ANONYMOUS, endpoint_url=url).endpoint_url == url
    for auth in ({"auth": "user"}, {"auth": "application_default"}, {"keyfile_dict": KEY}):
        with pytest.raises(ConnectionConfigError, match=r"expose the credentials .*use https://"):
            read(**auth, endpoint_url=url)


@pytest.mark.parametrize(
    "text",
    ["earthengine.googleapis.com", "ftp://host", "https://", "https://u:pa55@host", "https://h:x"],
)
def test_what_is_no_endpoint_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ConnectionConfigError, match="endpoint_url is not of the form") as caught:
        read(endpoint_url=text)
    assert "pa55" not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"projekt": "p"}, r"unknown key 'projekt'; the nearest known one is 'project'"),
        ({"key_file_json": "{}"}, r"unknown key 'key_file_json'.*'keyfile_dict'"),
        ({"keyfile_json": "{}"}, r"keyfile_json is not allowed: .* rename it to keyfile_dict"),
        ({"credential_config_file": "x"}, r"unknown key 'credential_config_file'"),
        ({"impersonation_chain": "robot"}, r"impersonation_chain is invalid; write e-mails"),
        ({"impersonation_chain": "a@b.c/x"}, r"impersonation_chain is invalid; write e-mails"),
        ({"impersonation_chain": ["a@b.c", 5]}, r"as a list or separated by commas"),
        ({"scopes": '["https://a/b"]'}, r"scopes is invalid; write OAuth scopes"),
        (
            {**ANONYMOUS, "impersonation_chain": "a@b.c"},
            r"auth is anonymous, but impersonation_chain is given",
        ),
        ({"iam_endpoint_url": "iam.example"}, r"iam_endpoint_url is not of the form"),
        (
            {**ANONYMOUS, "iam_endpoint_url": "http://iam.example"},
            r"iam_endpoint_url http://iam.example is http:// on another machine",
        ),
        ({"ENDPOINT_URL": "x"}, r"'endpoint_url'"),
        ({"zzz": 1}, r"known: project, auth, keyfile_dict"),
        ({"auth": "anonymus"}, r"auth is 'anonymus'; the nearest known one is 'anonymous'"),
        ({"auth": "service_account"}, r"neither keyfile_dict nor key_path"),
        ({"auth": "user", "key_path": "k"}, r"auth is user, but a key is given in key_path"),
        ({"auth": "user", "keyfile_dict": KEY}, r"auth is user, but a key is given in keyfile"),
        (
            {"auth": "service_account", "keyfile_dict": FEDERATION},
            r"auth is service_account, but keyfile_dict is of type external_account",
        ),
        ({"keyfile_dict": KEY, "key_path": "k"}, r"has keyfile_dict and key_path"),
        ({"auth": "anonymous"}, r"names no project; set project"),
        ({"project": "projects/demo"}, r"write a project's id"),
        ({"project": ["demo"]}, r"project is of type list"),
        ({"project": True}, r"project is of type bool"),
        ({"keyfile_dict": 5}, r"neither text nor an object"),
        ({"keyfile_dict": {**KEY, "type": "impersonated_service_account"}}, r"must be service_acc"),
        ({"keyfile_dict": "[]"}, r'"type" must be service_account, authorized_user or external_'),
        ({"keyfile_dict": '{"a":' * 100_000}, r"nested too deep"),
        ({"keyfile_dict": {**KEY, "type": "authorized_user"}}, r"lacks client_id, client_secret"),
        ({"keyfile_dict": {**KEY, "type": "external_account"}}, r"lacks audience, subject_token"),
        (
            {"keyfile_dict": {**FEDERATION, "credential_source": None}},
            r"lacks credential_source",
        ),
        (
            {"keyfile_dict": {**FEDERATION, "credential_source": {"executable": {"command": "x"}}}},
            r"has 'executable', which runs a program",
        ),
        (
            {"keyfile_dict": {**FEDERATION, "credential_source": {"certificate": {}}}},
            r"has 'certificate', which needs a client certificate",
        ),
        (
            {"keyfile_dict": {**FEDERATION, "token_url": "http://sts.example/"}},
            r"token_url that is neither https nor on this machine",
        ),
        (
            {"keyfile_dict": {**FEDERATION, "service_account_impersonation_url": "http://i.ex/"}},
            r"service_account_impersonation_url that is neither https nor",
        ),
        (
            {"keyfile_dict": {**REFRESH_TOKEN, "token_uri": "http://tokens.example/"}},
            r"token_uri that is neither https nor on this machine",
        ),
        (
            {"keyfile_dict": {**KEY, "private_key": None, "token_uri": None}},
            r"lacks private_key, token_uri",
        ),
        (
            {"keyfile_dict": {**KEY, "token_uri": "http://tokens.example/"}},
            r"token_uri that is neither https nor on this machine",
        ),
    ],
)
def test_what_cannot_be_used_is_named(extra: dict[str, Any], message: str) -> None:
    with pytest.raises(ConnectionConfigError, match=message) as caught:
        read(**extra)
    assert str(caught.value).startswith("Connection 'my_earth': ")
    assert "SECRET" not in str(caught.value)


def test_a_broken_key_is_shown_neither_in_the_text_nor_in_the_traceback_nor_in_a_pickle() -> None:
    text = json.dumps(KEY)[:-1]
    with pytest.raises(ConnectionConfigError, match="keyfile_dict is not JSON \\(line 1") as caught:
        read(keyfile_dict=text)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert b"SECRET" not in pickle.dumps(caught.value)


@pytest.mark.parametrize("key", [KEY, REFRESH_TOKEN, FEDERATION])
def test_a_configuration_shows_no_key(key: dict[str, Any]) -> None:
    assert "SECRET" not in repr(read(keyfile_dict=key))


@pytest.mark.parametrize(
    ("key", "secrets"),
    [
        (KEY, [KEY["private_key"]]),
        (REFRESH_TOKEN, ["SECRETSECRET", "1//SECRETSECRET"]),
        (FEDERATION, ["SECRETSECRET"]),
        ({**FEDERATION, "credential_source": {"file": "/token"}}, []),
    ],
)
def test_the_secrets_of_a_key_are_known(key: dict[str, Any], secrets: list[str]) -> None:
    assert list(secrets_of(key)) == secrets
