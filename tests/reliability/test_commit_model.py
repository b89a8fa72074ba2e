"""The commit protocol, exhaustively: every order of the steps of attempts at one destination.

The code is the real one, on a bucket in memory. An attempt may stop before each of its requests,
for good or until all others have ended: every order is one of those that are followed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.download.bucket import multipart
from airflow_provider.earthengine.download.publish import claim, item_key, sweep
from tests.reliability.commit_cases import QUICK_CASES, SLOW_CASES, Case
from tests.reliability.commit_mistakes import MISTAKES
from tests.reliability.commit_promise import BrokenPromiseError, explore_case
from tests.reliability.memory_s3 import MINISTACK, SEAWEEDFS, Semantics
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


@pytest.fixture(autouse=True)
def _the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace what would be different in a replay: ids, times, threads."""
    monkeypatch.setattr(item_key, "new_id", next_id)
    monkeypatch.setattr(sweep, "new_id", next_id)
    monkeypatch.setattr(claim, "now", lambda: datetime(2026, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(item_key, "_WAITS", 1)
    monkeypatch.setattr(item_key, "_WAIT_SECONDS", 0)
    monkeypatch.setattr(multipart, "ThreadPoolExecutor", Immediately)


@pytest.mark.parametrize("case", QUICK_CASES, ids=lambda case: case.name)
def test_the_promise_holds(case: Case, tmp_path: Path) -> None:
    assert explore_case(case, tmp_path).states > 100


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_protocol_breaks_the_promise(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, case = MISTAKES[name]
    patch(monkeypatch)
    with pytest.raises(BrokenPromiseError, match=r"not so|file is gone|no item"):
        explore_case(case, tmp_path, expected=(Exception,))


@pytest.mark.slow
@pytest.mark.parametrize("semantics", [SEAWEEDFS, MINISTACK], ids=["seaweedfs", "ministack"])
@pytest.mark.parametrize("case", QUICK_CASES, ids=lambda case: case.name)
def test_the_promise_holds_with_the_answers_of_other_stores(
    case: Case, semantics: Semantics, tmp_path: Path
) -> None:
    assert explore_case(case, tmp_path, semantics).states > 100


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW_CASES, ids=lambda case: case.name)
def test_the_promise_holds_in_every_case(case: Case, tmp_path: Path) -> None:
    assert explore_case(case, tmp_path).states > 100
