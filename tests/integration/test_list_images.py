"""The listing operator: which images, as what, and what it says of a query that makes no sense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from rasterio.io import MemoryFile

from airflow_provider.earthengine.emulator.faults import Status
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.operators.list_images import EarthEngineListImagesOperator
from stack.bucket import list_keys, read_item
from stack.seaweedfs import SeaweedFS
from tests.integration.series import (
    COLLECTION,
    CORNER,
    GRID,
    collection,
    day,
    download,
    list_images,
    lonlat_box,
)
from tests.support.airflow_task import task_context
from tests.support.expected import formula_values

pytestmark = pytest.mark.usefixtures("connections")

# Well within the images, which are 200 m wide and 100 m high.
REGION = lonlat_box(CORNER[0] + 50, CORNER[1] - 80, CORNER[0] + 150, CORNER[1] - 20)


@pytest.fixture(autouse=True)
def series(emulator: Emulator) -> Iterator[Emulator]:
    """The collection of these tests, with clouds of 0, 10 and 20 per cent by turns."""
    with emulator.restored_assets():
        emulator.put_asset(collection(image_properties={"CLOUDS": [0, 10, 20]}))
        emulator.clear_requests()
        yield emulator


def names(listed: list[dict[str, Any]]) -> list[str]:
    return [fields["source"]["name"] for fields in listed]


def refusal(**fields: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        list_images(**fields)
    return str(caught.value)


def test_a_listing_is_one_computation(series: Emulator) -> None:
    assert len(list_images()) == 10
    assert series.counts()["value:compute"] == 1


def test_an_element_says_which_image_it_is_and_since_when() -> None:
    (fields,) = list_images(end=day(1))
    assert fields == {
        "image": f"{COLLECTION}/20210101T1000",
        "source": {
            "name": "20210101T1000",
            "start_time": "2021-01-01T10:00:00Z",
            "update_time": "1970-01-01T00:00:00.000001Z",
            "images": [[f"{COLLECTION}/20210101T1000", 1]],
        },
    }


def test_the_window_is_the_runs_data_interval_unless_it_is_given() -> None:
    operator = EarthEngineListImagesOperator(task_id="list", collection=COLLECTION)
    context = task_context()
    context["data_interval_start"] = context["data_interval_start"].replace(year=2021)
    context["data_interval_end"] = context["data_interval_end"].replace(year=2021)
    assert names(operator.execute(context)) == ["20210101T1000"]  # type: ignore[arg-type]  # a stand-in


def test_a_run_without_a_date_is_told_what_to_give() -> None:
    operator = EarthEngineListImagesOperator(task_id="list", collection=COLLECTION)
    context = {**task_context(), "data_interval_start": None}
    with pytest.raises(AirflowFailException, match=r"manual run without a date; set start"):
        operator.execute(context)  # type: ignore[arg-type]  # a stand-in


def test_a_window_of_no_length_is_told_which_timetable_to_use() -> None:
    operator = EarthEngineListImagesOperator(task_id="list", collection=COLLECTION)
    context = task_context()
    context["data_interval_end"] = context["data_interval_start"]
    with pytest.raises(AirflowFailException, match="CronDataIntervalTimetable"):
        operator.execute(context)  # type: ignore[arg-type]  # a stand-in


def test_filters_sort_and_limit_choose_images() -> None:
    clear = list_images(filters={"CLOUDS": {"lt": "15"}}, sort="-CLOUDS", limit="5")
    assert names(clear) == [
        f"202101{number:02}T1000" for number in (2, 5, 8, 1, 4)
    ]  # fmt: skip
    assert names(list_images(filters={"CLOUDS": [0, 20], "system:index": "20210103T1000"})) == [
        "20210103T1000"
    ]


def test_a_region_chooses_images_that_meet_it() -> None:
    assert len(list_images(region=REGION)) == 10
    assert list_images(region=[10, 50, 11, 51]) == []


@pytest.mark.parametrize(("percent", "count"), [(0, 10), (99, 10), (100, 10)])
def test_an_image_that_covers_the_region_is_enough(percent: float, count: int) -> None:
    assert len(list_images(region=REGION, min_coverage_percent=percent)) == count


def test_coverage_is_the_share_of_the_region_by_area(series: Emulator) -> None:
    pixels = {
        **GRID,
        "crs_transform": [10, 0, 590_000, 0, -10, 4_110_000],
        "dimensions": [1000, 2000],
    }
    western = {**collection(), "bands": [{"id": "b", "dtype": "uint8", **pixels}]}
    series.put_asset(western)
    # Its images end at x = 600,000 m; the region is the degrees from there to east and west.
    region = {"type": "Polygon", "coordinates": [[
        [-121.8998, 37.03], [-121.8498, 37.03], [-121.8498, 37.05], [-121.8998, 37.05],
        [-121.8998, 37.03],
    ]]}  # fmt: skip
    # x = 600,000 m is at a longitude of about -121.8758: 0.024 of 0.05 degrees.
    assert len(list_images(region=region, min_coverage_percent=46)) == 10
    assert list_images(region=region, min_coverage_percent=50) == []


def test_by_date_the_images_of_a_day_cover_the_region_together(series: Emulator) -> None:
    """Two halves of a region, at ten and at twenty-two o'clock of one day; neither is enough."""
    halves = {
        "west": {"crs_transform": [10, 0, 600_000, 0, -10, 4_100_000], "dimensions": [100, 100]},
        "east": {"crs_transform": [10, 0, 601_000, 0, -10, 4_100_000], "dimensions": [100, 100]},
    }
    both = {"type": "Polygon", "coordinates": [[
        [-121.874, 37.0375], [-121.856, 37.0375], [-121.856, 37.0395], [-121.874, 37.0395],
        [-121.874, 37.0375],
    ]]}  # fmt: skip
    west = {
        **collection(),
        "bands": [{"id": "b", "dtype": "uint8", "crs": "EPSG:32610", **halves["west"]}],
    }
    series.put_asset(west)
    assert len(list_images(by="date", region=both)) == 10
    assert list_images(by="date", region=both, min_coverage_percent=90) == []
    wide = {**halves["west"], "dimensions": [200, 100]}
    series.put_asset(
        {**west, "bands": [{"id": "b", "dtype": "uint8", "crs": "EPSG:32610", **wide}]}
    )
    series.clear_requests()
    assert len(list_images(by="date", region=both, min_coverage_percent=90)) == 10
    assert series.counts()["value:compute"] == 2


def test_a_filter_on_a_property_that_no_image_has_names_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = "system:asset_size, system:footprint, system:index, system:time_start"
    warning = f"the property CLOUD; the properties are CLOUDS, {own}"
    assert list_images(filters={"CLOUD": {"lt": 20}}) == []
    assert warning in capsys.readouterr().out
    assert list_images(filters={"CLOUDS": {"gt": 20}}) == []
    assert "has the property" not in capsys.readouterr().out


def test_no_images_are_an_empty_list() -> None:
    assert list_images(start="2031-01-01", end="2031-01-02") == []
    assert list_images(start="2031-01-01", end="2031-01-02", by="date") == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"collection": "projects/demo/assets/none"}, "The image collection projects/demo"),
        ({"collection": "projects/demo/assets/dem_olinda"}, "is not an image collection"),
        ({"collection": "projects/demo/assets/regions"}, "is not an image collection"),
        ({"start": day(3), "end": day(2)}, "after its end"),
        ({"by": "week"}, "by is 'week'; use one of image, date"),
        ({"s3_prefix": "%x"}, "is not one of %Y"),
    ],
)  # fmt: skip
def test_a_query_that_makes_no_sense_fails_without_a_retry(
    fields: dict[str, Any], words: str
) -> None:
    assert words in refusal(**fields)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "step_days"), [(1_024, 0.1), (10_000, 0.01)])
def test_a_thousand_and_ten_thousand_images_are_listed(
    series: Emulator, monkeypatch: pytest.MonkeyPatch, count: int, step_days: float
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "10000")
    index = "%Y%m%dT%H%M%S"
    series.put_asset(collection(count=count, step_days=step_days, index=index))
    listed = list_images(end="2022-01-01")
    assert len(listed) == count
    assert len(set(names(listed))) == count
    assert [fields["source"]["start_time"] for fields in listed] == sorted(
        fields["source"]["start_time"] for fields in listed
    )
    assert series.counts()["value:compute"] == 1


def test_more_than_airflow_expands_fails_here_and_names_the_setting(series: Emulator) -> None:
    series.put_asset(collection(count=1_025, step_days=0.1))
    text = refusal(end="2022-01-01")
    assert "There are 1,025 downloads" in text
    assert "AIRFLOW__CORE__MAX_MAP_LENGTH" in text
    assert len(list_images(end="2022-01-01", limit=1_024)) == 1_024
    assert len(list_images(end="2022-01-01", by="date")) == 103


def test_every_element_is_downloaded_as_it_is(bucket: str, s3: SeaweedFS) -> None:
    for fields in list_images(limit=2, s3_prefix="series/%Y/%m"):
        download(bucket, fields)
    client = s3.client()
    assert list_keys(client, bucket) == [
        f"series/2021/01/2021010{number}T1000.tif{suffix}"
        for number in (1, 2)
        for suffix in ("", ".json")
    ]
    item = read_item(client, bucket, "series/2021/01/20210101T1000.tif.json")
    assert item["properties"]["earthengine:source_images"] == [
        {"asset_id": f"{COLLECTION}/20210101T1000", "version": 1}
    ]


def test_a_date_is_the_mosaic_of_its_images(series: Emulator, bucket: str, s3: SeaweedFS) -> None:
    series.put_asset(collection(step_days=0.5))
    (fields,) = list_images(by="date", end=day(1), s3_prefix="%Y-%m-%d")
    download(bucket, fields)
    key = "2021-01-01/2021-01-01.tif"
    client = s3.client()
    assert list_keys(client, bucket) == [key, f"{key}.json"]
    body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    rows, columns = np.arange(10)[:, np.newaxis], np.arange(20)
    with MemoryFile(body) as file, file.open() as raster:
        # Image 1 of the day, which is number 2, is on top.
        np.testing.assert_array_equal(raster.read(1), formula_values(0, "uint16", rows, columns, 2))
    properties = read_item(client, bucket, f"{key}.json")["properties"]
    assert properties["datetime"] == "2021-01-01T00:00:00Z"
    assert [each["asset_id"] for each in properties["earthengine:source_images"]] == [
        f"{COLLECTION}/20210101T1000", f"{COLLECTION}/20210101T2200"
    ]  # fmt: skip


def test_a_finished_date_is_free_and_a_late_image_replaces_it(
    series: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    """A second image of the day comes late: the day is another download; the others are not."""
    late = {"image": 1, "visible_from": "2021-01-05T00:00:00Z"}
    series.put_asset(collection(step_days=0.5, late=[{**late, "visible_from": "2999-01-01"}]))
    for fields in list_images(by="date", end=day(2)):
        download(bucket, fields)
    before = {key: read_item(s3.client(), bucket, key) for key in _items(s3, bucket)}
    series.put_asset(collection(step_days=0.5, late=[late]))
    listed = list_images(by="date", end=day(2))
    series.clear_requests()
    for fields in listed:
        download(bucket, fields, run_id="again")
    after = {key: read_item(s3.client(), bucket, key) for key in _items(s3, bucket)}
    assert {key for key in after if after[key] != before[key]} == {f"{day(0)}.tif.json"}
    assert series.counts()["value:compute"] == 1


def _items(s3: SeaweedFS, bucket: str) -> list[str]:
    return [key for key in list_keys(s3.client(), bucket) if key.endswith(".json")]


def test_an_image_that_is_deleted_after_it_was_listed_fails_by_its_name(
    series: Emulator, bucket: str
) -> None:
    (fields,) = list_images(limit=1)
    series.put_asset(collection(gaps=[0]))
    with pytest.raises(AirflowFailException, match=r"AssetNotFoundError.*20210101T1000"):
        download(bucket, fields)


def test_a_service_that_fails_for_a_moment_is_asked_again(series: Emulator) -> None:
    with series.fault("value:compute", Status(503), times=1):
        assert len(list_images()) == 10


def test_a_table_may_be_the_region(series: Emulator) -> None:
    # Its two fields lie near Half Moon Bay, outside of these images and within the tile's.
    region = "projects/demo/assets/regions"
    assert list_images(region=region) == []
    daily = "projects/demo/assets/s2_daily"
    assert len(list_images(collection=daily, region=region, min_coverage_percent=100)) == 2


def test_what_is_listed_is_json_without_numbers_that_are_none() -> None:
    listed = list_images(by="date")
    assert json.loads(json.dumps(listed, allow_nan=False)) == listed
