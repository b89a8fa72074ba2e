"""What the log says while tiles are fetched: tiles, bytes, rate, time left, requests, retries."""

from __future__ import annotations

import logging

import pytest

from airflow_provider.earthengine.download.fetch import progress
from airflow_provider.earthengine.download.fetch.gate import RequestGate
from airflow_provider.earthengine.download.fetch.progress import PROGRESS_SECONDS, Progress


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_it_says_how_far_the_download_is_and_how_long_the_rest_takes(clock: Clock) -> None:
    gate = RequestGate(16)
    told = Progress("scene", 10, gate)
    told.count_bytes(20 << 20)
    told.count_bytes(20 << 20)
    told.count_retry()
    told.count_tile()
    told.count_tile()
    clock.seconds += 8
    with gate.place():
        assert str(told) == (
            "scene: 2 of 10 tiles, 40.0 MiB at 5.0 MiB/s, 32 s left; "
            "1 of 4 requests in flight, 1 retries"
        )


def test_the_time_left_is_unknown_before_the_first_tile(clock: Clock) -> None:
    told = Progress("scene", 10, RequestGate(16))
    clock.seconds += 8
    assert "0 of 10 tiles" in str(told)
    assert "time left unknown" in str(told)


def test_a_tile_in_pieces_counts_as_its_pieces(clock: Clock) -> None:
    told = Progress("scene", 10, RequestGate(16))
    told.count_cut(4)
    clock.seconds += 1
    assert "0 of 13 tiles" in str(told)


def test_it_is_told_every_few_seconds_only(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    told = Progress("scene", 10, RequestGate(16))
    with caplog.at_level(logging.INFO):
        told.report()
        assert not caplog.records
        clock.seconds += PROGRESS_SECONDS
        told.report()
        told.report()
    assert len(caplog.records) == 1
