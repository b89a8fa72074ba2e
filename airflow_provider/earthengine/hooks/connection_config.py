"""What an Airflow connection of type ``earthengine`` says, checked. Opens no file."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlsplit

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.exceptions import ConnectionConfigError

ANONYMOUS = "anonymous"
SERVICE_ACCOUNT = "service_account"
USER = "user"
APPLICATION_DEFAULT = "application_default"
AUTH_METHODS = (SERVICE_ACCOUNT, USER, APPLICATION_DEFAULT, ANONYMOUS)
# keyfile_dict and keyfile_json mean the same. Airflow's API and form hide the first one's value
# because of its name, and show the second one's to whoever may read connections. Source:
# https://airflow.apache.org/docs/apache-airflow/stable/security/secrets/mask-sensitive-values.html,
# read 2025-08.
KEY_TEXT_KEYS = ("keyfile_dict", "keyfile_json")
EXTRA_KEYS = ("project", "endpoint_url", "auth", *KEY_TEXT_KEYS, "key_path")

_KEY_FIELDS = ("client_email", "private_key", "token_uri")
# Project ids (with their old "domain:" prefix) and project numbers. Source:
# https://cloud.google.com/resource-manager/docs/creating-managing-projects, read 2025-08.
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")


@dataclass(frozen=True)
class ConnectionConfig:
    """How to reach Earth Engine, and as whom. Two equal ones can share a session.

    :param conn_id: the Airflow connection's id, for messages.
    :param auth: one of :data:`AUTH_METHODS`.
    :param endpoint_url: scheme and host, perhaps a path; no slash at the end.
    :param project: the Google Cloud project; None when the credentials are to name it.
    :param key_text: the JSON text of a service account's key.
    :param key_path: or the path of the file that holds it.
    """

    conn_id: str
    auth: str
    endpoint_url: str = limits.HIGH_VOLUME_ENDPOINT
    project: str | None = None
    key_text: str | None = field(default=None, repr=False)
    key_path: str | None = None


def read_connection_config(conn_id: str, extra: Mapping[str, Any]) -> ConnectionConfig:
    """Return the configuration that a connection's extra holds.

    :param conn_id: the connection's id, for messages.
    :param extra: its extra, decoded. Empty texts count as not given: forms send them.
    :raises ConnectionConfigError: for an unknown key, a value that cannot be used, or two that
        contradict each other. The text never holds a value of the key.
    """
    _check_names(conn_id, extra)
    texts = {
        name: _read_text(conn_id, name, extra.get(name))
        for name in EXTRA_KEYS
        if name not in KEY_TEXT_KEYS
    }
    keys = {name: _read_key_text(conn_id, name, extra.get(name)) for name in KEY_TEXT_KEYS}
    given = [name for name, value in {**keys, "key_path": texts["key_path"]}.items() if value]
    if len(given) > 1:
        refuse(conn_id, f"has {' and '.join(given)}; leave one of them out")
    auth = _read_auth(conn_id, texts["auth"], has_key=bool(given))
    project = texts["project"]
    if project and not _PROJECT.fullmatch(project):
        refuse(conn_id, f"has the project {project!r}; write a project's id, such as my-project-1")
    if auth == ANONYMOUS and not project:
        refuse(conn_id, "names no project; set project in its extra")
    return ConnectionConfig(
        conn_id=conn_id,
        auth=auth,
        endpoint_url=_read_endpoint_url(conn_id, texts["endpoint_url"], auth),
        project=project,
        key_text=keys["keyfile_dict"] or keys["keyfile_json"],
        key_path=texts["key_path"],
    )


def read_service_account_key(conn_id: str, name: str, text: str) -> dict[str, Any]:
    """Return a service account's key from its JSON text.

    :param name: what the text is called in messages.
    :raises ConnectionConfigError: when it is no such key, or names a token endpoint that a
        signature must not be sent to.
    """
    try:
        # Pasted keys often hold real line ends inside the private key: not strict JSON.
        key = json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        # "from None": the decoder's error holds the whole text.
        raise _error(conn_id, f"{name} is not JSON ({where}); paste the whole key file") from None
    if not isinstance(key, dict) or key.get("type") != SERVICE_ACCOUNT:
        refuse(
            conn_id,
            f'{name} is not the key of a service account (no "type": "service_account"); create a '
            "JSON key for one and use that",
        )
    missing = [field_name for field_name in _KEY_FIELDS if not isinstance(key.get(field_name), str)]
    if missing:
        refuse(conn_id, f"{name} lacks {', '.join(missing)}; paste the whole key file")
    if not _is_safe_for_credentials(key["token_uri"]):
        refuse(conn_id, f"{name} has a token_uri that is neither https nor on this machine")
    return key


def refuse(conn_id: str, problem: str) -> NoReturn:
    """Raise ConnectionConfigError: a sentence whose subject is the connection."""
    raise _error(conn_id, problem)


def _error(conn_id: str, problem: str) -> ConnectionConfigError:
    return ConnectionConfigError(f"Connection {conn_id!r}: {problem}.", conn_id=conn_id)


def _hint(nearest: Sequence[str], known: Sequence[str]) -> str:
    return f"the nearest known one is {nearest[0]!r}" if nearest else f"known: {', '.join(known)}"


def _check_names(conn_id: str, extra: Mapping[str, Any]) -> None:
    for name in extra:
        if name not in EXTRA_KEYS:
            nearest = difflib.get_close_matches(str(name).lower(), EXTRA_KEYS, n=1, cutoff=0.5)
            hint = _hint(nearest, EXTRA_KEYS)
            refuse(conn_id, f"its extra has the unknown key {name!r}; {hint}")


def _read_text(conn_id: str, name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        refuse(conn_id, f"{name} is not text but {type(value).__name__}")
    return str(value).strip() or None


def _read_auth(conn_id: str, auth: str | None, *, has_key: bool) -> str:
    if auth is None:
        return SERVICE_ACCOUNT if has_key else APPLICATION_DEFAULT
    if auth not in AUTH_METHODS:
        nearest = difflib.get_close_matches(auth.lower(), AUTH_METHODS, n=1)
        refuse(conn_id, f"auth is {auth!r}; {_hint(nearest, AUTH_METHODS)}")
    if auth == SERVICE_ACCOUNT and not has_key:
        refuse(conn_id, "auth is service_account, but neither keyfile_dict nor key_path is given")
    if auth != SERVICE_ACCOUNT and has_key:
        refuse(conn_id, f"auth is {auth}, but a service account's key is given; remove one")
    return auth


def _read_key_text(conn_id: str, name: str, value: Any) -> str | None:
    if value is None or value == "" or value == {}:
        return None
    text = json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value
    if not isinstance(text, str):
        refuse(conn_id, f"{name} is neither text nor an object; paste the whole key file")
    read_service_account_key(conn_id, name, text)
    return text


def _read_endpoint_url(conn_id: str, text: str | None, auth: str) -> str:
    if text is None:
        return limits.HIGH_VOLUME_ENDPOINT
    try:
        url = urlsplit(text)
        host = url.hostname  # this and the port are parsed when asked for
        _ = url.port
    except ValueError:
        url, host = urlsplit(""), None
    if url.scheme not in ("http", "https") or not host or url.query or url.fragment or url.username:
        # Not quoted: it may hold a password.
        refuse(
            conn_id,
            "endpoint_url is not of the form https://host or https://host:port; leave it out for "
            f"{limits.HIGH_VOLUME_ENDPOINT}",
        )
    if auth != ANONYMOUS and not _is_safe_for_credentials(text):
        refuse(
            conn_id,
            f"endpoint_url {text} is http:// on another machine, which would show the credentials "
            "to everybody on the way; use https://, or auth anonymous",
        )
    return text.rstrip("/")


def _is_safe_for_credentials(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))
    )


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
