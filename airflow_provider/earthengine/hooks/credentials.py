"""Who asks: a connection's configuration -> Google credentials, and the project they ask for.

Files are read here, nothing is sent: whether the credentials are accepted shows at the first use.
The one exception is ``google.auth.default``, which may ask the metadata server of the machine.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.exceptions import ConnectionConfigError
from airflow_provider.earthengine.hooks.connection_config import (
    ANONYMOUS,
    SERVICE_ACCOUNT,
    USER,
    ConnectionConfig,
    read_service_account_key,
    refuse,
)

# Enough for every call of this package; ee.oauth.SCOPES adds Drive and all of Cloud Storage.
# Source: https://developers.google.com/earth-engine/reference/rest/v1/projects.thumbnails/create,
# "Authorization scopes", read 2025-08.
SCOPES = (
    "https://www.googleapis.com/auth/earthengine",
    "https://www.googleapis.com/auth/cloud-platform",
)


@dataclass(frozen=True)
class Login:
    """Credentials, and the project whose quota they use.

    :param credentials: a ``google.auth.credentials.Credentials``.
    """

    credentials: Any = field(repr=False)
    project: str


def load_login(config: ConnectionConfig) -> Login:
    """Return who asks, and for which project.

    :raises ConnectionConfigError: when there are no credentials, or no project.
    """
    if config.auth == ANONYMOUS:
        from google.auth.credentials import AnonymousCredentials

        credentials: Any = AnonymousCredentials()  # type: ignore[no-untyped-call]  # google-auth
        project = None
    elif config.auth == SERVICE_ACCOUNT:
        credentials, project = _load_service_account(config)
    elif config.auth == USER:
        credentials, project = _load_user(config)
    else:
        credentials, project = _load_application_default(config)
    return Login(credentials, _project(config, project))


def _project(config: ConnectionConfig, of_credentials: str | None) -> str:
    import ee

    project = config.project or of_credentials
    if not project:
        refuse(config.conn_id, "names no project, nor do its credentials; set project in its extra")
    if ee.oauth.is_sdk_project(project):
        refuse(
            config.conn_id,
            f"project {project} belongs to a Google SDK, which is not registered for Earth Engine; "
            "set project in its extra to one of yours",
        )
    return project


def _load_service_account(config: ConnectionConfig) -> tuple[Any, str | None]:
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import service_account

    name, text = "its service account's key", config.key_text
    if text is None:
        name, text = f"key_path {config.key_path}", _read_key_file(config)
    key = read_service_account_key(config.conn_id, name, text)
    try:
        credentials = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]  # google-auth annotates little
            key, scopes=SCOPES
        )
    except (ValueError, GoogleAuthError):
        # "from None": the cause may quote the key.
        raise ConnectionConfigError(
            f"Connection {config.conn_id!r}: the private_key of {name} cannot be read; use the "
            "whole key file, unchanged.",
            conn_id=config.conn_id,
        ) from None
    return credentials, key.get("project_id")


def _read_key_file(config: ConnectionConfig) -> str:
    try:
        return Path(str(config.key_path)).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise ConnectionConfigError(
            f"Connection {config.conn_id!r}: the file of key_path, {config.key_path}, cannot be "
            f"read here ({reason}); it must exist on every worker; or use keyfile_dict.",
            conn_id=config.conn_id,
        ) from None


def _load_user(config: ConnectionConfig) -> tuple[Any, str | None]:
    import ee
    from google.oauth2.credentials import Credentials

    path = ee.oauth.get_credentials_path()
    try:
        arguments = ee.oauth.get_credentials_arguments()
    except (OSError, ValueError, AttributeError):
        arguments = {}
    if not arguments.get("refresh_token"):
        refuse(
            config.conn_id,
            f"auth is user, but {path} is missing or holds no refresh token; run `earthengine "
            "authenticate` as the user that runs the worker",
        )
    credentials = Credentials(None, **arguments)  # type: ignore[no-untyped-call]  # google-auth
    return credentials, arguments.get("quota_project_id")


def _load_application_default(config: ConnectionConfig) -> tuple[Any, str | None]:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        with warnings.catch_warnings():
            # google-auth advises `gcloud config set project`, which Earth Engine does not read.
            warnings.filterwarnings("ignore", ".*(No project ID|quota project).*")
            credentials, project = google.auth.default(scopes=SCOPES)
    except DefaultCredentialsError:
        raise ConnectionConfigError(
            f"Connection {config.conn_id!r}: no application default credentials were found; give "
            "it a service account's key (keyfile_dict or key_path), or run `gcloud auth "
            "application-default login` as the user that runs the worker.",
            conn_id=config.conn_id,
        ) from None
    return credentials, getattr(credentials, "quota_project_id", None) or project
