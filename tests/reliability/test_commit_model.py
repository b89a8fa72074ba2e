"""The commit protocol, exhaustively: every order of the steps of attempts at one destination.

The code is the real one, on a bucket in memory. An attempt may stop before each of its requests,
for good or until all others have ended: every order is one of those that are followed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider.earthengine.download.publish.record import CommitRecord
from tests.reliability.commit_cases import (
    DESTINATION,
    QUICK_CASES,
    SLOW_CASES,
    A,
    Case,
    object_key,
)
from tests.reliability.commit_mistakes import MISTAKES
from tests.reliability.commit_promise import BrokenPromiseError, explore_case, lies_of
from tests.reliability.model_page import PROPERTY, on_page
from tests.reliability.reliability_page import PAGE
from tests.reliability.repeatable import make_repeatable
from tests.support.memory_s3 import MINISTACK, SEAWEEDFS, Semantics, Store


@pytest.fixture(autouse=True)
def _the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    make_repeatable(monkeypatch)
    # pytest formats and keeps each line, which takes two fifths of the time; nobody reads them.
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    "case",
    [*QUICK_CASES, *(pytest.param(case, marks=pytest.mark.slow) for case in SLOW_CASES)],
    ids=lambda case: case.name,
)
def test_the_promise_holds_in_every_state_and_the_page_says_how_many(
    case: Case, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    explored = explore_case(case, tmp_path)
    counts = f"{case.name}|{explored.states}|{explored.schedules}"
    request.node.user_properties.append((PROPERTY, counts))
    hint = "run `make test-slow` and `make reliability-page`, look at the difference, commit it"
    assert on_page(PAGE.read_text(encoding="utf-8")).get(case.name) == explored, hint


@pytest.mark.slow
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_protocol_breaks_the_promise(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, case = MISTAKES[name]
    patch(monkeypatch)
    with pytest.raises(BrokenPromiseError, match=r"not so|file is gone|no item"):
        explore_case(case, tmp_path, expected=(Exception,))


def test_the_item_of_an_attempt_that_was_first_is_taken_only_if_its_objects_are_there(
    tmp_path: Path,
) -> None:
    world = Case("", (A, A)).world(Store(), tmp_path)
    late, first = world.actors
    while late.waiting != f"put {DESTINATION.item_key}":
        world.step(0)
    while not first.has_ended:
        world.step(1)
    assert isinstance(first.outcome, CommitRecord)
    del world.store.objects[object_key("B3")]  # by somebody, meanwhile
    while not late.has_ended:
        world.step(0)
    assert isinstance(late.outcome, CommitRecord)
    assert lies_of(world.store) == []


@pytest.mark.slow
@pytest.mark.parametrize("semantics", [SEAWEEDFS, MINISTACK], ids=["seaweedfs", "ministack"])
@pytest.mark.parametrize("case", QUICK_CASES, ids=lambda case: case.name)
def test_the_promise_holds_with_the_answers_of_other_stores(
    case: Case, semantics: Semantics, tmp_path: Path
) -> None:
    assert explore_case(case, tmp_path, semantics).states > 100
