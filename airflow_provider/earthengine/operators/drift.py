"""Items below a prefix -> the downloads whose source has changed in Earth Engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.catalog.listing import DATE, IMAGE, list_downloads, read_by
from airflow_provider.earthengine.catalog.prefix_pattern import PrefixPattern, read_prefix_pattern
from airflow_provider.earthengine.catalog.read_query import check_query
from airflow_provider.earthengine.catalog.versions import present_versions
from airflow_provider.earthengine.download.fields.destination import read_bucket_name, read_prefix
from airflow_provider.earthengine.download.fields.literals import is_literal
from airflow_provider.earthengine.download.fields.templates import check_no_template
from airflow_provider.earthengine.download.fields.values import is_unset, shown_names
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.hooks.s3 import open_bucket
from airflow_provider.earthengine.one_line import one_line
from airflow_provider.earthengine.task.outcome import check_map_length, failing_for_good
from airflow_provider.earthengine.task.query_fields import QueryFields

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider.earthengine.catalog.drift import Drift, RecordedDownload
    from airflow_provider.earthengine.catalog.listed_downloads import ListedDownload


class EarthEngineDriftOperator(QueryFields):
    """Compare the items below a prefix with the catalog, and list what to download again.

    Returns downloads to expand ``EarthEngineToS3Operator`` over: those whose source was reprocessed
    since it was downloaded and, with a collection, those that are new: ``image``, ``source``,
    ``s3_prefix`` and ``if_exists="replace"``; everything else belongs in ``.partial``. A source
    that has vanished cannot be downloaded: it is logged, and its item's URI and asset ids are
    pushed under the XCom key ``vanished``.

    Only items of images, and of the mosaics that ``EarthEngineListImagesOperator`` lists by date,
    are compared; other computed images are not.

    :param s3_bucket: the bucket. (templated)
    :param s3_prefix: the prefix of the items to compare; it may hold %Y, %m, %d, %j and %H for the
        time of new images: all items below the folders before these are compared. (templated)
    :param collection: an image collection that should be downloaded completely; None: do not look
        for new images. (templated)
    :param start: images start at or after it; None: the start of the run's data interval.
        (templated)
    :param end: images start before it; None: the end of the run's data interval. (templated)
    :param region: as in ``EarthEngineListImagesOperator``. (templated)
    :param filters: as in ``EarthEngineListImagesOperator``. (templated)
    :param min_coverage_percent: as in ``EarthEngineListImagesOperator``. (templated)
    :param by: "image" or "date", as they were listed. (templated)
    :param earthengine_conn_id: the Earth Engine connection. (templated)
    :param aws_conn_id: the AWS connection. (templated)
    """

    template_fields: Sequence[str] = (
        *QueryFields.query_template_fields,
        "s3_bucket",
        "s3_prefix",
        "by",
        "aws_conn_id",
    )
    checked_fields = (*QueryFields.query_checked_fields, "s3_bucket", "s3_prefix", "by")
    required_fields = ("s3_bucket",)

    def __init__(
        self,
        *,
        s3_bucket: str,
        s3_prefix: str = "",
        by: str = IMAGE,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.s3_bucket = s3_bucket
        self.s3_prefix = s3_prefix
        self.by = by
        self.aws_conn_id = aws_conn_id
        self.check_literals()

    @classmethod
    def check_fields(cls, fields: Mapping[str, Any]) -> None:
        """Raise if a literal can never be right."""
        literals = {name: value for name, value in fields.items() if is_literal(value)}
        has_collection = not is_unset(literals.get("collection"))
        check_query({k: v for k, v in fields.items() if k != "collection" or has_collection})
        if "s3_bucket" in literals:
            read_bucket_name(literals["s3_bucket"])
        if "s3_prefix" in literals:
            read_prefix_pattern(literals["s3_prefix"])
        if "by" in literals:
            read_by(literals["by"])

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the downloads."""
        from airflow_provider.earthengine.catalog.drift import find_drift

        with failing_for_good(), EarthEngineHook(self.earthengine_conn_id) as hook:
            by, pattern = read_by(self.by), read_prefix_pattern(self.s3_prefix)
            recorded = self._read_recorded(read_prefix(pattern.fixed))
            present = self._list_present(hook, by, context)
            asset_ids = {asset_id for each in recorded for asset_id in each.asset_ids}
            versions = present_versions(hook, asset_ids)
            drift = find_drift(recorded, versions, present, by_date=by == DATE)
            self._report(drift, len(recorded))
            context["ti"].xcom_push(key="vanished", value=self._describe(drift.vanished))
            downloads = _to_fields(drift, pattern)
            check_map_length(len(downloads))
            return downloads

    def _read_recorded(self, prefix: str) -> list[RecordedDownload]:
        from airflow_provider.earthengine.catalog.drift import read_recorded

        name = read_bucket_name(self.s3_bucket)
        with closing(open_bucket(self.aws_conn_id, name)) as bucket:
            recorded, without_source = read_recorded(bucket, prefix)
        if without_source:
            self.log.info("Skipped %d items of computed images", without_source)
        return recorded

    def _list_present(
        self, hook: EarthEngineHook, by: str, context: Context
    ) -> list[ListedDownload] | None:
        if is_unset(self.collection):
            return None
        query = self.read_query(context)
        present, warnings = list_downloads(hook, query, by)
        for warning in warnings:
            self.log.warning("%s", one_line(warning))
        return present

    def _report(self, drift: Drift, compared: int) -> None:
        self.log.info(
            "Compared %d items: the sources of %d changed, those of %d vanished; %d images are new",
            compared, len(drift.changed), len(drift.vanished), len(drift.appeared),
        )  # fmt: skip
        for gone in drift.vanished:
            self.log.warning(
                "The source of s3://%s/%s vanished: %s",
                self.s3_bucket, one_line(gone.item_key), shown_names(sorted(gone.asset_ids)),
            )  # fmt: skip

    def _describe(self, vanished: Iterable[RecordedDownload]) -> list[dict[str, Any]]:
        return [
            {"item": f"s3://{self.s3_bucket}/{gone.item_key}", "asset_ids": sorted(gone.asset_ids)}
            for gone in vanished
        ]


def _to_fields(drift: Drift, pattern: PrefixPattern) -> list[dict[str, Any]]:
    changed = [
        {**each.to_fields(), "s3_prefix": check_no_template(prefix)}
        for prefix, each in drift.changed
    ]
    appeared = [each.to_fields(pattern) for each in drift.appeared]
    return [{**fields, "if_exists": "replace"} for fields in (*changed, *appeared)]
