"""The key of the index of a prefix."""

from __future__ import annotations

from typing import Any

from airflow_provider.earthengine.download.fields.values import is_unset, read_key_prefix, shown
from airflow_provider.earthengine.exceptions import DownloadParamsError

INDEX_NAME = "items.parquet"
"""The last part of an index's key, unless another is given."""


def read_index_key(value: Any, prefix: str) -> str:
    """Return the key of the index.

    :param value: None: :data:`INDEX_NAME` below the prefix of the items.
    :raises DownloadParamsError: if the value cannot be the key of a Parquet file.
    """
    if is_unset(value):
        return f"{prefix}/{INDEX_NAME}" if prefix else INDEX_NAME
    key = read_key_prefix("s3_key", value)
    if not key.endswith(".parquet"):
        raise DownloadParamsError(
            f"s3_key is {shown(value)}; write the whole key of the index, which ends with "
            ".parquet.",
            field="s3_key",
        )
    return key
