"""Keys that are no keys: refused in one sentence, and no error keeps their text."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider.earthengine.exceptions import ConnectionConfigError
from airflow_provider.earthengine.hooks.connection_config import ConnectionConfig, read_connection
from airflow_provider.earthengine.hooks.credentials import load_login_unchecked
from tests.support.service_account import make_key
from tests.unit.hooks.conftest import Connect
from tests.unit.hooks.pasted_keys import KEY, REFRESH_TOKEN
from tests.unit.hooks.scripted_earthengine import TOKEN, ScriptedEarthEngine

SECRET = "SECRETSECRET"
WRONG_TYPES: list[Any] = [["service_account"], {"a": 1}, 5, None, True, [[]], "x" * 1000, 1.5]


def chain_of(error: BaseException | None) -> list[BaseException]:
    """Return the error, and all that it keeps of others."""
    found: list[BaseException] = []
    todo = [error]
    while todo:
        each = todo.pop()
        if each is not None and each not in found:
            found.append(each)
            todo += [each.__cause__, each.__context__]
    return found


TEXTS = {
    "a key that is cut": json.dumps(KEY)[:-1],
    "a key and more": json.dumps(KEY) + "}",
    "a key with a long number": '{"private_key": "SECRETSECRET", "n": ' + "1" * 5000 + "}",
    "a key that is nested": '{"private_key": "SECRETSECRET", "n": ' + "[" * 100_000,
    "a key of another type": json.dumps({**KEY, "type": SECRET}),
    "a key without its e-mail": json.dumps({**KEY, "client_email": [SECRET]}),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize("place", ["extra", "keyfile_dict", "key_path"])
def test_no_error_keeps_the_text_of_a_key(text: str, place: str, tmp_path: Any) -> None:
    extra: Any = {"keyfile_dict": text}
    if place == "key_path":
        (tmp_path / "key").write_text(text)
        extra = {"key_path": str(tmp_path / "key")}
    given = f'{{"keyfile_dict": {text}' if place == "extra" else json.dumps(extra)
    connection = SimpleNamespace(conn_type="earthengine", extra=given)
    with pytest.raises(ConnectionConfigError) as caught:
        load_login_unchecked(read_connection("earth", connection))
    for error in chain_of(caught.value):
        assert SECRET not in f"{error!r} {vars(error)} {getattr(error, 'doc', '')}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", WRONG_TYPES)
@pytest.mark.parametrize("place", ["keyfile_dict", "key_path"])
def test_a_type_of_any_type_is_refused_by_the_test_button(
    connect: Connect, kind: Any, place: str, tmp_path: Any
) -> None:
    key = json.dumps({**KEY, "type": kind})
    (tmp_path / "key").write_text(key)
    hook = connect({place: str(tmp_path / "key") if place == "key_path" else key})
    is_good, message = hook.test_connection()
    assert not is_good
    assert '"type" must be' in message


FIELDS = ["private_key", "token_uri", "quota_project_id", "universe_domain", "client_id"]


@pytest.mark.slow
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("of", ["service account", "user"])
def test_a_field_of_any_type_is_used_or_refused_by_the_test_button(
    connect: Connect, server: ScriptedEarthEngine, field: str, of: str
) -> None:
    key = make_key("")[0] if of == "service account" else dict(REFRESH_TOKEN)
    key["token_uri"] = f"{server.url}/{TOKEN}"
    for value in (["x"], 5):
        hook = connect({"keyfile_dict": json.dumps({**key, field: value}), "project": ""})
        _, message = hook.test_connection()
        assert message.isprintable()


@pytest.mark.parametrize("project", [["demo"], {"a": 1}, 5, "../other", "a/b", "x\ny", True])
def test_a_project_of_the_key_is_checked_as_that_of_the_connection_is(project: Any) -> None:
    key = json.dumps({**make_key("https://127.0.0.1/token")[0], "project_id": project})
    with pytest.raises(ConnectionConfigError, match="is no project's id; set project"):
        load_login_unchecked(ConnectionConfig("earth", "service_account", key_text=key))
