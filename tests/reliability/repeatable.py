"""Publishing made repeatable: what would be different each time it runs is replaced."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from airflow_provider.earthengine.download.bucket import multipart
from airflow_provider.earthengine.download.publish import (
    check_item,
    claim,
    item_key,
    record,
    sweep,
)
from tests.reliability.schedules import next_id


class Immediately:
    """An executor that does at once what it is given: sending parts is no step of its own."""

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> Immediately:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, act: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(act(*arguments))
        return done

    def shutdown(self, **_: bool) -> None:
        pass


def make_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace what would be different in a replay: ids, times, threads."""
    monkeypatch.setattr(item_key, "new_id", next_id)
    monkeypatch.setattr(sweep, "new_id", next_id)
    monkeypatch.setattr(claim, "now", lambda: datetime(2026, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(item_key, "_WAITS", 1)
    monkeypatch.setattr(item_key, "_WAIT_SECONDS", 0)
    monkeypatch.setattr(multipart, "ThreadPoolExecutor", Immediately)
    # Reading takes a fifth of the time, and means the same each time.
    parse_record = cache(record.parse_record)
    for module in (check_item, item_key):
        monkeypatch.setattr(module, "parse_record", parse_record)
