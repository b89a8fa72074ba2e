"""A scene that was processed again is found by comparing, and it alone is downloaded again."""

from __future__ import annotations

import pytest

from tests.distributed.airflow_stack import Stack
from tests.distributed.conftest import PutCollection

pytestmark = [
    pytest.mark.slow,
    # They share one scheduled Airflow.
    pytest.mark.xdist_group("distributed"),
]

SERIES = {"start": "2021-01-05T10:00:00Z", "step_days": 45, "count": 8, "index": "%Y%m%d"}
CHANGED = "20210405"  # the third


def test_a_scene_that_was_processed_again_is_found_and_downloaded_again(
    stack: Stack, put_collection: PutCollection
) -> None:
    put_collection("scenes", **SERIES)
    run = stack.run("scenes")
    assert stack.states_of_tasks(run)["download", "success"] == 8
    before = stack.etags("scenes/")
    assert len(before) == 16

    # Nothing has changed: nothing is downloaded.
    stack.forget_requests()
    run = stack.run("drift")
    assert stack.states_of_tasks(run)["download", "skipped"] == 1
    assert stack.computed().get("thumbnails.create", 0) == 0
    assert stack.written() == {}

    put_collection(
        "scenes", **SERIES, reprocessed=[{"image": 2, "visible_from": "2022-01-01T00:00:00Z"}]
    )
    run = stack.run("drift")
    assert stack.states_of_tasks(run)["download", "success"] == 1
    assert stack.computed()["thumbnails.create"] == 1
    after = stack.etags("scenes/")
    assert set(after) == set(before)
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {f"scenes/{CHANGED}.tif", f"scenes/{CHANGED}.tif.json"}

    # And now it is what the catalog has.
    stack.forget_requests()
    run = stack.run("drift")
    assert stack.states_of_tasks(run)["download", "skipped"] == 1
    assert stack.written() == {}
