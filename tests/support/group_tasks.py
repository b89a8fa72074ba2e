"""A group's tasks, run one by one inside the test process as Airflow would run them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.task import steps
from airflow_provider.earthengine.transfers.section_tasks import (
    FetchSectionOperator,
    PlanSectionsOperator,
    PublishSectionsOperator,
)
from tests.support.airflow_task import task_context


def make_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have requests tried twice, with hardly a wait between."""

    def policy(attempts: int = 2, **fields: Any) -> RetryPolicy:
        return RetryPolicy(attempts=attempts, first_wait_seconds=0.01, **fields)

    monkeypatch.setattr(steps, "RetryPolicy", policy)


class Group:
    """The three tasks of a group in one run.

    :param clear_number: how often the run was cleared.
    :param outlets: what Airflow sees of them once a task is done.
    """

    def __init__(self, run_id: str = "run", section_requests: int = 2, **fields: Any) -> None:
        self.run_id = run_id
        self.fields = {**fields, "section_requests": section_requests}
        self.clear_number = 0
        self.context: dict[str, Any] = {}
        self.outlets: list[Any] = []

    def _execute(self, operator: Any, task: str, map_index: int = -1) -> Any:
        self.context = task_context(
            self.clear_number, run_id=self.run_id, task_id=f"group.{task}", map_index=map_index
        )
        result = operator.execute(self.context)
        self.outlets = operator.outlets
        return result

    def plan(self) -> list[dict[str, Any]]:
        operator = PlanSectionsOperator(task_id="plan", **self.fields)
        sections: list[dict[str, Any]] = self._execute(operator, "plan")
        # What goes through XCom is JSON.
        return list(json.loads(json.dumps(sections)))

    def fetch(self, section: dict[str, Any], **fields: Any) -> None:
        operator = FetchSectionOperator(
            task_id="fetch", section=section, **{**self.fields, **fields}
        )
        self._execute(operator, "fetch", section["section"])

    def publish(self, sections: Sequence[dict[str, Any]]) -> list[str]:
        operator = PublishSectionsOperator(task_id="publish", sections=sections, **self.fields)
        uris: list[str] = self._execute(operator, "publish")
        return uris

    def run(self) -> list[str]:
        sections = self.plan()
        for section in sections:
            self.fetch(section)
        return self.publish(sections)
