"""A task's context for operators that run inside the test process, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.execution_time.context import OutletEventAccessors


@dataclass
class TaskInstance:
    """What the operators use of Airflow's task instance."""

    dag_id: str = "a_dag"
    task_id: str = "a_task"
    run_id: str = "manual__2026-01-02T00:00:00+00:00"
    map_index: int = -1
    try_number: int = 1
    xcom: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcom[key] = value


@dataclass
class DagRun:
    run_id: str
    clear_number: int = 0


@dataclass
class Dag:
    dag_id: str


def remarks(xcom: dict[str, Any]) -> dict[str, Any]:
    """Return what a task's summary remarks, without what it describes."""
    return {name: xcom["summary"][name] for name in ("warnings", "all_masked")}


def task_context(clear_number: int = 0, **facts: Any) -> dict[str, Any]:
    """Return a context as Airflow gives it to ``execute``, with a data interval of one day.

    :param facts: of the task instance, for example ``run_id``.
    """
    ti = TaskInstance(**facts)
    return {
        "ti": ti,
        "dag": Dag(ti.dag_id),
        "dag_run": DagRun(ti.run_id, clear_number),
        "outlet_events": OutletEventAccessors(),
        "data_interval_start": datetime(2026, 1, 1, tzinfo=UTC),
        "data_interval_end": datetime(2026, 1, 2, tzinfo=UTC),
    }
