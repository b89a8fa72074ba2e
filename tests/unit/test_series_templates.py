"""The operators of series: their fields come out of templates as what was meant, all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider.earthengine.catalog.property_conditions import PropertyCondition
from airflow_provider.earthengine.catalog.read_query import read_query
from airflow_provider.earthengine.operators.drift import EarthEngineDriftOperator
from airflow_provider.earthengine.operators.list_due_markers import (
    EarthEngineListDueMarkersOperator,
)
from airflow_provider.earthengine.operators.list_images import EarthEngineListImagesOperator
from tests.support.airflow_task import task_context

BOX = [5, 43, 5.1, 43.1]
PARAMS = {"name": "x", "number": 7, "box": BOX, "filters": {"CLOUDS": {"lt": 20}}}
QUERY = ("collection", "start", "end", "region", "filters", "min_coverage_percent", "sort", "limit")


def rendered(operator_class: Any, native: bool, **fields: Any) -> Any:
    with DAG("a_dag", render_template_as_native_obj=native, schedule=None):
        operator = operator_class(task_id="task", **fields)
    operator.render_template_fields({**task_context(), "params": PARAMS, "ds": "2021-01-01"})
    return operator


@pytest.mark.parametrize("native", [False, True])
def test_a_query_out_of_templates_is_what_was_meant(native: bool) -> None:
    operator = rendered(
        EarthEngineListImagesOperator,
        native,
        collection="A/{{ params.name }}",
        start="{{ ds }}",
        end="{{ data_interval_end }}",
        region="{{ params.box | tojson }}",
        filters="{{ params.filters | tojson }}",
        min_coverage_percent="{{ params.number }}",
        sort="-{{ params.name }}",
        limit="{{ params.number }}",
    )
    query = read_query(**{field: getattr(operator, field) for field in QUERY})
    assert query.collection == "A/x"
    assert query.start == datetime(2021, 1, 1, tzinfo=UTC)
    assert query.end == task_context()["data_interval_end"]
    assert query.region == BOX
    assert query.conditions == (PropertyCondition("CLOUDS", "lt", 20),)
    assert (query.min_coverage_percent, query.sort, query.limit) == (7, "-x", 7)


@pytest.mark.parametrize(
    ("operator_class", "needed"),
    [
        (EarthEngineListImagesOperator, {"collection": "A"}),
        (EarthEngineListDueMarkersOperator, {"s3_bucket": "b"}),
        (EarthEngineDriftOperator, {"s3_bucket": "b"}),
    ],
)
def test_every_field_is_a_template_and_none_is_read_as_a_file(
    operator_class: Any, needed: dict[str, Any]
) -> None:
    for field in operator_class.template_fields:
        operator = rendered(operator_class, False, **{**needed, field: "{{ params.name }}.json"})
        assert getattr(operator, field) == "x.json"
