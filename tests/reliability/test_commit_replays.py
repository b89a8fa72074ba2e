"""Schedules that break the promise where a mistake is in the protocol, on real stores.

Each is found in memory, with the mistake; on the stores the promise breaks with the mistake, too,
and holds without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from airflow_provider.earthengine.download.publish import item_key
from airflow_provider.earthengine.download.publish.record import CommitRecord
from stack.seaweedfs import SeaweedFS
from tests.reliability.commit_mistakes import MISTAKES
from tests.reliability.commit_promise import (
    BrokenPromiseError,
    explore_case,
    item_of,
    lies_of,
)
from tests.reliability.real_schedules import RealStore, replay
from tests.reliability.repeatable import make_repeatable
from tests.reliability.schedules import Step

pytestmark = pytest.mark.slow

# Their mistakes are in the client in memory alone.
REPLAYED = [name for name in MISTAKES if not name.startswith("a condition dropped")]


@pytest.fixture(params=["SeaweedFS", "ministack"])
def store(request: pytest.FixtureRequest, s3: SeaweedFS) -> RealStore:
    if request.param == "SeaweedFS":
        return s3
    other: RealStore = request.getfixturevalue("ministack_store")
    return other


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_key, "_WAITS", 1)
    monkeypatch.setattr(item_key, "_WAIT_SECONDS", 0)


def schedule_of(name: str, folder: Path) -> tuple[Step, ...]:
    """Return the schedule after which a mistake breaks the promise."""
    patch, case = MISTAKES[name]
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_repeatable(monkeypatch)
        patch(monkeypatch)
        with pytest.raises(BrokenPromiseError) as caught:
            explore_case(case, folder, expected=(Exception,))
    return caught.value.path


def is_kept(store: RealStore, name: str, path: Sequence[Step], folder: Path) -> bool:
    """Return whether no item lies after any step, and one is there if an attempt has succeeded."""
    states = list(replay(store, MISTAKES[name][1], path, folder))
    if any(lies_of(content) for content, _ in states):
        return False
    content, attempts = states[-1]
    has_succeeded = any(isinstance(each.outcome, CommitRecord) for each in attempts)
    return not has_succeeded or item_of(content) is not None


@pytest.mark.parametrize("name", REPLAYED)
def test_a_schedule_that_breaks_the_promise_with_a_mistake_keeps_it_without(
    name: str, store: RealStore, tmp_path: Path
) -> None:
    path = schedule_of(name, tmp_path)
    assert is_kept(store, name, path, tmp_path)
    with pytest.MonkeyPatch.context() as monkeypatch:
        MISTAKES[name][0](monkeypatch)
        assert not is_kept(store, name, path, tmp_path)
