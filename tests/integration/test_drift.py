"""Drift: which items' sources changed, vanished or appeared, and that only these are replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.operators.drift import EarthEngineDriftOperator
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.bucket import is_picture, list_keys, read_item
from stack.seaweedfs import SeaweedFS
from tests.integration.series import (
    COLLECTION,
    GRID,
    PIXELS,
    collection,
    day,
    download,
    list_images,
)
from tests.support.airflow_task import task_context

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("connections")]

PREFIX = "s2/%Y/%m-%d"
PAST, FUTURE = "2021-02-01T00:00:00Z", "2999-01-01T00:00:00Z"
WINDOW = {"collection": COLLECTION, "start": day(0), "end": day(4)}


@pytest.fixture(autouse=True)
def series(emulator: Emulator) -> Iterator[Emulator]:
    with emulator.restored_assets():
        emulator.put_asset(collection(count=4))
        emulator.clear_requests()
        yield emulator


def ingest(bucket: str, **fields: Any) -> None:
    for found in list_images(s3_prefix=PREFIX, end=day(4), **fields):
        download(bucket, found)


def drift(bucket: str, **fields: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what is to be downloaded, and what vanished."""
    chosen = {"s3_bucket": bucket, "s3_prefix": PREFIX, **fields}
    context = task_context()
    operator = EarthEngineDriftOperator(task_id="drift", **chosen)
    downloads = operator.execute(context)  # type: ignore[arg-type]  # a stand-in
    return downloads, context["ti"].xcom["vanished"]


def etags(s3: SeaweedFS, bucket: str) -> dict[str, str]:
    listed = s3.client().list_objects_v2(Bucket=bucket).get("Contents", [])
    return {each["Key"]: each["ETag"] for each in listed if not is_picture(each["Key"])}


def test_the_item_records_the_sources_id_version_and_update_time(
    series: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    series.put_asset(collection(count=4, reprocessed=[{"image": 1, "visible_from": PAST}]))
    ingest(bucket)
    key = "s2/2021/01-02/20210102T1000.tif.json"
    properties = read_item(s3.client(), bucket, key)["properties"]
    version = 1_612_137_600_000_000
    assert properties["earthengine:asset_id"] == f"{COLLECTION}/20210102T1000"
    assert properties["earthengine:asset_version"] == version
    assert properties["earthengine:asset_update_time"] == "2021-02-01T00:00:00Z"
    assert properties["earthengine:source_images"] == [
        {"asset_id": f"{COLLECTION}/20210102T1000", "version": version}
    ]


def test_nothing_drifted_where_nothing_changed(series: Emulator, bucket: str) -> None:
    ingest(bucket)
    series.clear_requests()
    assert drift(bucket) == ([], [])
    assert series.counts()["value:compute"] == 1
    series.clear_requests()
    assert drift(bucket, **WINDOW) == ([], [])
    assert series.counts()["value:compute"] == 2


def test_an_image_that_was_processed_again_is_replaced_and_no_other(
    series: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    ingest(bucket)
    before = etags(s3, bucket)
    series.put_asset(collection(count=4, reprocessed=[{"image": 2, "visible_from": PAST}]))
    (fields,), vanished = drift(bucket)
    assert vanished == []
    assert fields["image"] == f"{COLLECTION}/20210103T1000"
    assert (fields["s3_prefix"], fields["if_exists"]) == ("s2/2021/01-03", "replace")
    assert fields["source"]["update_time"] == "2021-02-01T00:00:00Z"
    download(bucket, fields, run_id="again")
    after = etags(s3, bucket)
    base = "s2/2021/01-03/20210103T1000.tif"
    assert {key for key in after if after[key] != before[key]} == {base, f"{base}.json"}
    assert drift(bucket) == ([], [])


def test_an_image_that_vanished_is_named_and_not_downloaded(
    series: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    ingest(bucket)
    series.put_asset(collection(count=4, gaps=[1]))
    downloads, vanished = drift(bucket, **WINDOW)
    item = f"s3://{bucket}/s2/2021/01-02/20210102T1000.tif.json"
    assert downloads == []
    assert vanished == [{"item": item, "asset_ids": [f"{COLLECTION}/20210102T1000"]}]


def test_an_image_that_appeared_is_downloaded_where_it_belongs(
    series: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    late = {"image": 3, "visible_from": FUTURE}
    series.put_asset(collection(count=4, late=[late]))
    ingest(bucket)
    series.put_asset(collection(count=4, late=[{**late, "visible_from": PAST}]))
    assert drift(bucket) == ([], [])  # nobody said what is to be there
    (fields,), _ = drift(bucket, **WINDOW)
    assert fields["image"] == f"{COLLECTION}/20210104T1000"
    download(bucket, fields)
    assert "s2/2021/01-04/20210104T1000.tif" in list_keys(s3.client(), bucket)
    assert drift(bucket, **WINDOW) == ([], [])


@pytest.mark.parametrize("asks_catalog", [False, True])
def test_a_date_is_made_again_of_what_there_is_now(
    series: Emulator, bucket: str, s3: SeaweedFS, asks_catalog: bool
) -> None:
    """By date: one of two images of a day processed again, another day's second image gone."""
    series.put_asset(collection(count=8, step_days=0.5))
    ingest(bucket, by="date")
    before = etags(s3, bucket)
    again = [{"image": 3, "visible_from": PAST}]  # the upper one
    series.put_asset(collection(count=8, step_days=0.5, reprocessed=again, gaps=[7]))
    query = WINDOW if asks_catalog else {}
    downloads, vanished = drift(bucket, by="date", **query)
    assert vanished == []
    assert [fields["source"]["name"] for fields in downloads] == [day(1), day(3)]
    assert [len(fields["source"]["images"]) for fields in downloads] == [2, 1]
    for fields in downloads:
        download(bucket, fields, run_id="again")
    after = etags(s3, bucket)
    assert {key for key in after if after[key] != before[key]} == {
        f"s2/2021/01-{number}/2021-01-{number}.tif{suffix}"
        for number in ("02", "04")
        for suffix in ("", ".json")
    }
    assert drift(bucket, by="date", **query) == ([], [])


def test_by_date_a_late_image_changes_its_day_and_a_new_day_appears(
    series: Emulator, bucket: str
) -> None:
    hidden = [{"image": number, "visible_from": FUTURE} for number in (1, 6, 7)]
    series.put_asset(collection(count=8, step_days=0.5, late=hidden))
    ingest(bucket, by="date")
    series.put_asset(collection(count=8, step_days=0.5))
    downloads, _ = drift(bucket, by="date", **WINDOW)
    assert [fields["source"]["name"] for fields in downloads] == [day(0), day(3)]


def test_an_asset_in_no_collection_is_compared_by_itself(series: Emulator, bucket: str) -> None:
    asset_id = "projects/demo/assets/alone"
    single = {"id": asset_id, "kind": "formula", "bands": collection()["bands"]}
    series.put_asset(single)
    download(bucket, {"image": asset_id, "s3_prefix": "s2"})
    assert drift(bucket) == ([], [])
    series.put_asset({**single, "version": 2})
    (fields,), _ = drift(bucket)
    assert fields["image"] == asset_id
    series.remove_asset(asset_id)
    _, vanished = drift(bucket)
    assert [gone["asset_ids"] for gone in vanished] == [[asset_id]]


def test_a_collection_that_is_gone_took_all_of_its_images(series: Emulator, bucket: str) -> None:
    ingest(bucket)
    series.remove_asset(COLLECTION)
    downloads, vanished = drift(bucket)
    assert (downloads, len(vanished)) == ([], 4)


def test_what_is_no_item_of_ours_is_not_compared(bucket: str, s3: SeaweedFS) -> None:
    for key, body in {
        "s2/a.json": b"{}",
        "s2/b.json": b"no json",
        "s2/c.empty.json": b"{}",
        "s2/d.json": b'{"properties": {"datetime": null}}',
        "s2/e.json": b"[1]",
    }.items():
        s3.client().put_object(Bucket=bucket, Key=key, Body=body)
    assert drift(bucket) == ([], [])


def test_a_computed_image_is_not_compared(bucket: str) -> None:
    def image() -> Any:
        import ee

        return ee.ImageCollection(COLLECTION).mosaic()

    params = {**PIXELS, "name": "all"}
    download(bucket, {"image": image, "download_params": params, "s3_prefix": "s2"})
    assert drift(bucket) == ([], [])


def test_a_window_of_no_length_is_told_which_timetable_to_use(bucket: str) -> None:
    with pytest.raises(AirflowFailException, match="CronDataIntervalTimetable"):
        drift(bucket, collection=COLLECTION, start=day(1), end=day(1))


def test_a_drifted_image_without_a_time_stays_without_one(
    series: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    """The times of its item span all that there can be; they are not the image's."""
    asset = {
        "id": "projects/demo/assets/timeless",
        "kind": "formula",
        "bands": [{"id": "b", "dtype": "uint16", **GRID}],
    }
    series.put_asset({**asset, "version": 1})
    context = {**task_context(), "data_interval_start": None}
    operator = EarthEngineToS3Operator(
        task_id="download",
        image=asset["id"],
        download_params={"format": "GEO_TIFF", "name": "named"},
        s3_bucket=bucket,
        s3_prefix="s2/2021",
    )
    operator.execute(context)  # type: ignore[arg-type]  # a stand-in
    key = "s2/2021/named.tif.json"
    assert read_item(s3.client(), bucket, key)["properties"]["earthengine:time_source"] == "unknown"
    series.put_asset({**asset, "version": 2})
    (fields,), _ = drift(bucket)
    assert fields["source"]["name"] == "named"
    assert fields["source"]["start_time"] is None
    assert fields["s3_prefix"] == "s2/2021"
