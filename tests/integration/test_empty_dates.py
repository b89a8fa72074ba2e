"""Empty dates: what is marked, that a marker spares questions, and when it is looked again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import ee
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.operators.list_due_markers import (
    EarthEngineListDueMarkersOperator,
)
from stack.bucket import list_keys, read_item
from stack.seaweedfs import SeaweedFS
from tests.integration.series import COLLECTION, PIXELS, collection, day, download
from tests.support.airflow_task import task_context

pytestmark = pytest.mark.usefixtures("connections")

MARKER = "s2/scene.empty.json"
EMPTY_DAY = 3


@pytest.fixture(autouse=True)
def series(emulator: Emulator) -> Iterator[Emulator]:
    """The collection of these tests, with no image on one day."""
    with emulator.restored_assets():
        emulator.put_asset(collection(gaps=[EMPTY_DAY]))
        emulator.clear_requests()
        yield emulator


def composite(start: str) -> ee.Image:
    end = ee.Date(start).advance(1, "day")
    image: ee.Image = ee.ImageCollection(COLLECTION).filterDate(start, end).mosaic()
    return image


FIELDS: dict[str, Any] = {
    "image": composite,
    "image_kwargs": {"start": day(EMPTY_DAY)},
    "download_params": {**PIXELS, "name": "scene"},
    "s3_prefix": "s2",
    "on_empty": "mark",
}


def skipped(bucket: str, **changes: Any) -> str:
    with pytest.raises(AirflowSkipException) as caught:
        download(bucket, {**FIELDS, **changes})
    return str(caught.value)


def due(bucket: str, prefix: str = "") -> list[dict[str, Any]]:
    operator = EarthEngineListDueMarkersOperator(task_id="due", s3_bucket=bucket, s3_prefix=prefix)
    return operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in


def make_due(s3: SeaweedFS, bucket: str, key: str = MARKER) -> None:
    """Let the marker be one whose time has come."""
    content = read_item(s3.client(), bucket, key)
    content["recheck_after"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    s3.client().put_object(Bucket=bucket, Key=key, Body=json.dumps(content).encode())


def test_an_empty_date_is_skipped_and_marked(bucket: str, s3: SeaweedFS) -> None:
    before = datetime.now(UTC)
    assert "EmptyImageError" in skipped(bucket)
    assert list_keys(s3.client(), bucket) == [MARKER]
    marker = read_item(s3.client(), bucket, MARKER)
    looked = datetime.fromisoformat(marker["looked_at"])
    assert before <= looked <= datetime.now(UTC)
    assert datetime.fromisoformat(marker["recheck_after"]) == looked + timedelta(days=7)
    assert (marker["kind"], marker["looks"]) == ("earthengine-empty", 1)


def test_a_marked_date_asks_earth_engine_nothing_until_it_is_due(
    series: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    skipped(bucket)
    written = read_item(s3.client(), bucket, MARKER)
    series.clear_requests()
    assert "the next check is due after" in skipped(bucket)
    assert series.counts().get("value:compute", 0) == 0
    assert read_item(s3.client(), bucket, MARKER) == written


def test_when_it_is_due_it_is_looked_again_and_the_wait_doubles(
    series: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    skipped(bucket)
    make_due(s3, bucket)
    series.clear_requests()
    skipped(bucket)
    assert series.counts()["value:compute"] == 1
    marker = read_item(s3.client(), bucket, MARKER)
    wait = datetime.fromisoformat(marker["recheck_after"]) - datetime.fromisoformat(
        marker["looked_at"]
    )
    assert (marker["looks"], wait) == (2, timedelta(days=14))


def test_what_came_late_is_downloaded_and_its_marker_goes(
    series: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    skipped(bucket)
    make_due(s3, bucket)
    series.put_asset(collection())
    download(bucket, FIELDS)
    assert list_keys(s3.client(), bucket) == ["s2/scene.tif", "s2/scene.tif.json"]


def test_a_marker_that_outlived_its_download_is_removed(
    series: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    """As after a task that was killed between the item and the marker."""
    skipped(bucket)
    marker = s3.client().get_object(Bucket=bucket, Key=MARKER)["Body"].read()
    make_due(s3, bucket)
    series.put_asset(collection())
    download(bucket, FIELDS)
    s3.client().put_object(Bucket=bucket, Key=MARKER, Body=marker)
    series.clear_requests()
    download(bucket, FIELDS)
    assert MARKER not in list_keys(s3.client(), bucket)
    assert series.counts().get("value:compute", 0) == 0


def test_another_question_is_asked_whatever_the_marker_says(series: Emulator, bucket: str) -> None:
    skipped(bucket)
    series.clear_requests()
    skipped(bucket, download_params={**PIXELS, "name": "scene", "dimensions": [5, 5]})
    assert series.counts()["value:compute"] == 1


def test_whoever_says_replace_looks_at_once(series: Emulator, bucket: str) -> None:
    skipped(bucket)
    series.clear_requests()
    skipped(bucket, if_exists="replace")
    assert series.counts()["value:compute"] == 1


def test_skip_and_fail_write_no_marker(bucket: str, s3: SeaweedFS) -> None:
    skipped(bucket, on_empty="skip")
    with pytest.raises(AirflowFailException, match="EmptyImageError"):
        download(bucket, {**FIELDS, "on_empty": "fail"})
    assert list_keys(s3.client(), bucket) == []


def test_a_region_that_the_image_does_not_meet_is_marked_too(bucket: str, s3: SeaweedFS) -> None:
    fields = {
        "image": f"{COLLECTION}/20210101T1000",
        "image_kwargs": None,
        "download_params": {"region": [10, 50, 10.1, 50.1], "scale": 10, "format": "GEO_TIFF"},
    }
    skipped(bucket, **fields)
    assert list_keys(s3.client(), bucket) == ["s2/20210101T1000.empty.json"]
    (found,) = [read_item(s3.client(), bucket, key) for key in list_keys(s3.client(), bucket)]
    assert found["image"] == f"{COLLECTION}/20210101T1000"


def test_what_is_due_is_listed_ready_to_download(
    series: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    skipped(bucket)
    skipped(bucket, s3_prefix="s2/other")
    skipped(bucket, s3_prefix="elsewhere")
    assert due(bucket) == []
    make_due(s3, bucket)
    make_due(s3, bucket, "elsewhere/scene.empty.json")
    series.clear_requests()
    (fields,) = due(bucket, "s2")
    assert series.requests == []
    assert len(due(bucket)) == 2
    series.put_asset(collection())
    parts = {"download_params": PIXELS, "on_empty": "mark"}
    xcom = download(bucket, {**parts, **fields})
    assert xcom["item"] == f"s3://{bucket}/s2/scene.tif.json"
    assert MARKER not in list_keys(s3.client(), bucket)
    # The function and what was listed are the same program: the first task finds it done.
    series.clear_requests()
    download(bucket, {**FIELDS, "download_params": PIXELS, "source": {"name": "scene"}})
    assert series.counts().get("value:compute", 0) == 0


def test_two_attempts_at_once_write_one_marker(bucket: str, s3: SeaweedFS) -> None:
    barrier = Barrier(2)
    outcomes: list[str] = []

    def attempt() -> None:
        barrier.wait(30)
        outcomes.append(skipped(bucket))

    threads = [Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 2
    assert list_keys(s3.client(), bucket) == [MARKER]
    assert read_item(s3.client(), bucket, MARKER)["looks"] == 1


def test_an_object_of_somebody_else_is_no_marker(bucket: str, s3: SeaweedFS) -> None:
    s3.client().put_object(Bucket=bucket, Key=MARKER, Body=b"{}")
    with pytest.raises(AirflowFailException, match="not a marker that this package wrote"):
        download(bucket, FIELDS)


@pytest.mark.parametrize("days", [0, -1, "soon", 10_000])
def test_days_that_are_none_are_refused(bucket: str, days: Any) -> None:
    with pytest.raises(AirflowFailException, match="recheck_days is"):
        download(bucket, {**FIELDS, "recheck_days": days})


def test_an_unknown_outcome_is_refused(bucket: str) -> None:
    with pytest.raises(AirflowFailException, match="use one of fail, skip, mark"):
        download(bucket, {**FIELDS, "on_empty": "ignore"})
