"""The fields of operators and sensors that query the images of a collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider.earthengine.catalog.read_query import read_query
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.task.parse_time import ParseTimeChecks
from airflow_provider.earthengine.task.run import window_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider.earthengine.catalog.image_query import ImageQuery


class QueryFields(ParseTimeChecks):
    """Base of operators and sensors with the fields of a query.

    It is an operator so that Airflow applies ``default_args`` and ``partial`` to these fields as to
    any others.
    """

    query_template_fields: ClassVar[Sequence[str]] = (
        "collection",
        "start",
        "end",
        "region",
        "filters",
        "min_coverage_percent",
        "earthengine_conn_id",
    )
    query_checked_fields: ClassVar[Sequence[str]] = (
        "collection",
        "start",
        "end",
        "region",
        "filters",
        "min_coverage_percent",
    )
    # Empty, because templated text that ends in one of these suffixes would be read as a file.
    template_ext: Sequence[str] = ()
    template_fields_renderers: ClassVar[dict[str, str]] = {"region": "json", "filters": "json"}
    ui_color = "#dff0d8"

    def __init__(
        self,
        *,
        collection: str | None = None,
        start: Any = None,
        end: Any = None,
        region: Any = None,
        filters: Mapping[str, Any] | str | None = None,
        min_coverage_percent: float | str | None = None,
        earthengine_conn_id: str = EarthEngineHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.collection = collection
        self.start = start
        self.end = end
        self.region = region
        self.filters = filters
        self.min_coverage_percent = min_coverage_percent
        self.earthengine_conn_id = earthengine_conn_id

    def read_query(self, context: Context, *, sort: Any = None, limit: Any = None) -> ImageQuery:
        """Return the query that the rendered fields describe.

        :raises DownloadParamsError: if a field is invalid.
        """
        start, end = window_of(self.start, self.end, context)
        return read_query(
            collection=self.collection,
            start=start,
            end=end,
            region=self.region,
            filters=self.filters,
            min_coverage_percent=self.min_coverage_percent,
            sort=sort,
            limit=limit,
        )
