"""A group in a DAG: its tasks, their fields and order, and what is refused while it is parsed."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG, TaskGroup
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_provider.earthengine.task.parse_time import LiteralFieldError
from airflow_provider.earthengine.transfers.earthengine_to_s3_group import earthengine_to_s3_group

FIELDS: dict[str, Any] = {
    "image": "A/{{ ds }}", "download_params": {"scale": 10}, "s3_bucket": "demo"
}  # fmt: skip


def make(**changes: Any) -> DAG:
    with DAG("a_dag", schedule=None) as dag:
        earthengine_to_s3_group("download", **{**FIELDS, **changes})
    return dag


def test_a_group_is_three_tasks_in_order() -> None:
    dag = make()
    plan, fetch, publish = (
        dag.get_task(f"download.{name}") for name in ("plan", "fetch", "publish")
    )
    assert isinstance(fetch, MappedOperator)
    assert fetch.upstream_task_ids == {plan.task_id}
    assert publish.upstream_task_ids == {plan.task_id, fetch.task_id}
    assert publish.trigger_rule == "none_failed_min_one_success"


def test_every_task_has_the_fields_and_its_own_arguments() -> None:
    dag = make(task_args={"retries": 7}, fetch_args={"pool": "earthengine"})
    plan, publish = dag.get_task("download.plan"), dag.get_task("download.publish")
    fetch: Any = dag.get_task("download.fetch")
    assert [task.retries for task in (plan, fetch, publish)] == [7, 7, 7]
    assert [task.pool for task in (plan, fetch, publish)] == [
        "default_pool", "earthengine", "default_pool",
    ]  # fmt: skip
    for name, value in FIELDS.items():
        assert getattr(plan, name) == getattr(publish, name) == fetch.partial_kwargs[name] == value


def test_a_group_may_be_inside_another() -> None:
    with DAG("a_dag", schedule=None) as dag, TaskGroup("outer"):
        earthengine_to_s3_group("inner", **FIELDS)
    assert set(dag.task_ids) == {f"outer.inner.{name}" for name in ("plan", "fetch", "publish")}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"layout": "zip", "download_params": {"scale": 10, "format": "ZIPPED_GEO_TIFF"}},
         "layout is 'zip', but only layout 'cog'"),
        ({"layout": "coq"}, "layout is 'coq'"),
        ({"section_requests": 0}, "section_requests is 0"),
        ({"section_requests": 1.5}, "section_requests is 1.5"),
        ({"section_requests": None}, "section_requests is None"),
        ({"s3_bucket": "s3://demo"}, "write only the bucket's name"),
        ({"limits": {"max_request": 1}}, "did you mean max_requests"),
    ],
)  # fmt: skip
def test_a_literal_that_can_never_be_right_is_an_import_error(
    wrong: dict[str, Any], named: str
) -> None:
    with pytest.raises(LiteralFieldError, match=named):
        make(**wrong)


@pytest.mark.parametrize("section_requests", ["{{ params.it }}", "64", 64])
def test_a_template_is_left_alone(section_requests: Any) -> None:
    make(section_requests=section_requests)
