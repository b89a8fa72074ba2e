"""Earth Engine -> S3 by many workers: a group of tasks that fetch one raster in sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import TaskGroup, TriggerRule

from airflow_provider.earthengine.transfers.section_tasks import (
    FETCH,
    PLAN,
    PUBLISH,
    FetchSectionOperator,
    PlanSectionsOperator,
    PublishSectionsOperator,
)

SECTION_REQUESTS = 64


def earthengine_to_s3_group(
    group_id: str,
    *,
    section_requests: int | str = SECTION_REQUESTS,
    task_args: Mapping[str, Any] | None = None,
    fetch_args: Mapping[str, Any] | None = None,
    **fields: Any,
) -> TaskGroup:
    """Return a group of tasks that download an image as :class:`EarthEngineToS3Operator` does.

    ``plan`` cuts the raster into sections, ``fetch`` is expanded over them, on as many workers as
    there are slots, and ``publish`` puts them together. Pixels, metadata and fingerprint are those
    of the operator, and each finds what the other has published. The URIs are what the task
    ``publish`` returns: ``group.get_child_by_label("publish").output``.

    Only for layout "cog". A download of a single section is left to ``publish``, and a group cannot
    be expanded: ``fetch`` already is.

    :param group_id: the prefix of the tasks' ids.
    :param section_requests: the most requests of a section: more sections spread further, and each
        costs Airflow a task. (templated)
    :param task_args: arguments of all three tasks, for example ``{"retries": 3}``.
    :param fetch_args: arguments of the tasks that fetch, for example ``{"pool": "earthengine"}``.
    :param fields: those of :class:`EarthEngineToS3Operator`. Limits apply to each section, but for
        ``max_requests`` and ``max_byte_count``, which apply to all of them. The ``outlets`` are
        those of the task ``publish``: a group has one event of each.
    """
    fields = {**fields, "section_requests": section_requests, **(task_args or {})}
    with TaskGroup(group_id=group_id) as group:
        _make_tasks(fields, fetch_args or {})
    return group


def _make_tasks(fields: Mapping[str, Any], fetch_args: Mapping[str, Any]) -> None:
    shared = {name: value for name, value in fields.items() if name != "outlets"}
    plan = PlanSectionsOperator(task_id=PLAN, **shared)
    fetch = FetchSectionOperator.partial(task_id=FETCH, **{**shared, **fetch_args}).expand(
        section=plan.output
    )
    publish = PublishSectionsOperator(
        task_id=PUBLISH,
        sections=plan.output,
        # Nothing is fetched if the download is published, or small.
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        **fields,
    )
    fetch >> publish
