"""A prepared expression -> its value, requested with google-auth and without ``ee``.

For the triggerer, where many waits share one process and ``ee`` can have only one session. Nothing
is retried here.
"""

from __future__ import annotations

import json
from typing import Any

from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.transport.answers import (
    error_for_answer,
    read_google_error,
    retry_after_seconds,
)
from airflow_provider.earthengine.download.transport.redaction import install_secrets_filter
from airflow_provider.earthengine.exceptions import (
    ConnectionConfigError,
    RequestRejectedError,
    ServiceUnavailableError,
)
from airflow_provider.earthengine.hooks.connection_config import ConnectionConfig
from airflow_provider.earthengine.hooks.credentials import Login, load_login_unchecked
from airflow_provider.earthengine.hooks.translation import translated
from airflow_provider.earthengine.hooks.transport import Transport


class ExpressionClient:
    """Compute expressions for one connection; its methods block, so call them in threads."""

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config
        self._login: Login | None = None
        self._transport: Transport | None = None

    def compute(self, expression: str, action: str, deadline_seconds: float) -> Any:
        """Return the value of an expression.

        :param expression: the output of ``ee.ComputedObject.serialize(for_cloud_api=True)``.
        :param action: what it does, to follow "Earth Engine could not".
        :param deadline_seconds: the longest silence of the server while it computes.
        :raises EarthEngineProviderError: if the computation fails.
        """
        install_secrets_filter()
        with translated(action, refused=ConnectionConfigError):
            # Kept: a token is valid for an hour of requests.
            login = self._login = self._login or load_login_unchecked(self._config)
        # Not kept: requests are minutes apart, and networks drop idle connections.
        transport = self._transport = Transport(self._config.endpoint_url, deadline_seconds)
        try:
            with translated(action, refused=RequestRejectedError):
                answer, content = self._post(login, transport, expression)
        finally:
            transport.close()
        return _read_value(answer, content, action)

    def interrupt(self) -> None:
        """Interrupt the request in flight in another thread."""
        transport = self._transport
        if transport is not None:
            transport.interrupt()

    def _post(self, login: Login, transport: Transport, expression: str) -> tuple[Any, bytes]:
        import google_auth_httplib2

        # Source: https://developers.google.com/earth-engine/reference/rest/v1/projects.value/compute,
        # read 2025-08.
        url = f"{self._config.endpoint_url}/v1/projects/{login.project}/value:compute"
        headers = {
            "content-type": "application/json",
            # The project whose quota is used, sent as by the official client.
            "x-goog-user-project": login.project,
        }
        http = google_auth_httplib2.AuthorizedHttp(login.credentials, http=transport)
        body = f'{{"expression": {expression}}}'.encode()
        answer, content = http.request(url, "POST", body=body, headers=headers)
        return answer, content


def _read_value(answer: Any, content: bytes, action: str) -> Any:
    if answer.status != 200:
        message, reason = read_google_error(content)
        raise error_for_answer(
            action=action,
            status=int(answer.status),
            message=message or str(answer.reason or ""),
            reason=reason,
            retry_after_seconds=retry_after_seconds(answer.get("retry-after")),
        )
    try:
        body = json.loads(content)
        return Foreign(body).fields()["result"]
    except (ValueError, KeyError, RecursionError):
        raise ServiceUnavailableError(
            f"Earth Engine could not {action}: the answer does not come from Earth Engine; if this "
            "persists, check endpoint_url in the connection's extra, and proxies."
        ) from None
