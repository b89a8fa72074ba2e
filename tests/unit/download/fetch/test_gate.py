"""How many requests may be in flight: AIMD, step by step."""

from __future__ import annotations

import threading

import pytest

from airflow_provider.earthengine.download.fetch.gate import RequestGate
from airflow_provider.earthengine.exceptions import (
    DownloadCancelledError,
    QuotaExceededError,
    ServiceUnavailableError,
)


def succeed(gate: RequestGate, times: int) -> None:
    for _ in range(times):
        with gate.place():
            pass


def refuse(gate: RequestGate) -> None:
    with pytest.raises(QuotaExceededError), gate.place():
        raise QuotaExceededError("Too many.")


def test_it_begins_with_four_places_and_doubles_each_round_up_to_the_most() -> None:
    gate = RequestGate(16)
    assert gate.limit == 4
    succeed(gate, 4)
    assert gate.limit == 8
    succeed(gate, 100)
    assert gate.limit == 16
    assert RequestGate(2).limit == 2


def test_a_refusal_halves_the_places_and_each_round_gives_one_back() -> None:
    gate = RequestGate(16)
    succeed(gate, 100)
    refuse(gate)
    assert gate.limit == 8
    succeed(gate, 9)
    assert gate.limit == 9
    for _ in range(10):
        refuse(gate)
    assert gate.limit == 1


def test_refusals_of_requests_that_were_under_way_together_count_once() -> None:
    gate = RequestGate(16)
    succeed(gate, 100)
    together = [gate.place() for _ in range(8)]
    for place in together:
        place.__enter__()
    for place in together:
        error = QuotaExceededError("Too many.")
        assert not place.__exit__(type(error), error, None)
    assert gate.limit == 8


def test_another_failure_changes_nothing() -> None:
    gate = RequestGate(16)
    with pytest.raises(ServiceUnavailableError), gate.place():
        raise ServiceUnavailableError("It failed.")
    assert (gate.limit, gate.busy) == (4, 0)


def test_who_waits_for_a_place_gets_it_or_sees_that_all_is_cancelled() -> None:
    cancelled = threading.Event()

    def check() -> None:
        if cancelled.is_set():
            raise DownloadCancelledError("The download was cancelled.")

    gate = RequestGate(1, check)
    ended: list[str] = []

    def wait(name: str) -> None:
        try:
            with gate.place():
                ended.append(name)
        except DownloadCancelledError:
            ended.append("cancelled")

    with gate.place():
        waiting = threading.Thread(target=wait, args=("first",))
        waiting.start()
        assert ended == []
    waiting.join(30)
    assert ended == ["first"]
    with gate.place():
        waiting = threading.Thread(target=wait, args=("second",))
        waiting.start()
        cancelled.set()
        waiting.join(30)
    assert ended == ["first", "cancelled"]
