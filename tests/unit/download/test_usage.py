"""Counts of a download, for all its threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider.earthengine.download.usage import Meter, Usage
from airflow_provider.earthengine.exceptions import QuotaExceededError, ServiceUnavailableError


def test_no_count_of_any_thread_is_lost() -> None:
    meter = Meter()
    with ThreadPoolExecutor(16) as pool:
        for _ in range(16):
            pool.submit(lambda: [meter.count(Usage(requests=1, byte_count=3)) for _ in range(500)])
    assert meter.usage == Usage(requests=8_000, byte_count=24_000)


def test_only_an_exceeded_quota_counts_as_a_refusal() -> None:
    meter = Meter()
    for error in (QuotaExceededError("busy"), ServiceUnavailableError("down")):
        with pytest.raises(type(error)), meter.counting_refusals():
            raise error
    assert meter.usage == Usage(refusals=1)


def test_what_came_since_is_the_difference() -> None:
    earlier, later = Usage(2, 1, 10, 0, 1), Usage(5, 1, 30, 2, 1)
    assert later.since(earlier) == Usage(3, 0, 20, 2, 0)
    assert earlier + later.since(earlier) == later
