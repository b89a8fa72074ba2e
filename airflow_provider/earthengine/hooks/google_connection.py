"""A connection of type ``google_cloud_platform`` -> the extra of an ``earthengine`` connection.

The Google provider is not required. Its fields and their meaning: https://github.com/apache/airflow,
``providers/google/src/airflow/providers/google/``: ``get_provider_info.py`` (``conn-fields``) and
``common/hooks/base_google.py``, release 22.8.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider.earthengine.hooks.connection_errors import nearest_of, refuse

CONN_TYPE = "google_cloud_platform"

# Older forms of Airflow wrote every field with this prefix.
_PREFIX = "extra__google_cloud_platform__"
_READ = {
    "project": "project",
    "key_path": "key_path",
    "keyfile_dict": "keyfile_dict",
    "credential_config_file": "credential_config_file",
    "scope": "scopes",
    "impersonation_chain": "impersonation_chain",
    # Not the Google provider's own, but it ignores unknown fields.
    "endpoint_url": "endpoint_url",
    "iam_endpoint_url": "iam_endpoint_url",
}
_OF_THEIR_OWN = ("is_anonymous", "quota_project_id")
# The form fills it in by default; the hook's retry policy decides about retries.
_UNUSED = ("num_retries",)
_SECRET_MANAGER = "it needs Google's Secret Manager; use Airflow's secrets backend for the key"
_CLIENT_CREDENTIALS = "use a credential_config_file whose credential_source is a file or a url"
_REFUSED = {
    "key_secret_name": _SECRET_MANAGER,
    "key_secret_project_id": _SECRET_MANAGER,
    "idp_issuer_url": _CLIENT_CREDENTIALS,
    "client_id": _CLIENT_CREDENTIALS,
    "client_secret": _CLIENT_CREDENTIALS,
    "idp_extra_parameters": _CLIENT_CREDENTIALS,
    "idp_extra_params": _CLIENT_CREDENTIALS,
}
_KNOWN = (*_READ, *_OF_THEIR_OWN, *_UNUSED)


def read_google_extra(conn_id: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extra under the names of an ``earthengine`` connection.

    :param extra: with or without the prefix; names without it take precedence.
    :raises ConnectionConfigError: if a field is set that cannot be used; names it.
    """
    given = _given(extra)
    for name in given:
        if name in _REFUSED:
            refuse(conn_id, f"its {name} cannot be used for Earth Engine: {_REFUSED[name]}")
        if name not in _KNOWN:
            refuse(conn_id, f"its extra has the unknown key {name!r}; {nearest_of(name, _KNOWN)}")
    read = {ours: given[theirs] for theirs, ours in _READ.items() if theirs in given}
    if _is_true(conn_id, "is_anonymous", given.get("is_anonymous", False)):
        read["auth"] = "anonymous"
    quota_project = given.get("quota_project_id")
    if quota_project is not None and read.setdefault("project", quota_project) != quota_project:
        refuse(
            conn_id,
            "its project and quota_project_id differ, but Earth Engine counts requests against "
            "the project that they name; leave quota_project_id out, or make them equal",
        )
    return read


def _given(extra: Mapping[str, Any]) -> dict[str, Any]:
    prefixed = {
        name.removeprefix(_PREFIX): value
        for name, value in extra.items()
        if name.startswith(_PREFIX)
    }
    short = {name: value for name, value in extra.items() if not name.startswith(_PREFIX)}
    return {name: value for name, value in {**prefixed, **short}.items() if value not in (None, "")}


def _is_true(conn_id: str, name: str, value: Any) -> bool:
    # In a connection that is written as a URL, all values are text.
    text = str(value).lower()
    if text not in ("true", "false"):
        refuse(conn_id, f"its {name} is neither true nor false; write one of these")
    return text == "true"
