"""An image collection -> its images as download fields, to expand a task over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.catalog.listing import IMAGE, list_downloads, read_by
from airflow_provider.earthengine.catalog.prefix_pattern import PrefixPattern, read_prefix_pattern
from airflow_provider.earthengine.catalog.read_query import check_query
from airflow_provider.earthengine.download.fields.literals import is_literal
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.one_line import one_line
from airflow_provider.earthengine.task.outcome import check_map_length, failing_for_good
from airflow_provider.earthengine.task.query_fields import QueryFields

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class EarthEngineListImagesOperator(QueryFields):
    """List the images of a collection, as downloads to expand ``EarthEngineToS3Operator`` over.

    ::

        images = EarthEngineListImagesOperator(task_id="list", collection=..., region=...)
        EarthEngineToS3Operator.partial(
            task_id="download",
            map_index_template="{{ task.source.name }}",
            download_params=...,
            s3_bucket=...,
        ).expand_kwargs(images.output)

    Returns a dict per download: ``image``, its asset id or, by date, the program of the mosaic;
    ``source`` with ``name``, ``start_time``, ``update_time`` and ``images`` (asset ids with
    versions), and by date ``end_time``; ``s3_prefix``, if it is set here. If there are no images,
    the list is empty and the downloads are skipped.

    :param collection: the asset id of an image collection. (templated)
    :param start: images start at or after it; None: the start of the run's data interval.
        (templated)
    :param end: images start before it; None: the end of the run's data interval. (templated)
    :param region: images intersect it: GeoJSON, [west, south, east, north], a ring, or the asset id
        of a table. (templated)
    :param filters: conditions on properties, for example
        ``{"CLOUDY_PIXEL_PERCENTAGE": {"lt": 20}, "MGRS_TILE": "10SEG"}``: a value, a list of
        values, or a dict of eq, neq, lt, lte, gt, gte, in. (templated)
    :param min_coverage_percent: how much of the region the outline of an image must cover; by
        date, the outlines of all its images together. (templated)
    :param sort: the property to sort by, descending with "-" before it; by date, the last image is
        on top. Default: the time. (templated)
    :param limit: the maximum number of images or dates. (templated)
    :param by: "image", or "date": a mosaic of all images that start on the date in UTC. (templated)
    :param s3_prefix: where the downloads go; it may hold %Y, %m, %d, %j and %H of the image's
        time. None: it is not among the returned fields. (templated)
    :param earthengine_conn_id: the Earth Engine connection. (templated)
    """

    template_fields: Sequence[str] = (
        *QueryFields.query_template_fields,
        "sort",
        "limit",
        "by",
        "s3_prefix",
    )
    checked_fields = (*QueryFields.query_checked_fields, "sort", "limit", "by", "s3_prefix")
    required_fields = ("collection",)

    def __init__(
        self,
        *,
        collection: str,
        sort: str | None = None,
        limit: int | str | None = None,
        by: str = IMAGE,
        s3_prefix: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(collection=collection, **kwargs)
        self.sort = sort
        self.limit = limit
        self.by = by
        self.s3_prefix = s3_prefix
        self.check_literals()

    @classmethod
    def check_fields(cls, fields: Mapping[str, Any]) -> None:
        """Raise if a literal can never be right."""
        check_query(fields)
        if "by" in fields and is_literal(fields["by"]):
            read_by(fields["by"])
        prefix = fields.get("s3_prefix")
        if prefix is not None and is_literal(prefix):
            read_prefix_pattern(prefix)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the downloads."""
        with failing_for_good(), EarthEngineHook(self.earthengine_conn_id) as hook:
            by, prefix = read_by(self.by), self._read_prefix()
            query = self.read_query(context, sort=self.sort, limit=self.limit)
            downloads, warnings = list_downloads(hook, query, by)
            for warning in warnings:
                self.log.warning("%s", one_line(warning))
            self.log.info(
                "Found %d downloads of %s by %s, from %s to %s",
                len(downloads), query.collection, by, query.start, query.end,
            )  # fmt: skip
            check_map_length(len(downloads))
            return [download.to_fields(prefix) for download in downloads]

    def _read_prefix(self) -> PrefixPattern | None:
        return None if self.s3_prefix is None else read_prefix_pattern(self.s3_prefix)
