import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyproj
import pystac
import pytest
from pystac.validation import JsonSchemaSTACValidator
from shapely.geometry import shape

from airflow_provider.earthengine.download.fields.destination import Destination, Identity, IfExists
from airflow_provider.earthengine.download.fields.image import read_image
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo
from airflow_provider.earthengine.download.plan.raster_plan import GridAsk, RasterPlan
from airflow_provider.earthengine.download.publish.files import GEOTIFF_MEDIA_TYPE, LocalFile
from airflow_provider.earthengine.download.publish.item import Run, Source, build_item
from airflow_provider.earthengine.download.publish.record import StoredObject, parse_record
from airflow_provider.earthengine.download.raster.facts import (
    BandFacts,
    BandStatistics,
    RasterFacts,
)

DESTINATION = Destination("demo", "a/b", "scene", ".tif.json")
IDENTITY = Identity("v1:f", "dag/run/0", IfExists.REPLACE_CHANGED)
UTM = PixelGrid("EPSG:32610", (20.0, 0.0, 581260.0, 0.0, -20.0, 4101800.0), 105, 86)
WINDOW = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


def item(
    grid: PixelGrid | None = UTM,
    nodata: float | None = 0,
    properties: dict[str, Any] | None = None,
    run: Run = Run({}),  # noqa: B008  # frozen
    record: dict[str, str] | None = None,
    more: tuple[PixelGrid, ...] = (),
) -> dict[str, Any]:
    """Return the item of a GeoTIFF of one band, checked against STAC's core schema.

    :param more: grids of further rasters in the same file.
    """
    plan = RasterPlan(".tif", (BandInfo("B3", "uint16", grid),), GridAsk())
    band = BandFacts("B3", "uint16", nodata, BandStatistics(1, 9, 5, 50))
    facts = tuple(RasterFacts(Path("x"), plan, each, (band,), ()) for each in (grid, *more))
    file = LocalFile(".tif", Path("x"), 1234, "ab" * 32, GEOTIFF_MEDIA_TYPE, facts)
    source = Source(
        read_image("A/scene"), ImageInfo(plan.bands, properties or {}), read_params({}),
        record or {},
    )  # fmt: skip
    stored = StoredObject("a/b/scene.tif", 1234, '"etag"', "ab" * 32)
    content = build_item(DESTINATION, IDENTITY, source, run, [file], [stored])
    built: dict[str, Any] = json.loads(content)
    JsonSchemaSTACValidator().validate_core(built, pystac.STACObjectType.ITEM, "1.1.0")
    return built


def test_what_was_recorded_is_read_again() -> None:
    record = parse_record(DESTINATION, json.dumps(item()).encode(), '"e"')
    assert (record.fingerprint, record.generation) == ("v1:f", "dag/run/0")
    assert record.objects == (StoredObject("a/b/scene.tif", 1234, '"etag"', "ab" * 32),)
    assert record.uris == ("s3://demo/a/b/scene.tif",)


MILLISECONDS = 1610218671000  # 2021-01-09T18:57:51Z


@pytest.mark.parametrize(
    ("properties", "run", "times"),
    [
        (
            {"system:time_start": MILLISECONDS, "system:time_end": MILLISECONDS + 1000},
            Run({}, WINDOW),
            ("2021-01-09T18:57:51Z", "2021-01-09T18:57:51Z", "2021-01-09T18:57:52Z"),
        ),
        (
            {"system:time_start": MILLISECONDS},
            Run({}, WINDOW),
            ("2021-01-09T18:57:51Z", None, None),
        ),
        ({}, Run({}, WINDOW), (None, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")),
    ],
)
def test_the_time_is_the_images_else_the_runs(
    properties: dict[str, Any], run: Run, times: tuple[str | None, ...]
) -> None:
    built = item(properties=properties, run=run)["properties"]
    names = ("datetime", "start_datetime", "end_datetime")
    assert tuple(built.get(name) for name in names) == times


@pytest.mark.parametrize("window", [None, (WINDOW[0], WINDOW[0]), (WINDOW[1], WINDOW[0])])
def test_a_time_that_nobody_knows_is_said_to_be_unknown(window: Any) -> None:
    """A cron schedule's data interval has no length: it is the day of the run, not of the data."""
    built = item(properties={"system:time_start": "soon"}, run=Run({}, window))["properties"]
    assert (built["datetime"], built["start_datetime"], built["end_datetime"]) == (
        None, "1678-01-01T00:00:00Z", "2262-01-01T00:00:00Z",
    )  # fmt: skip
    assert built["earthengine:time_source"] == "unknown"
    (warning,) = built["earthengine:warnings"]
    assert warning.startswith("system:time_start of the image is 'soon', not a time")


def test_the_footprint_is_the_grids_outline_in_degrees() -> None:
    built = item()
    assert built["bbox"] == pytest.approx([-122.0859, 37.0436, -122.0622, 37.0589], abs=2e-3)
    assert shape(built["geometry"]).is_valid
    assert len(built["geometry"]["coordinates"][0]) == 5


def test_an_asset_of_rasters_on_unlike_grids_is_said_to_be_on_none() -> None:
    twice = replace(UTM, width=UTM.width // 2)
    (asset,) = item(more=(twice,))["assets"].values()
    assert [band["name"] for band in asset["bands"]] == ["B3", "B3"]
    assert [name for name in asset if name.startswith("proj:")] == []
    (asset,) = item(more=(UTM,))["assets"].values()
    assert (asset["proj:code"], asset["proj:shape"]) == ("EPSG:32610", [86, 105])


def test_a_raster_without_a_place_has_no_footprint() -> None:
    built = item(PixelGrid("", (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), 10, 10))
    assert built["geometry"] is None
    assert "bbox" not in built


@pytest.mark.parametrize(
    ("nodata", "written"), [(0.0, 0), (float("-inf"), "-inf"), (float("nan"), "nan"), (None, None)]
)
def test_a_nodata_value_is_written_as_stac_writes_it(nodata: Any, written: Any) -> None:
    (band,) = item(nodata=nodata)["assets"]["data"]["bands"]
    assert band.get("nodata") == written
    assert band["statistics"] == {"minimum": 1, "maximum": 9, "mean": 5, "valid_percent": 50}


SINUSOIDAL = "+proj=sinu +R=6371007.181 +units=m"


@pytest.mark.parametrize("version", ["WKT1_GDAL", "WKT2_2019"])
def test_a_crs_without_a_code_is_written_as_wkt2(version: str) -> None:
    crs = pyproj.CRS.from_proj4(SINUSOIDAL)
    grid = PixelGrid(crs.to_wkt(version), (1000.0, 0.0, 0.0, 0.0, -1000.0, 0.0), 10, 10)
    asset = item(grid)["assets"]["data"]
    assert "proj:code" not in asset
    # The keyword is WKT2's; WKT1 has PROJCS.
    assert asset["proj:wkt2"].startswith("PROJCRS[")
    assert pyproj.CRS.from_wkt(asset["proj:wkt2"]).equals(crs, ignore_axis_order=True)


@pytest.mark.parametrize("code", ["EPSG:32610", "SR-ORG:0"])
def test_a_crs_with_a_code_is_written_as_that(code: str) -> None:
    grid = PixelGrid(code, (1000.0, 0.0, 0.0, 0.0, -1000.0, 0.0), 10, 10)
    asset = item(grid)["assets"]["data"]
    assert asset["proj:code"] == code
    assert "proj:wkt2" not in asset


def test_what_earth_engine_and_the_user_said_is_kept() -> None:
    properties = {"CLOUDY": float("nan"), "MGRS_TILE": "10SEG", "list": [1.5, float("inf")]}
    built = item(
        properties=properties,
        record={"license": "CC-BY-4.0", "attribution": "Contains modified Copernicus data"},
        run=Run({"airflow:dag_id": "daily"}),
    )["properties"]
    assert built["earthengine:properties"] == {
        "CLOUDY": "nan", "MGRS_TILE": "10SEG", "list": [1.5, "inf"],
    }  # fmt: skip
    assert built["license"] == "CC-BY-4.0"
    assert built["attribution"] == "Contains modified Copernicus data"
    assert built["airflow:dag_id"] == "daily"
