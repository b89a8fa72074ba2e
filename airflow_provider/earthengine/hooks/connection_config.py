"""An Airflow connection -> its checked configuration. Opens no file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.hooks import google_connection
from airflow_provider.earthengine.hooks.connection_errors import nearest_of, refuse
from airflow_provider.earthengine.hooks.endpoints import read_endpoint_url
from airflow_provider.earthengine.hooks.keys import KEY_TYPES, read_key

ANONYMOUS = "anonymous"
USER = "user"
APPLICATION_DEFAULT = "application_default"
AUTH_METHODS = (*KEY_TYPES, USER, APPLICATION_DEFAULT, ANONYMOUS)
KEY_FILE = "key_file"
"""The value of :attr:`ConnectionConfig.auth` while the type of a key at a path is unknown."""

EXTRA_KEYS = (
    "project",
    "auth",
    "keyfile_dict",
    "key_path",
    "impersonation_chain",
    "scopes",
    "endpoint_url",
    "iam_endpoint_url",
)

IAM_ENDPOINT = "https://iamcredentials.googleapis.com"
"""Issues tokens of service accounts to callers that may impersonate them.

Source: https://cloud.google.com/iam/docs/reference/credentials/rest, read 2025-08.
"""

# Airflow's API and form hide values by the name of the key: keyfile_dict's, not keyfile_json's.
# Source: https://airflow.apache.org/docs/apache-airflow/stable/security/secrets/mask-sensitive-values.html,
# read 2025-08.
_REFUSED_KEYS = {
    "keyfile_json": "Airflow shows its value to everyone who can read connections; rename it to "
    "keyfile_dict, which Airflow hides"
}
_UNUSED_FIELDS = ("host", "login", "password", "schema", "port")

# Project ids (with their old "domain:" prefix) and project numbers. Source:
# https://cloud.google.com/resource-manager/docs/creating-managing-projects, read 2025-08.
PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")
# E-mails become part of a path.
_ACCOUNT = re.compile(r"[\w.+-]+@[\w.-]+", re.ASCII)
# Source: https://www.rfc-editor.org/rfc/rfc6749#section-3.3, "scope-token", read 2025-08.
_SCOPE = re.compile(r"[!#-\[\]-~]+")


@dataclass(frozen=True)
class ConnectionConfig:
    """How to reach Earth Engine, and as whom. Equal configurations can share a session.

    :param conn_id: the Airflow connection's id, for messages.
    :param auth: one of :data:`AUTH_METHODS`, or :data:`KEY_FILE`.
    :param endpoint_url: scheme and host, optionally a path; no slash at the end.
    :param project: the Google Cloud project; None: the credentials name it.
    :param key_text: the JSON text of a key.
    :param key_path: or the path of the file that holds it.
    :param impersonation_chain: e-mails of service accounts; requests are sent as the last one, and
        each of the others may impersonate the next one. Empty: no impersonation.
    :param scopes: of the tokens; empty: the defaults for the kind of credentials.
    :param iam_endpoint_url: the source of tokens of the impersonated account.
    """

    conn_id: str
    auth: str
    endpoint_url: str = limits.HIGH_VOLUME_ENDPOINT
    project: str | None = None
    key_text: str | None = field(default=None, repr=False)
    key_path: str | None = None
    impersonation_chain: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    iam_endpoint_url: str = IAM_ENDPOINT


def read_connection(conn_id: str, connection: Any) -> ConnectionConfig:
    """Return the configuration that an Airflow connection holds.

    :param connection: of type ``earthengine`` or ``google_cloud_platform``.
    :raises ConnectionConfigError: see :func:`read_connection_config`.
    """
    used = [name for name in _UNUSED_FIELDS if getattr(connection, name, None)]
    if used:
        refuse(
            conn_id,
            f"the connection's {', '.join(used)} is not used; put all settings in its extra, for "
            "example endpoint_url",
        )
    # Not extra_dejson, which treats text that is not JSON as an empty extra.
    try:
        extra = json.loads(connection.extra or "{}")
    except (ValueError, RecursionError):
        refuse(conn_id, "its extra is not JSON; write a JSON object")
    if not isinstance(extra, dict):
        refuse(conn_id, "its extra is not a JSON object; write one")
    if connection.conn_type == google_connection.CONN_TYPE:
        return _read_config(conn_id, google_connection.read_google_extra(conn_id, extra))
    return read_connection_config(conn_id, extra)


def read_connection_config(conn_id: str, extra: Mapping[str, Any]) -> ConnectionConfig:
    """Return the configuration that the extra of an ``earthengine`` connection holds.

    :param conn_id: the connection's id, for messages.
    :param extra: its decoded extra. Empty text counts as not given, because forms send it.
    :raises ConnectionConfigError: if a key is unknown, a value cannot be used, or two values
        contradict each other. The message never contains a value of the key.
    """
    for name in extra:
        if name in _REFUSED_KEYS:
            refuse(conn_id, f"{name} is not allowed: {_REFUSED_KEYS[name]}")
        if name not in EXTRA_KEYS:
            hint = nearest_of(str(name), EXTRA_KEYS)
            refuse(conn_id, f"its extra has the unknown key {name!r}; {hint}")
    return _read_config(conn_id, extra)


def _read_config(conn_id: str, extra: Mapping[str, Any]) -> ConnectionConfig:
    auth, key_text, key_path = _read_login(conn_id, extra)
    chain = _read_list(conn_id, "impersonation_chain", extra, _ACCOUNT, "e-mails of accounts")
    if auth == ANONYMOUS and chain:
        refuse(conn_id, "auth is anonymous, but impersonation_chain is given; remove one")
    return ConnectionConfig(
        conn_id=conn_id,
        auth=auth,
        endpoint_url=_read_url(conn_id, "endpoint_url", extra, auth) or limits.HIGH_VOLUME_ENDPOINT,
        project=_read_project(conn_id, extra, auth),
        key_text=key_text,
        key_path=key_path,
        impersonation_chain=chain,
        scopes=_read_list(conn_id, "scopes", extra, _SCOPE, "OAuth scopes"),
        iam_endpoint_url=_read_url(conn_id, "iam_endpoint_url", extra) or IAM_ENDPOINT,
    )


def _read_login(conn_id: str, extra: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    """Return auth, key_text and key_path."""
    auth = _read_text(conn_id, "auth", extra)
    if auth is not None and auth not in AUTH_METHODS:
        refuse(conn_id, f"auth is {auth!r}; {nearest_of(auth, AUTH_METHODS)}")
    # The third is the Google provider's: a path, or the text itself.
    names = ("keyfile_dict", "key_path", "credential_config_file")
    given = [name for name in names if extra.get(name) not in (None, "", {})]
    if len(given) > 1:
        refuse(conn_id, f"has {' and '.join(given)}; leave one of them out")
    if not given and auth in KEY_TYPES:
        refuse(conn_id, f"auth is {auth}, but neither keyfile_dict nor key_path is given; set one")
    if not given:
        return auth or APPLICATION_DEFAULT, None, None
    if auth is not None and auth not in KEY_TYPES:
        refuse(conn_id, f"auth is {auth}, but a key is given in {given[0]}; remove one")
    name, value = given[0], extra[given[0]]
    is_path = isinstance(value, str) and not value.lstrip().startswith("{")
    if name == "key_path" or (name == "credential_config_file" and is_path):
        return auth or KEY_FILE, None, _read_text(conn_id, name, extra)
    text = json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value
    if not isinstance(text, str):
        refuse(conn_id, f"{name} is neither text nor an object; paste the whole key file")
    return str(read_key(conn_id, name, text, auth)["type"]), text, None


def _read_project(conn_id: str, extra: Mapping[str, Any], auth: str) -> str | None:
    project = _read_text(conn_id, "project", extra)
    if project and not PROJECT.fullmatch(project):
        refuse(conn_id, f"project is {project!r}; write a project's id, such as my-project-1")
    if auth == ANONYMOUS and not project:
        refuse(conn_id, "it names no project; set project in its extra")
    return project


def _read_url(conn_id: str, name: str, extra: Mapping[str, Any], auth: str = "") -> str | None:
    text = _read_text(conn_id, name, extra)
    if text is None:
        return None
    return read_endpoint_url(conn_id, name, text, with_credentials=auth != ANONYMOUS)


def _read_text(conn_id: str, name: str, extra: Mapping[str, Any]) -> str | None:
    value = extra.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        refuse(conn_id, f"{name} is of type {type(value).__name__}; write text")
    return str(value).strip() or None


def _read_list(
    conn_id: str, name: str, extra: Mapping[str, Any], pattern: re.Pattern[str], what: str
) -> tuple[str, ...]:
    value = extra.get(name)
    items = value if isinstance(value, list) else re.split(r"[,\s]+", str(value or ""))
    items = [item for item in items if item != ""]
    if not all(isinstance(item, str) and pattern.fullmatch(item) for item in items):
        refuse(conn_id, f"{name} is invalid; write {what}, as a list or separated by commas")
    return tuple(items)
