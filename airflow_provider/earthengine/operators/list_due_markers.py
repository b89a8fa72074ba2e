"""Markers below a prefix -> the empty dates whose next check is due, as download fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.download.fields.destination import read_bucket_name, read_prefix
from airflow_provider.earthengine.download.fields.literals import is_literal
from airflow_provider.earthengine.hooks.s3 import open_bucket
from airflow_provider.earthengine.task.outcome import check_map_length, failing_for_good
from airflow_provider.earthengine.task.parse_time import ParseTimeChecks

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class EarthEngineListDueMarkersOperator(ParseTimeChecks):
    """List the empty dates that are due, as downloads to expand ``EarthEngineToS3Operator`` over.

    ``on_empty="mark"`` writes the markers. Returns ``image``, ``s3_prefix`` and ``source`` for each
    marker that is due; the ``name`` in ``source`` is the base of the download. Everything else
    belongs in ``.partial``, unchanged since the date was marked. Sends Earth Engine no request.

    :param s3_bucket: the bucket. (templated)
    :param s3_prefix: the prefix of the markers. (templated)
    :param aws_conn_id: the AWS connection. (templated)
    """

    template_fields: Sequence[str] = ("s3_bucket", "s3_prefix", "aws_conn_id")
    ui_color = "#dff0d8"
    checked_fields = ("s3_bucket", "s3_prefix")
    required_fields = ("s3_bucket",)

    def __init__(
        self,
        *,
        s3_bucket: str,
        s3_prefix: str = "",
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.s3_bucket = s3_bucket
        self.s3_prefix = s3_prefix
        self.aws_conn_id = aws_conn_id
        self.check_literals()

    @classmethod
    def check_fields(cls, fields: Mapping[str, Any]) -> None:
        """Raise if a literal can never be right."""
        for name, read in (("s3_bucket", read_bucket_name), ("s3_prefix", read_prefix)):
            if name in fields and is_literal(fields[name]):
                read(fields[name])

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the downloads."""
        from airflow_provider.earthengine.download.publish.markers import list_due_markers

        with failing_for_good():
            name, prefix = read_bucket_name(self.s3_bucket), read_prefix(self.s3_prefix)
            with closing(open_bucket(self.aws_conn_id, name)) as bucket:
                due = list_due_markers(bucket, prefix, datetime.now(UTC))
            self.log.info(
                "%d empty dates below s3://%s/%s are due for a check", len(due), name, prefix
            )
            check_map_length(len(due))
            return [marker.to_fields() for marker in due]
