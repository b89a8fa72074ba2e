"""An Earth Engine connection -> the client of a trigger; its secrets are masked in logs."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider.earthengine.exceptions import ConnectionConfigError
from airflow_provider.earthengine.hooks.computation import ExpressionClient
from airflow_provider.earthengine.hooks.connection_config import read_connection
from airflow_provider.earthengine.hooks.keys import secrets_of


async def open_expression_client(conn_id: str) -> ExpressionClient:
    """Return the client of a connection.

    :raises ConnectionConfigError: if the connection does not exist, or is not complete.
    """
    try:
        connection = await BaseHook.aget_connection(conn_id)
    except AirflowNotFoundException:
        raise ConnectionConfigError(
            f"The connection {conn_id!r} does not exist; create it."
        ) from None
    config = read_connection(conn_id, connection)
    if config.key_text:
        await _mask(secrets_of(json.loads(config.key_text, strict=False)))
    return ExpressionClient(config)


async def _mask(secrets: Iterator[str]) -> None:
    # Airflow 3.1 has no such function; there, only its own masking of the extra applies.
    mask: Any = getattr(importlib.import_module("airflow.sdk.log"), "amask_secret", None)
    for secret in secrets if mask else ():
        await mask(secret)
