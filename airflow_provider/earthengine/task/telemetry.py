"""What a running task tells: metrics, progress in Airflow's task state, a log line for each step.

None of it can fail the task.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.download.usage import Meter, Usage
from airflow_provider.earthengine.one_line import one_line

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

PROGRESS_KEY = "progress"
"""The key of the progress in the task state store."""
STEP_LINE = "earthengine-step"
"""The first word of the line for each step; the rest is JSON."""

_MOST_PROFILES_TOLD = 20
_COUNTERS = {
    "requests": "earthengine.requests",
    "refusals": "earthengine.refusals",
    "byte_count": "earthengine.bytes",
    "tiles": "earthengine.tiles",
    "kept_tiles": "earthengine.kept_tiles",
}


class Telemetry:
    """Tells what one task does, step by step.

    :param meter: counts what the task sends and receives.
    :param context: Airflow's; None outside a task, where there are only log lines.
    """

    def __init__(self, meter: Meter | None = None, context: Context | None = None) -> None:
        self.meter = meter or Meter()
        self._told = Usage()
        self._tags = _tags_of(context) if context else None
        # Airflow before 3.3 has none.
        self._store: Any = context.get("task_state_store") if context else None

    @contextmanager
    def step(self, name: str, item_uri: str) -> Iterator[None]:
        """Tell how long the block takes, what it sends and receives, and how it ends.

        :param name: "plan", "fetch" or "publish".
        """
        started, before = time.monotonic(), self._told
        self.report({"step": name})
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            seconds = time.monotonic() - started
            self._count()
            taken = self._told.since(before)
            if self._tags is not None:
                _timing(f"earthengine.step.{name}", seconds, self._tags)
            facts: dict[str, Any] = {
                "step": name,
                "outcome": outcome,
                "seconds": round(seconds, 3),
                **taken.to_dict(),
                "item": item_uri,
            }
            if self.meter.asks_profiles:
                facts["profiles"] = taken.profiles[:_MOST_PROFILES_TOLD]
            log.info("%s %s", STEP_LINE, json.dumps(facts))

    def done(self) -> None:
        """Tell that the task has done its work."""
        self.report({"step": "done", **self.meter.usage.to_dict()})

    def report(self, progress: Mapping[str, Any]) -> None:
        """Tell how far the task is; the task state store has the last report.

        :param progress: a few plain values.
        """
        self._count()
        if self._store is None:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            self._store.set(PROGRESS_KEY, {**progress, "updated_at": now})
        except Exception as error:  # noqa: BLE001 - whatever a store raises, the download goes on
            self._store = None
            text = one_line(f"{type(error).__name__}: {error}")
            log.warning("Could not write the progress to the task state store: %s", text)

    def _count(self) -> None:
        """Add what was counted since the last time to the counters of metrics."""
        usage = self.meter.usage
        counted, self._told = usage.since(self._told), usage
        if self._tags is not None:
            for field, number in counted.to_dict().items():
                if number:
                    _incr(_COUNTERS[field], number, self._tags)


def _tags_of(context: Context) -> dict[str, str]:
    ti: Any = context["ti"]
    # With the team, where there are teams.
    tags: dict[str, str] = getattr(ti, "stats_tags", None) or {
        "dag_id": ti.dag_id,
        "task_id": ti.task_id,
    }
    return dict(tags)


def _incr(name: str, number: int, tags: Mapping[str, str]) -> None:
    from airflow.providers.common.compat.sdk import Stats

    Stats.incr(name, number, tags=dict(tags))


def _timing(name: str, seconds: float, tags: Mapping[str, str]) -> None:
    from airflow.providers.common.compat.sdk import Stats

    Stats.timing(name, timedelta(seconds=seconds), tags=dict(tags))
