"""An existing connection of type google_cloud_platform is read by name, or refused by name."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider.earthengine.exceptions import ConnectionConfigError
from airflow_provider.earthengine.hooks.connection_config import (
    ConnectionConfig,
    read_connection,
    read_connection_config,
)
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from tests.unit.hooks.pasted_keys import FEDERATION, KEY, REFRESH_TOKEN

PREFIX = "extra__google_cloud_platform__"


def read(**extra: Any) -> ConnectionConfig:
    connection = SimpleNamespace(conn_type="google_cloud_platform", extra=json.dumps(extra))
    return read_connection("my_google", connection)


def prefixed(extra: dict[str, Any]) -> dict[str, Any]:
    return {f"{PREFIX}{name}": value for name, value in extra.items()}


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"project": "p", "key_path": "/keys/k.json"}, {"project": "p", "key_path": "/keys/k.json"}),
    ({"keyfile_dict": json.dumps(KEY)}, {"keyfile_dict": json.dumps(KEY)}),
    ({"keyfile_dict": KEY}, {"keyfile_dict": KEY}),
    ({"credential_config_file": "/wif.json"}, {"key_path": "/wif.json"}),
    ({"credential_config_file": FEDERATION}, {"keyfile_dict": FEDERATION}),
    ({"credential_config_file": json.dumps(KEY)}, {"keyfile_dict": json.dumps(KEY)}),
    ({"credential_config_file": REFRESH_TOKEN}, {"keyfile_dict": REFRESH_TOKEN}),
    ({"scope": "https://a/b,https://c/d"}, {"scopes": ["https://a/b", "https://c/d"]}),
    ({"impersonation_chain": "a@b.c,d@e.f"}, {"impersonation_chain": ["a@b.c", "d@e.f"]}),
    ({"impersonation_chain": ["a@b.c"]}, {"impersonation_chain": "a@b.c"}),
    ({"project": "p", "is_anonymous": True}, {"project": "p", "auth": "anonymous"}),
    ({"project": "p", "is_anonymous": "True"}, {"project": "p", "auth": "anonymous"}),
    ({"project": "p", "is_anonymous": "false"}, {"project": "p"}),
    ({"quota_project_id": "q"}, {"project": "q"}),
    ({"quota_project_id": "q", "project": "q"}, {"project": "q"}),
    ({"endpoint_url": "https://e.example"}, {"endpoint_url": "https://e.example"}),
]


@pytest.mark.parametrize(("google", "ours"), SAME)
def test_every_field_that_can_be_honoured_is(google: dict[str, Any], ours: dict[str, Any]) -> None:
    expected = read_connection_config("my_google", ours)
    assert read(**google) == expected
    assert read(**prefixed(google)) == expected


def test_what_googles_form_sends_of_itself_is_nothing() -> None:
    form = {
        **dict.fromkeys(("project", "key_path", "keyfile_dict", "credential_config_file"), ""),
        **dict.fromkeys(("scope", "key_secret_name", "key_secret_project_id"), None),
        **dict.fromkeys(("impersonation_chain", "idp_issuer_url", "client_id"), ""),
        **dict.fromkeys(("client_secret", "idp_extra_parameters", "quota_project_id"), ""),
        "num_retries": 5,
        "is_anonymous": False,
    }
    assert read(**form) == read()


def test_a_name_without_the_prefix_goes_first() -> None:
    assert read(project="short", **prefixed({"project": "long"})).project == "short"


@pytest.mark.parametrize("form", [dict, prefixed])
@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            {"key_secret_name": "SECRETSECRET"},
            r"its key_secret_name cannot be used.*Secret Manager",
        ),
        ({"key_secret_project_id": "p"}, r"its key_secret_project_id cannot be used"),
        (
            {"idp_issuer_url": "https://idp"},
            r"its idp_issuer_url cannot be used.*credential_source",
        ),
        ({"client_id": "c"}, r"its client_id cannot be used"),
        ({"client_secret": "SECRETSECRET"}, r"its client_secret cannot be used"),
        ({"idp_extra_parameters": "{}"}, r"its idp_extra_parameters cannot be used"),
        (
            {"keyfile_dct": "{}"},
            r"unknown key 'keyfile_dct'; the nearest known one is 'keyfile_dict'",
        ),
        ({"is_anonymous": "perhaps"}, r"its is_anonymous is neither true nor false"),
        ({"is_anonymous": True}, r"names no project; set project"),
        ({"is_anonymous": True, "project": "p", "key_path": "k"}, r"auth is anonymous, but a key"),
        ({"project": "p", "quota_project_id": "q"}, r"its project and quota_project_id differ"),
        ({"key_path": "k", "credential_config_file": "c"}, r"key_path and credential_config_file"),
        ({"credential_config_file": "{"}, r"credential_config_file is not JSON"),
        ({"impersonation_chain": "robot"}, r"impersonation_chain is invalid; write e-mails"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    form: Any, extra: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConnectionConfigError, match=message) as caught:
        read(**form(extra))
    assert str(caught.value).startswith("Connection 'my_google': ")
    assert "SECRET" not in str(caught.value)


def test_the_hook_takes_such_a_connection_also_as_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_GOOGLE",
        "google-cloud-platform://?project=demo&is_anonymous=True&num_retries=5"
        "&extra__google_cloud_platform__endpoint_url=http%3A%2F%2F127.0.0.1%3A8",
    )
    config = EarthEngineHook("google").config
    assert (config.project, config.auth) == ("demo", "anonymous")
    assert config.endpoint_url == "http://127.0.0.1:8"
