"""The button "Test" of a connection: one small computation, and advice when it fails."""

from __future__ import annotations

from typing import Any

from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.transport.answers import reading_answer
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    EarthEngineProviderError,
    FetchTimeoutError,
    RequestRejectedError,
    ServiceUnavailableError,
)
from airflow_provider.earthengine.hooks.translation import translated


def compute_one(client: Any) -> None:
    """Let Earth Engine compute the number 1.

    :param client: the ``ee`` module.
    :raises EarthEngineProviderError: if it does not.
    """
    with translated("compute the number 1", refused=RequestRejectedError):
        answer = client.data.computeValue(client.Number(1))
    with reading_answer("the number 1"):
        Foreign(answer).whole(least=1, most=1)


def advice(error: EarthEngineProviderError) -> str:
    """Return what to do about an error, to follow its text; empty if that says it."""
    if isinstance(error, AccessDeniedError) and error.facts.get("status") == 403:
        return (
            " Check the project id, register the project for Earth Engine, and grant the account "
            "roles/earthengine.viewer and roles/serviceusage.serviceUsageConsumer on it."
        )
    if isinstance(error, ServiceUnavailableError | FetchTimeoutError):
        return " Check endpoint_url, proxies and firewalls, and whether the service is up."
    return ""
