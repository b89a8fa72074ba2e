"""The buttons of a download's task: its item, its object, and its image in Earth Engine.

Airflow asks for them on the worker when the task ends, and keeps the answers in XCom.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


class _SummaryLink(BaseOperatorLink):
    """A link that the task's summary has under a name; without it, there is no button."""

    link: str

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address; "" if there is none.

        :param ti_key: the running task instance.
        """
        summary = ti_key.xcom_pull(
            key="summary", task_ids=ti_key.task_id, map_indexes=ti_key.map_index
        )
        links = summary.get("links") if isinstance(summary, Mapping) else None
        return str(links.get(self.link) or "") if isinstance(links, Mapping) else ""


class ItemLink(_SummaryLink):
    """The STAC item, in the object store's console or at its endpoint."""

    name = "STAC item"
    link = "item"


class ObjectLink(_SummaryLink):
    """The first raster in AWS's console."""

    name = "Object in S3"
    link = "object"


class CatalogLink(_SummaryLink):
    """The image or its collection in Earth Engine's catalog."""

    name = "Earth Engine catalog"
    link = "catalog"
