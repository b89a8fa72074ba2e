"""The example DAGs of series, run by Airflow: late and re-processed images, and the second time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import odc.stac
import pytest

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.items import open_items
from stack.airflow import DAGS_FOLDER, AirflowHome
from stack.bucket import list_keys, read_item
from stack.seaweedfs import SeaweedFS
from tests.integration.conftest import MakeAirflow

COLLECTION = "projects/demo/assets/s2_series"
# With scene classes.
SCENES = "projects/demo/assets/s2_daily"
PAST, FUTURE = "2021-01-20T00:00:00Z", "2999-01-01T00:00:00Z"
# The grid of Sentinel-2's tile 10SEG, coarser.
BANDS = [
    {"id": name, "dtype": "uint16", "crs": "EPSG:32610",
     "crs_transform": [20, 0, 499980, 0, -20, 4200000], "dimensions": [5490, 5490]}
    for name in ("B4", "B8")
]  # fmt: skip


def series(**changes: Any) -> dict[str, Any]:
    """Return four images, on the 1st, 6th, 11th and 16th of January 2021."""
    fields = {
        "start": "2021-01-01T19:00:00Z",
        "step_days": 5,
        "count": 4,
        "image_properties": {"CLOUDY_PIXEL_PERCENTAGE": [0]},
    }
    return {
        "id": COLLECTION, "kind": "collection", "bands": BANDS, "series": {**fields, **changes}
    }  # fmt: skip


pytestmark = [
    # Several commands of Airflow each, one after another.
    pytest.mark.slow,
    # odc-geo 0.5.3 calls what shapely 2.2 wants to rename.
    pytest.mark.filterwarnings("ignore:The 'shapely.ops.transform:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def catalog(emulator: Emulator) -> Iterator[Emulator]:
    with emulator.restored_assets():
        emulator.put_asset(series())
        yield emulator


@pytest.fixture
def home(make_airflow: MakeAirflow) -> AirflowHome:
    return make_airflow(DAGS_FOLDER)


@pytest.fixture
def conf(bucket: str) -> str:
    return json.dumps({"s3_bucket": bucket, "collection": COLLECTION})


def items(s3: SeaweedFS, bucket: str) -> dict[str, dict[str, Any]]:
    client = s3.client()
    return {
        key: read_item(client, bucket, key)
        for key in list_keys(client, bucket)
        if key.endswith(".json")
    }


def keys_of(*days: int) -> set[str]:
    return {f"sentinel2/2021/01/2021-01-{day:02}.tif.json" for day in days}


def test_daily_ingestion_picks_up_late_and_processed_again_images(
    catalog: Emulator, home: AirflowHome, conf: str, s3: SeaweedFS, bucket: str
) -> None:
    catalog.put_asset(series(late=[{"image": 3, "visible_from": FUTURE}]))
    home.test_dag("sentinel2_ingestion", "2021-01-17", conf)
    first = items(s3, bucket)
    assert set(first) == keys_of(1, 6, 11)

    changes = {"late": [{"image": 3, "visible_from": PAST}]}
    again = [{"image": 1, "visible_from": PAST}]
    catalog.put_asset(series(**changes, reprocessed=again))
    home.test_dag("sentinel2_ingestion", "2021-01-18", conf)
    second = items(s3, bucket)
    assert set(second) == keys_of(1, 6, 11, 16)
    assert {key for key in first if second[key] != first[key]} == keys_of(6)
    (source,) = second[keys_of(6).pop()]["properties"]["earthengine:source_images"]
    moment = datetime(2021, 1, 20, tzinfo=UTC)
    assert source["version"] == round(moment.timestamp() * 1_000_000)


def test_a_backfilled_date_is_free_and_a_gap_is_looked_at_again_when_it_is_due(
    catalog: Emulator, home: AirflowHome, conf: str, s3: SeaweedFS, bucket: str
) -> None:
    catalog.put_asset(series(late=[{"image": 1, "visible_from": FUTURE}]))
    prefix = "sentinel2_by_day/2021/2021-01"
    item, marker = f"{prefix}-01/mosaic.tif.json", f"{prefix}-06/mosaic.empty.json"
    for date in ("2021-01-01", "2021-01-06"):
        home.test_dag("sentinel2_backfill", date, conf)
    first = items(s3, bucket)
    assert set(first) == {item, marker}
    catalog.clear_requests()
    for date in ("2021-01-01", "2021-01-06"):
        home.test_dag("sentinel2_backfill", date, conf)
    assert catalog.counts().get("value:compute", 0) == 0
    assert items(s3, bucket) == first

    due = {**first[marker], "recheck_after": "2021-01-20T00:00:00+00:00"}
    s3.client().put_object(Bucket=bucket, Key=marker, Body=json.dumps(due).encode())
    catalog.put_asset(series())
    home.test_dag("sentinel2_recheck", "2021-02-07", conf)
    assert set(items(s3, bucket)) == {item, f"{prefix}-06/mosaic.tif.json"}


def test_a_month_without_images_is_marked(
    home: AirflowHome, conf: str, s3: SeaweedFS, bucket: str
) -> None:
    home.test_dag("ndvi_composite", "2021-04-01", conf)
    assert list_keys(s3.client(), bucket) == ["ndvi/2021-03/ndvi.empty.json"]


def test_months_of_three_regions_are_a_cube_on_one_lattice(
    home: AirflowHome, s3: SeaweedFS, bucket: str, aws_default: str
) -> None:
    for month in ("2021-01", "2021-02"):
        fields = {"s3_bucket": bucket, "collection": SCENES, "month": month}
        home.test_dag("ndvi_series", "2021-03-01", json.dumps(fields))
    collection = read_item(s3.client(), bucket, "ndvi_series/collection.json")
    assert sum(link["rel"] == "item" for link in collection["links"]) == 6
    assert collection["extent"]["temporal"]["interval"] == [
        ["2021-01-01T00:00:00Z", "2021-03-01T00:00:00Z"]
    ]
    with open_items(f"s3://{bucket}/ndvi_series") as found:
        cube = odc.stac.load(found, bands=["ndvi"], chunks={}).load()
    assert cube.sizes["time"] == 2
    values = cube.ndvi.where(cube.ndvi != cube.ndvi.nodata)
    assert -1 <= values.min() < values.max() <= 1
    for item in found:
        a, _, c, _, e, f, *_ = item.assets["data"].extra_fields["proj:transform"]
        assert (a, e, c % 20, f % 20) == (20, -20, 0, 0)
