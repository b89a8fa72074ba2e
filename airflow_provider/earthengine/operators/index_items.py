"""Items below a prefix -> an index of them, a table in GeoParquet."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.download.fields.destination import read_bucket_name, read_prefix
from airflow_provider.earthengine.download.fields.index_key import read_index_key
from airflow_provider.earthengine.download.fields.literals import is_literal
from airflow_provider.earthengine.download.fields.values import read_boolean
from airflow_provider.earthengine.hooks.s3 import open_bucket
from airflow_provider.earthengine.task.outcome import failing_for_good
from airflow_provider.earthengine.task.parse_time import ParseTimeChecks

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class EarthEngineIndexOperator(ParseTimeChecks):
    """Write the STAC GeoParquet index of the items below a prefix; return its URI.

    Only items that are new or have changed since the last time are read. It needs the extra
    ``index``.

    :param s3_bucket: the bucket. (templated)
    :param s3_prefix: the prefix of the items. (templated)
    :param s3_key: the key of the index; None: ``<s3_prefix>/items.parquet``. (templated)
    :param anew: read all items again. (templated)
    :param aws_conn_id: the AWS connection. (templated)
    """

    template_fields: Sequence[str] = ("s3_bucket", "s3_prefix", "s3_key", "anew", "aws_conn_id")
    checked_fields = ("s3_bucket", "s3_prefix", "s3_key", "anew")
    required_fields = ("s3_bucket",)

    def __init__(
        self,
        *,
        s3_bucket: str,
        s3_prefix: str = "",
        s3_key: str | None = None,
        anew: bool | str = False,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.s3_bucket = s3_bucket
        self.s3_prefix = s3_prefix
        self.s3_key = s3_key
        self.anew = anew
        self.aws_conn_id = aws_conn_id
        self.check_literals()

    @classmethod
    def check_fields(cls, fields: Mapping[str, Any]) -> None:
        """Raise if a literal can never be right."""
        literals = {name: value for name, value in fields.items() if is_literal(value)}
        if "s3_bucket" in literals:
            read_bucket_name(literals["s3_bucket"])
        if "s3_prefix" in literals:
            read_prefix(literals["s3_prefix"])
        if "s3_key" in literals:
            read_index_key(literals["s3_key"], "")
        if "anew" in literals:
            read_boolean("anew", literals["anew"])

    def execute(self, context: Context) -> str:
        """Return the URI of the index."""
        with failing_for_good():
            from airflow_provider.earthengine.download.collection.index import (
                IndexStore,
                index_items,
            )

            prefix, name = read_prefix(self.s3_prefix), read_bucket_name(self.s3_bucket)
            key = read_index_key(self.s3_key, prefix)
            anew = read_boolean("anew", self.anew)
            with closing(open_bucket(self.aws_conn_id, name)) as bucket:
                index = index_items(IndexStore(bucket, prefix, key, time.sleep), anew=anew)
        self.log.info(
            "%s has %d items, %d of them read now", index.uri, index.item_count, index.read_count
        )
        return index.uri
