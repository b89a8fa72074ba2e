"""A year of weeks on a real scheduler: what is finished is free, what was empty is rechecked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider.earthengine.emulator.faults import Status
from stack.airflow_api import wait_until
from tests.distributed.airflow_stack import Stack
from tests.distributed.conftest import PutCollection

pytestmark = [
    pytest.mark.slow,
    # They share one scheduled Airflow.
    pytest.mark.xdist_group("distributed"),
]

FIRST_WEEK, LAST_WEEK = datetime(2021, 1, 1, tzinfo=UTC), datetime(2021, 12, 24, tzinfo=UTC)
WEEKS = 52
GAPS = (7, 8, 23, 41, 42)
LATE = (12, 30, 50)
FAILING = 2
SERIES = {"start": "2021-01-02T10:00:00Z", "step_days": 7, "count": WEEKS}


def week(number: int) -> str:
    return (FIRST_WEEK + timedelta(weeks=number)).date().isoformat()


def keys_of(numbers: range | tuple[int, ...], suffix: str) -> set[str]:
    return {f"year/{week(number)}/download{suffix}" for number in numbers}


def backfill(stack: Stack, behaviour: str) -> dict[str, int]:
    stack.forget_requests()
    return stack.backfill("year", week(0), week(WEEKS - 1), behaviour)


def let_a_week_pass(stack: Stack, keys: set[str]) -> None:
    """Write into markers that they are due: nobody waits a week here."""
    for key in keys:
        marker = stack.read(key)
        marker["recheck_after"] = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        stack.client.put_object(Bucket=stack.bucket, Key=key, Body=json.dumps(marker).encode())


def test_a_year_is_ingested_once_whatever_is_run_again(
    stack: Stack, put_collection: PutCollection
) -> None:
    put_collection("weekly", **SERIES, gaps=sorted({*GAPS, *LATE}))
    empty = {*GAPS, *LATE}
    there = tuple(number for number in range(WEEKS) if number not in empty)

    # Two of the weeks are refused, so that there is something to repair.
    with stack.emulator.fault("thumbnails.create", Status(403), times=FAILING):
        assert backfill(stack, "none") == {"success": WEEKS - FAILING, "failed": FAILING}
    assert stack.computed()["thumbnails.getPixels"] == len(there) - FAILING
    markers = keys_of(tuple(empty), ".empty.json")
    assert {key for key in stack.etags("year/") if key.endswith(".empty.json")} == markers

    # What exists is left alone.
    assert backfill(stack, "none") == {"success": WEEKS - FAILING, "failed": FAILING}
    assert (stack.computed(), stack.written()) == ({}, {})

    # Only what failed is asked for.
    assert backfill(stack, "failed") == {"success": WEEKS}
    assert stack.computed()["thumbnails.create"] == FAILING
    assert stack.computed()["thumbnails.getPixels"] == FAILING
    finished = stack.etags("year/")
    rasters = keys_of(there, ".tif") | keys_of(there, ".tif.json")
    assert set(finished) == rasters | markers

    # All of it again: no computation, no write, the same objects.
    assert backfill(stack, "completed") == {"success": WEEKS}
    assert (stack.computed(), stack.written()) == ({}, {})
    assert stack.etags("year/") == finished
    # Instead, each was one listing and two reads: of its item and its picture, or its marker.
    assert stack.proxy.counts == {"ListObjectsV2": WEEKS, "GetObject": 2 * WEEKS}

    clear_and_wait(stack, 0, 5)
    assert (stack.computed(), stack.written()) == ({}, {})
    assert stack.etags("year/") == finished

    # The late ones have come; a week later the markers are due, and those weeks are looked at.
    put_collection("weekly", **SERIES, gaps=list(GAPS))
    let_a_week_pass(stack, markers)
    marked = stack.etags("year/")
    stack.forget_requests()
    run = stack.run("recheck")
    states = stack.states_of_tasks(run)
    assert states["look_again", "success"] == len(LATE)
    assert states["look_again", "skipped"] == len(GAPS)
    assert stack.computed()["thumbnails.getPixels"] == len(LATE)
    after = stack.etags("year/")
    new = keys_of(LATE, ".tif") | keys_of(LATE, ".tif.json")
    assert set(after) == rasters | new | keys_of(GAPS, ".empty.json")
    assert {key for key in rasters if after[key] != marked[key]} == set()
    assert {stack.read(key)["looks"] for key in keys_of(GAPS, ".empty.json")} == {2}


def clear_and_wait(stack: Stack, first: int, last: int) -> None:
    """Run ``airflow tasks clear`` for some weeks, and wait until they are through again."""
    stack.forget_requests()
    stack.command(
        "tasks", "clear", "year", "--start-date", week(first), "--end-date", week(last), "--yes"
    )
    # Each task that runs again lists its prefix once.
    wait_until(lambda: stack.proxy.counts["ListObjectsV2"] >= last - first + 1)
    wait_until(lambda: stack.count_runs("year") == {"success": WEEKS})
