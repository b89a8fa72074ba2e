"""Google's JSON credential files, checked: their kind, completeness and safety.

Opens no file and sends nothing. Three kinds are known, by their ``type``:

- ``service_account``: a private key.
- ``authorized_user``: a refresh token of a user who logged in.
- ``external_account``: how to exchange another identity provider's token (workload identity
  federation).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider.earthengine.hooks.connection_errors import refuse
from airflow_provider.earthengine.hooks.endpoints import is_safe_for_credentials

SERVICE_ACCOUNT = "service_account"
AUTHORIZED_USER = "authorized_user"
EXTERNAL_ACCOUNT = "external_account"

_NEEDED = {
    SERVICE_ACCOUNT: ("client_email", "private_key", "token_uri"),
    AUTHORIZED_USER: ("client_id", "client_secret", "refresh_token"),
    EXTERNAL_ACCOUNT: ("audience", "subject_token_type", "token_url"),
}
KEY_TYPES = tuple(_NEEDED)

# URLs that receive secrets. The one that a subject token is fetched from is not among them: in
# Google's documentation it is the metadata server of another cloud, which has only http. Source:
# https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds, read 2025-08.
_URLS = ("token_uri", "token_url", "service_account_impersonation_url")
_SECRETS = ("private_key", "client_secret", "refresh_token")
# The values of others are words such as "Google" or "True", which logs must not mask.
_SECRET_HEADER = re.compile(r"auth|key|secret|token", re.IGNORECASE)
_SOURCES_NOT_READ = {
    "executable": "runs a program, which a connection must not do",
    "certificate": "needs a client certificate, which is not supported",
}


def read_key(conn_id: str, name: str, text: str, wanted: str | None = None) -> dict[str, Any]:
    """Return the key in a JSON text.

    :param name: the text's name in messages.
    :param wanted: one of :data:`KEY_TYPES`, if only that kind is allowed.
    :raises ConnectionConfigError: if it is none of the three, is incomplete, or names a URL that
        must not receive a secret.
    """
    parsed = _parse(conn_id, name, text)
    key: dict[str, Any] = parsed if isinstance(parsed, dict) else {}
    kind = key.get("type")
    if not isinstance(kind, str) or kind not in _NEEDED:
        refuse(
            conn_id,
            f'{name} is not a key that can be used here: its "type" must be '
            f"{', '.join(KEY_TYPES[:-1])} or {KEY_TYPES[-1]}; use the whole file, unchanged",
        )
    if wanted is not None and kind != wanted:
        refuse(conn_id, f"auth is {wanted}, but {name} is of type {kind}; leave auth out")
    missing = [field for field in _NEEDED[kind] if not isinstance(key.get(field), str)]
    if missing:
        refuse(conn_id, f"{name} lacks {', '.join(missing)}; use the whole key file")
    for field in _URLS:
        if key.get(field) is not None and not is_safe_for_credentials(str(key[field])):
            refuse(
                conn_id,
                f"{name} has a {field} that is neither https nor on this machine; use https",
            )
    if kind == EXTERNAL_ACCOUNT:
        _check_source(conn_id, name, key.get("credential_source"))
    return key


def secrets_of(key: Mapping[str, Any]) -> Iterator[str]:
    """Yield the secret values of a key."""
    source = key.get("credential_source")
    headers = source.get("headers") if isinstance(source, Mapping) else None
    found = [key.get(field) for field in _SECRETS]
    if isinstance(headers, Mapping):
        found += [value for name, value in headers.items() if _SECRET_HEADER.search(str(name))]
    yield from (secret for secret in found if isinstance(secret, str) and secret)


def _parse(conn_id: str, name: str, text: str) -> Any:
    try:
        # Pasted keys often have real line breaks inside the private key, which is not strict JSON.
        return json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        refuse(conn_id, f"{name} is not JSON ({where}); use the whole key file")
    except ValueError:  # A number of thousands of digits.
        refuse(conn_id, f"{name} is no key that can be read; use the key file, unchanged")
    except RecursionError:
        refuse(conn_id, f"{name} is nested too deep for a key; use the key file, unchanged")


def _check_source(conn_id: str, name: str, source: Any) -> None:
    if not isinstance(source, dict):
        refuse(conn_id, f"{name} lacks credential_source; use the whole file, unchanged")
    for kind, reason in _SOURCES_NOT_READ.items():
        if kind in source:
            refuse(
                conn_id,
                f"the credential_source of {name} has {kind!r}, which {reason}; use one with file, "
                "url or environment_id",
            )
