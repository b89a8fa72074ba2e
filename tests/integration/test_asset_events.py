"""The asset events of downloads: one for each published item, none for what was there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ee
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.sdk import DAG, Asset

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from airflow_provider.earthengine.transfers.earthengine_to_s3_group import earthengine_to_s3_group
from stack.airflow import SQLITE_FILE, AirflowHome
from stack.seaweedfs import SeaweedFS
from tests.integration.conftest import MakeAirflow
from tests.integration.series import COLLECTION, PIXELS, collection, day
from tests.support.airflow_task import task_context
from tests.support.group_tasks import Group

SCENE = Asset("scene")
IMAGE = f"{COLLECTION}/20210101T1000"
PAST = "2021-02-01T00:00:00Z"


@pytest.fixture(autouse=True)
def series(emulator: Emulator, connections: object) -> Iterator[None]:
    with emulator.restored_assets():
        emulator.put_asset(collection())
        yield


def mosaic_of_no_image() -> ee.Image:
    nothing: ee.Image = ee.ImageCollection(COLLECTION).filterDate(1, 2).mosaic()
    return nothing


class Task:
    """A download with an outlet, and what Airflow sees of it at the end."""

    def __init__(self, bucket: str) -> None:
        self.fields: dict[str, Any] = {
            "task_id": "download",
            "image": IMAGE,
            "download_params": PIXELS,
            "s3_bucket": bucket,
            "outlets": [SCENE],
        }

    def run(self, clear_number: int = 0, **changes: Any) -> dict[str, Any] | None:
        """Return what the event of the outlet says; None: there is none."""
        facts = {name: changes.pop(name) for name in ("run_id", "map_index") if name in changes}
        context = task_context(clear_number, task_id="download", **facts)
        accessors = context["outlet_events"]
        operator = EarthEngineToS3Operator(**{**self.fields, **changes})
        operator.execute(context)  # type: ignore[arg-type]  # a stand-in
        if SCENE not in operator.outlets:
            assert not accessors[SCENE].extra
            return None
        extra: dict[str, Any] = accessors[SCENE].extra
        assert context["ti"].xcom["event"] == extra
        return extra


@pytest.fixture
def task(bucket: str) -> Task:
    return Task(bucket)


def test_the_event_says_what_the_item_in_the_bucket_says(
    task: Task, s3: SeaweedFS, bucket: str
) -> None:
    event = task.run()
    assert event is not None
    key = event["item"].removeprefix(f"s3://{bucket}/")
    item = json.loads(s3.client().get_object(Bucket=bucket, Key=key)["Body"].read())
    properties = item["properties"]
    assert event["fingerprint"] == properties["earthengine:fingerprint"]
    assert (event["datetime"], event["bbox"]) == (properties["datetime"], item["bbox"])
    version = properties["earthengine:asset_version"]
    assert event["images"] == [{"asset_id": IMAGE, "version": version}]
    assert (event["changed"], event["date"]) == (True, day(0))


def test_what_was_there_has_no_event_unless_it_is_asked_for(task: Task) -> None:
    assert task.run(run_id="monday")
    assert task.run(run_id="tuesday") is None
    event = task.run(run_id="tuesday", asset_events="always")
    assert event is not None
    assert (event["changed"], event["date"]) == (False, day(0))


def test_a_try_that_is_killed_once_the_item_is_written_leaves_its_event_to_the_next(
    task: Task,
) -> None:
    assert task.run()
    # Airflow never heard of the first try: the second finds the item, and has the event.
    event = task.run()
    assert event is not None
    assert event["changed"] is True
    # A cleared task is another matter: its event was made.
    assert task.run(clear_number=1) is None
    # And so is a task of the same run that finds the item of another.
    assert task.run(map_index=3) is None


def test_a_reprocessed_image_has_an_event_again(task: Task, emulator: Emulator) -> None:
    first = task.run(run_id="monday")
    emulator.put_asset(collection(reprocessed=[{"image": 0, "visible_from": PAST}]))
    again = task.run(run_id="tuesday", if_exists="replace")
    assert first is not None
    assert again is not None
    assert again["fingerprint"] == first["fingerprint"]
    assert again["changed"] is True


def test_an_empty_date_has_no_event(task: Task) -> None:
    with pytest.raises(AirflowSkipException):
        task.run(image=mosaic_of_no_image, on_empty="skip")


def test_a_plan_has_no_event_even_if_all_are_asked_for(bucket: str) -> None:
    operator = EarthEngineToS3Operator(
        **{**Task(bucket).fields, "plan_only": True, "asset_events": "always"}
    )
    operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
    assert operator.outlets == []


def test_only_the_last_task_of_a_group_has_the_outlets() -> None:
    fields = Task("bucket").fields
    del fields["task_id"]
    for given in (fields, {**fields, "outlets": [], "task_args": {"outlets": [SCENE]}}):
        with DAG("a_dag"):
            group = earthengine_to_s3_group("scene", **given)
        outlets = {label: task.outlets for label, task in group.children.items()}  # type: ignore[attr-defined]  # they are tasks
        assert outlets == {"scene.plan": [], "scene.fetch": [], "scene.publish": [SCENE]}


def test_a_group_has_one_event_and_a_killed_try_leaves_it_to_the_next(
    bucket: str,
) -> None:
    tall = {"dimensions": [600, 1300], "crs": "EPSG:32610", "format": "GEO_TIFF",
            "crs_transform": [10, 0, 600_000, 0, -10, 4_100_000]}  # fmt: skip
    group = Group(
        image=IMAGE, download_params=tall, s3_bucket=bucket, section_requests=1, outlets=[SCENE],
        limits={"tile_byte_count": 600 * 512 * 2},
    )  # fmt: skip
    sections = group.plan()
    assert len(sections) > 1
    assert group.outlets == []
    for section in sections:
        group.fetch(section)
        assert group.outlets == []
    for _ in range(2):
        group.publish(sections)
        assert group.outlets == [SCENE]
        event = group.context["outlet_events"][SCENE].extra
        assert (event["changed"], event["date"]) == (True, day(0))
    group.clear_number += 1
    group.publish(group.plan())
    assert group.outlets == []


MAPPED = f"""
from datetime import UTC, datetime

from airflow.sdk import Asset, AssetAlias, dag

from airflow_provider.earthengine.operators.asset_event import EarthEngineAssetEventOperator
from airflow_provider.earthengine.operators.list_images import EarthEngineListImagesOperator
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator


@dag(schedule=None, start_date=datetime(2021, 1, 1, tzinfo=UTC), params={{"bucket": ""}})
def mapped():
    days = EarthEngineListImagesOperator(
        task_id="list", collection="{COLLECTION}", start="{day(0)}", end="{day(3)}"
    )
    downloads = EarthEngineToS3Operator.partial(
        task_id="download",
        download_params={PIXELS!r},
        s3_bucket="{{{{ params.bucket }}}}",
        outlets=[Asset("scene"), AssetAlias("scenes")],
    ).expand_kwargs(days.output)
    downloads >> EarthEngineAssetEventOperator(task_id="announce", outlets=[Asset("three_days")])


mapped()
"""


def read_events(home: AirflowHome) -> list[dict[str, Any]]:
    """Return the asset events in the metadata database, in their order."""
    with sqlite3.connect(home.folder / SQLITE_FILE) as database:
        database.row_factory = sqlite3.Row
        columns = {row["name"] for row in database.execute("pragma table_info(asset_event)")}
        key = "partition_key" if "partition_key" in columns else "null"
        rows = database.execute(
            f"select uri, asset_event.extra as extra, {key} as partition_key"
            " from asset_event join asset on asset.id = asset_id order by asset_event.id"
        ).fetchall()
    return [{**dict(row), "extra": json.loads(row["extra"])} for row in rows]


@pytest.fixture(params=["newest", pytest.param("oldest", marks=pytest.mark.slow)])
def airflow(
    request: pytest.FixtureRequest, tmp_path: Path, make_airflow: MakeAirflow
) -> AirflowHome:
    (tmp_path / "mapped.py").write_text(MAPPED)
    return make_airflow(tmp_path, request.param)


@pytest.mark.slow
def test_airflow_has_an_event_for_each_item_and_one_for_all_and_none_the_second_time(
    airflow: AirflowHome, bucket: str, request: pytest.FixtureRequest
) -> None:
    is_newest = "newest" in request.node.callspec.id
    airflow.test_dag("mapped", "2021-02-01", json.dumps({"bucket": bucket}))
    events = read_events(airflow)
    items = [f"s3://{bucket}/{day(n).replace('-', '')}T1000.tif.json" for n in range(3)]
    by_uri: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        by_uri.setdefault(event["uri"], []).append(event)
    # The alias made each item an asset of its own.
    assert sorted(by_uri) == sorted(["scene", "three_days", *items])
    assert sorted(event["extra"]["item"] for event in by_uri["scene"]) == items
    dates = [event["partition_key"] for event in by_uri["scene"]]
    assert sorted(dates) == [day(n) for n in range(3)] if is_newest else dates == [None] * 3
    assert [by_uri[item][0]["extra"]["item"] for item in items] == items
    (together,) = by_uri["three_days"]
    assert (together["partition_key"], together["extra"]["date"]) == (None, None)
    assert sorted(together["extra"]["items"]) == items

    airflow.test_dag("mapped", "2021-02-02", json.dumps({"bucket": bucket}))
    assert read_events(airflow) == events
