"""A connection's configuration -> Google credentials, and the project whose quota they use.

This module reads files but sends nothing, so whether the credentials are valid shows at first use.
The one exception is ``google.auth.default``, which may query the metadata server of the machine.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.hooks.connection_config import (
    ANONYMOUS,
    APPLICATION_DEFAULT,
    KEY_FILE,
    PROJECT,
    USER,
    ConnectionConfig,
)
from airflow_provider.earthengine.hooks.connection_errors import refuse
from airflow_provider.earthengine.hooks.keys import (
    AUTHORIZED_USER,
    SERVICE_ACCOUNT,
    read_key,
)

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
# Each is enough for every call of this package; ee.oauth.SCOPES adds Drive and Cloud Storage.
# Source: https://developers.google.com/earth-engine/reference/rest/v1/projects.thumbnails/create,
# "Authorization scopes", read 2025-08.
SCOPES = ("https://www.googleapis.com/auth/earthengine", CLOUD_PLATFORM)
# A refresh token grants only the scopes that its owner agreed to: `gcloud auth application-default
# login` and `earthengine authenticate` both request this one. Source:
# https://cloud.google.com/sdk/gcloud/reference/auth/application-default/login, read 2025-08.
USER_SCOPES = (CLOUD_PLATFORM,)

_TOKEN_URI = "https://oauth2.googleapis.com/token"
_AWS_TOKEN_TYPE = "urn:ietf:params:aws:token-type:aws4_request"
# Source: https://cloud.google.com/iam/docs/service-account-types#user-managed, read 2025-08.
_PROJECT_OF_ACCOUNT = re.compile(r"@([a-z][a-z0-9-]*)\.iam\.gserviceaccount\.com(?![\w.-])")


@dataclass(frozen=True)
class Login:
    """Credentials, and the project whose quota they use.

    :param credentials: a ``google.auth.credentials.Credentials``.
    """

    credentials: Any = field(repr=False)
    project: str


def load_login(config: ConnectionConfig) -> Login:
    """Return the credentials and the project of a connection.

    :raises ConnectionConfigError: if there are no credentials, or no project that can be used.
    """
    import ee

    login = load_login_unchecked(config)
    if ee.oauth.is_sdk_project(login.project):
        refuse(
            config.conn_id,
            f"project {login.project} belongs to a Google SDK and is not registered for Earth "
            "Engine; set project in its extra to one of your own",
        )
    return login


def load_login_unchecked(config: ConnectionConfig) -> Login:
    """Return the same without importing ``ee`` for its check of projects, unless auth is user.

    :raises ConnectionConfigError: if there are no credentials, or no project.
    """
    load = {
        ANONYMOUS: _load_anonymous,
        USER: _load_user,
        APPLICATION_DEFAULT: _load_application_default,
    }.get(config.auth, _load_key)
    if config.impersonation_chain:
        # The scopes are for the impersonated account; the impersonating one needs its defaults.
        source, _ = load(replace(config, scopes=()))
        credentials, of_credentials = _impersonate(config, source)
    else:
        credentials, of_credentials = load(config)
    # That of the credentials comes from a file, and may be anything.
    project: Any = config.project or of_credentials
    if project is not None and not (isinstance(project, str) and PROJECT.fullmatch(project)):
        refuse(
            config.conn_id,
            "its key names a project that is no project's id; set project in its extra",
        )
    if not project:
        refuse(
            config.conn_id,
            "neither it nor its credentials name a project; set project in its extra",
        )
    return Login(credentials, project)


def _load_anonymous(_config: ConnectionConfig) -> tuple[Any, str | None]:
    from google.auth.credentials import AnonymousCredentials

    return AnonymousCredentials(), None  # type: ignore[no-untyped-call]  # google-auth


def _load_key(config: ConnectionConfig) -> tuple[Any, str | None]:
    name, text = "its key", config.key_text
    if text is None:
        name, text = f"the key file {config.key_path}", _read_key_file(config)
    key = read_key(config.conn_id, name, text, None if config.auth == KEY_FILE else config.auth)
    if key["type"] == SERVICE_ACCOUNT:
        return _load_service_account(config, name, key)
    if key["type"] == AUTHORIZED_USER:
        return _load_authorized_user(config, key)
    return _load_external_account(config, name, key)


def _read_key_file(config: ConnectionConfig) -> str:
    try:
        return Path(str(config.key_path)).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        refuse(
            config.conn_id,
            f"the key file {config.key_path} cannot be read here ({reason}); copy it to every "
            "worker, or use keyfile_dict",
        )


def _load_service_account(
    config: ConnectionConfig, name: str, key: dict[str, Any]
) -> tuple[Any, str | None]:
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import service_account

    try:
        credentials = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]  # google-auth annotates little
            key, scopes=config.scopes or SCOPES
        )
    except (ValueError, GoogleAuthError):
        refuse(
            config.conn_id,
            f"the private_key of {name} cannot be read; use the whole key file, unchanged",
        )
    return credentials, key.get("project_id")


def _load_authorized_user(config: ConnectionConfig, key: dict[str, Any]) -> tuple[Any, str | None]:
    from google.oauth2.credentials import Credentials

    # Not from_authorized_user_info, which always uses Google's own token_uri.
    credentials = Credentials(  # type: ignore[no-untyped-call]  # google-auth
        None,
        refresh_token=key["refresh_token"],
        client_id=key["client_id"],
        client_secret=key["client_secret"],
        token_uri=key.get("token_uri") or _TOKEN_URI,
        scopes=config.scopes or USER_SCOPES,
    )
    return credentials, key.get("quota_project_id")


def _load_external_account(
    config: ConnectionConfig, name: str, key: dict[str, Any]
) -> tuple[Any, str | None]:
    from google.auth import aws, identity_pool
    from google.auth.exceptions import GoogleAuthError

    kind = aws if key["subject_token_type"] == _AWS_TOKEN_TYPE else identity_pool
    try:
        credentials = kind.Credentials.from_info(key, scopes=config.scopes or SCOPES)
    except (ValueError, GoogleAuthError) as error:
        refuse(
            config.conn_id, f"{name} cannot be used ({error}); create the file again with gcloud"
        )
    # Its own get_project_id would query cloudresourcemanager.googleapis.com.
    impersonated = key.get("service_account_impersonation_url") or ""
    return credentials, key.get("quota_project_id") or _project_of_account(impersonated)


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
    if config.scopes:
        arguments["scopes"] = config.scopes
    credentials = Credentials(None, **arguments)  # type: ignore[no-untyped-call]  # google-auth
    return credentials, arguments.get("quota_project_id")


def _load_application_default(config: ConnectionConfig) -> tuple[Any, str | None]:
    import google.auth
    from google.auth.credentials import with_scopes_if_required
    from google.auth.exceptions import DefaultCredentialsError

    try:
        with warnings.catch_warnings():
            # google-auth advises `gcloud config set project`, which Earth Engine does not read.
            warnings.filterwarnings("ignore", ".*(No project ID|quota project).*")
            # Without scopes: with them, it queries cloudresourcemanager.googleapis.com for the
            # project of a federated identity, over its own transport.
            credentials, project = google.auth.default()
    except DefaultCredentialsError:
        refuse(
            config.conn_id,
            "application default credentials were not found or cannot be used; set a key "
            "(keyfile_dict or key_path), or run `gcloud auth application-default login` as the "
            "user that runs the worker",
        )
    scoped = with_scopes_if_required(credentials, config.scopes or SCOPES)  # type: ignore[no-untyped-call]  # google-auth
    return scoped, getattr(credentials, "quota_project_id", None) or project


def _impersonate(config: ConnectionConfig, source: Any) -> tuple[Any, str | None]:
    from google.auth import impersonated_credentials

    *delegates, target = config.impersonation_chain
    # Source: https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken,
    # read 2025-08; also for the form of the delegates.
    url = f"{config.iam_endpoint_url}/v1/projects/-/serviceAccounts/{target}:generateAccessToken"
    credentials = impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]  # google-auth
        source_credentials=source,
        target_principal=target,
        target_scopes=config.scopes or SCOPES,
        delegates=[f"projects/-/serviceAccounts/{email}" for email in delegates] or None,
        iam_endpoint_override=url,
    )
    return credentials, _project_of_account(target)


def _project_of_account(text: str) -> str | None:
    """Return the project in a service account's e-mail, or None if it holds none."""
    found = _PROJECT_OF_ACCOUNT.search(text)
    return found.group(1) if found else None
