"""A connection's extra is read by name, and every mistake in it is named."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from airflow_provider.earthengine.exceptions import ConnectionConfigError
from airflow_provider.earthengine.hooks.connection_config import (
    ConnectionConfig,
    read_connection_config,
)

KEY = {
    "type": "service_account",
    "project_id": "of-the-key",
    "client_email": "robot@of-the-key.iam.gserviceaccount.com",
    "private_key": "-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n",
    "token_uri": "https://oauth2.googleapis.com/token",
}
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
    empty = dict.fromkeys(
        ("project", "endpoint_url", "auth", "keyfile_dict", "keyfile_json", "key_path"), ""
    )
    assert read(**empty) == read(**dict.fromkeys(empty)) == read()


@pytest.mark.parametrize("name", ["keyfile_dict", "keyfile_json"])
@pytest.mark.parametrize("key", [KEY, json.dumps(KEY), json.dumps(KEY).replace("\\n", "\n")])
def test_a_pasted_key_means_service_account_and_may_be_text_or_an_object(
    name: str, key: Any
) -> None:
    config = read(**{name: key})
    assert config.auth == "service_account"
    assert config.key_text is not None
    assert json.loads(config.key_text, strict=False) == KEY


def test_a_key_path_means_service_account_and_is_not_opened() -> None:
    assert read(key_path="/nowhere/key.json").auth == "service_account"


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
        with pytest.raises(ConnectionConfigError, match=r"show the credentials .*use https://"):
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
        ({"key_file_json": "{}"}, r"unknown key 'key_file_json'.*'keyfile_json'"),
        ({"ENDPOINT_URL": "x"}, r"'endpoint_url'"),
        ({"zzz": 1}, r"known: project, endpoint_url, auth"),
        ({"auth": "anonymus"}, r"auth is 'anonymus'; the nearest known one is 'anonymous'"),
        ({"auth": "service_account"}, r"neither keyfile_dict nor key_path"),
        ({"auth": "user", "key_path": "k"}, r"auth is user, but a service account's key is given"),
        ({"keyfile_dict": KEY, "key_path": "k"}, r"has keyfile_dict and key_path"),
        ({"keyfile_dict": KEY, "keyfile_json": KEY}, r"has keyfile_dict and keyfile_json"),
        ({"auth": "anonymous"}, r"names no project; set project"),
        ({"project": "projects/demo"}, r"write a project's id"),
        ({"project": ["demo"]}, r"project is not text but list"),
        ({"project": True}, r"project is not text but bool"),
        ({"keyfile_dict": 5}, r"neither text nor an object"),
        ({"keyfile_dict": {**KEY, "type": "authorized_user"}}, r"not the key of a service account"),
        ({"keyfile_dict": "[]"}, r"not the key of a service account"),
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
    with pytest.raises(ConnectionConfigError, match="keyfile_json is not JSON \\(line 1") as caught:
        read(keyfile_json=text)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert b"SECRET" not in pickle.dumps(caught.value)


def test_a_configuration_shows_no_key() -> None:
    assert "SECRET" not in repr(read(keyfile_dict=KEY))
