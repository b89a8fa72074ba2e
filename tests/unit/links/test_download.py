"""The buttons of a download's task: what the summary names, and nothing where it names nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider.earthengine.links.download import CatalogLink, ItemLink, ObjectLink
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from airflow_provider.earthengine.transfers.section_tasks import (
    FetchSectionOperator,
    PlanSectionsOperator,
    PublishSectionsOperator,
)

LINKS = {"item": "https://i/", "object": "https://o/", "catalog": "https://c/"}


@dataclass
class Ended:
    """What the links use of a task instance that has ended."""

    value: Any
    task_id: str = "download"
    map_index: int = 4

    def xcom_pull(self, *, key: str, task_ids: str, map_indexes: int) -> Any:
        assert (key, task_ids, map_indexes) == ("summary", "download", 4)
        return self.value


def links_of(value: Any) -> list[str]:
    ended: Any = Ended(value)
    operator: Any = None
    links = (ItemLink(), ObjectLink(), CatalogLink())
    return [each.get_link(operator, ti_key=ended) for each in links]


def test_each_button_leads_to_what_the_summary_names() -> None:
    assert links_of({"links": LINKS}) == ["https://i/", "https://o/", "https://c/"]


@pytest.mark.parametrize(
    "value",
    [None, {}, {"links": None}, {"links": {}}, {"links": ["x"]}, {"links": {"item": None}}, "x", 3],
)
def test_without_a_summary_there_is_no_address(value: Any) -> None:
    assert links_of(value) == ["", "", ""]


def test_the_tasks_that_publish_have_the_buttons() -> None:
    names = ["STAC item", "Object in S3", "Earth Engine catalog"]
    for operator in (EarthEngineToS3Operator, PublishSectionsOperator):
        assert [each.name for each in operator.operator_extra_links] == names
    for operator in (PlanSectionsOperator, FetchSectionOperator):
        assert operator.operator_extra_links == ()
