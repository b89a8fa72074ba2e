import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyproj
import pytest
from shapely.geometry import shape

from airflow_provider.earthengine.download.fields.destination import Destination, Identity, IfExists
from airflow_provider.earthengine.download.fields.image import read_image
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.fields.record import read_band_records, read_record
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
from tests.support.stac_extensions import check_item

DESTINATION = Destination("demo", "a/b", "scene", ".tif.json")
IDENTITY = Identity("v1:f", "dag/run/0", IfExists.REPLACE_CHANGED)
UTM = PixelGrid("EPSG:32610", (20.0, 0.0, 581260.0, 0.0, -20.0, 4101800.0), 105, 86)
WINDOW = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


def item(
    grid: PixelGrid | None = UTM,
    nodata: float | None = 0,
    properties: dict[str, Any] | None = None,
    run: Run = Run({}),  # noqa: B008  # frozen
    record: dict[str, Any] | None = None,
    more: tuple[PixelGrid, ...] = (),
    image: Any = "A/scene",
    band_ids: tuple[str, ...] = ("B3",),
    params: dict[str, Any] = {},  # noqa: B006  # not changed
) -> dict[str, Any]:
    """Return the item of a GeoTIFF, checked against STAC's core and the extensions.

    :param more: grids of further rasters in the same file.
    """
    infos = tuple(BandInfo(each, "uint16", grid) for each in band_ids)
    plan = RasterPlan(".tif", infos, GridAsk())
    statistics = BandStatistics(1, 9, 5, 50)
    bands = tuple(BandFacts(each, "uint16", nodata, statistics) for each in band_ids)
    facts = tuple(RasterFacts(Path("x"), plan, each, bands, ()) for each in (grid, *more))
    file = LocalFile(".tif", Path("x"), 1234, "ab" * 32, GEOTIFF_MEDIA_TYPE, facts)
    source = Source(
        read_image(image), ImageInfo(plan.bands, properties or {}), read_params(params),
        read_record(record), bands=read_band_records(record),
    )  # fmt: skip
    stored = StoredObject("a/b/scene.tif", 1234, '"etag"', "ab" * 32)
    content = build_item(DESTINATION, IDENTITY, source, run, [file], [stored])
    built: dict[str, Any] = json.loads(content)
    check_item(built)
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
        record={"licence": "CC-BY-4.0", "attribution": "Contains modified Copernicus data"},
        run=Run({"airflow:dag_id": "daily"}),
    )["properties"]
    assert json.loads(built["earthengine:properties"]) == {
        "CLOUDY": "nan", "MGRS_TILE": "10SEG", "list": [1.5, "inf"],
    }  # fmt: skip
    assert built["license"] == "CC-BY-4.0"
    assert built["attribution"] == "Contains modified Copernicus data"
    assert built["airflow:dag_id"] == "daily"


SENTINEL2 = "COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG"
# Of that image.
SCENE = {
    "SPACECRAFT_NAME": "Sentinel-2A",
    "CLOUDY_PIXEL_PERCENTAGE": 29,
    "SNOW_ICE_PERCENTAGE": 0.5,
    "MEAN_SOLAR_AZIMUTH_ANGLE": 163.9,
    "MEAN_SOLAR_ZENITH_ANGLE": 61.25,
    "MEAN_INCIDENCE_ZENITH_ANGLE_B8": 2.5,
    "MEAN_INCIDENCE_AZIMUTH_ANGLE_B8": 105.0,
    "SENSING_ORBIT_DIRECTION": "DESCENDING",
    "SENSING_ORBIT_NUMBER": 113,
}


def test_a_scene_of_sentinel_2_is_described_in_stacs_words() -> None:
    built = item(properties=SCENE, image=SENTINEL2, band_ids=("B4", "B8A", "SCL"))
    expected = {
        "platform": "sentinel-2a",
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "gsd": 20.0,
        "eo:cloud_cover": 29.0,
        "eo:snow_cover": 0.5,
        "view:sun_azimuth": 163.9,
        "view:sun_elevation": 28.75,
        "view:incidence_angle": 2.5,
        "view:azimuth": 105.0,
        "sat:orbit_state": "descending",
        "sat:relative_orbit": 113,
    }
    assert {name: built["properties"][name] for name in expected} == expected
    assert isinstance(built["properties"]["eo:cloud_cover"], float)
    asset = built["assets"]["data"]
    assert [band.get("eo:common_name") for band in asset["bands"]] == ["red", "nir08", None]
    assert asset["eo:bands"] == [
        {"name": "B4", "common_name": "red", "center_wavelength": 0.6645},
        {"name": "B8A", "common_name": "nir08", "center_wavelength": 0.8648},
        {"name": "SCL"},
    ]


def test_red_edges_have_names_of_their_own_only_where_stac_has_them() -> None:
    asset = item(image=SENTINEL2, band_ids=("B5", "B6", "B7"))["assets"]["data"]
    assert [band["eo:common_name"] for band in asset["bands"]] == [
        "rededge071", "rededge075", "rededge078",
    ]  # fmt: skip
    assert {band["common_name"] for band in asset["eo:bands"]} == {"rededge"}


@pytest.mark.parametrize(
    ("wrong", "left_out"),
    [
        ({"CLOUD_COVER": -1}, "eo:cloud_cover"),
        ({"CLOUDY_PIXEL_PERCENTAGE": "29"}, "eo:cloud_cover"),
        ({"CLOUDY_PIXEL_PERCENTAGE": True}, "eo:cloud_cover"),
        ({"CLOUDY_PIXEL_PERCENTAGE": float("nan")}, "eo:cloud_cover"),
        ({"SUN_AZIMUTH": [1]}, "view:sun_azimuth"),
        ({"SUN_ELEVATION": 91}, "view:sun_elevation"),
        ({"SENSING_ORBIT_NUMBER": 1.5}, "sat:relative_orbit"),
        ({"SENSING_ORBIT_DIRECTION": "UP"}, "sat:orbit_state"),
        ({"SPACECRAFT_NAME": {"a": 1}}, "platform"),
    ],
)
def test_a_property_that_is_not_what_its_name_says_is_only_recorded(
    wrong: dict[str, Any], left_out: str
) -> None:
    built = item(properties=wrong)["properties"]
    assert left_out not in built
    assert next(iter(wrong)) in json.loads(built["earthengine:properties"])


def test_landsats_angles_are_those_of_stac() -> None:
    scene = {"SPACECRAFT_ID": "LANDSAT_8", "SUN_AZIMUTH": -20.0, "ROLL_ANGLE": -0.5,
             "SUN_ELEVATION": 40.0, "CLOUD_COVER": 7}  # fmt: skip
    built = item(
        properties=scene,
        image="LANDSAT/LC08/C02/T1_L2/LC08_044034_20210109",
        band_ids=("SR_B4", "SR_B5", "ST_B10", "QA_PIXEL"),
    )
    properties = built["properties"]
    assert (properties["view:sun_azimuth"], properties["view:off_nadir"]) == (340.0, 0.5)
    assert (properties["platform"], properties["eo:cloud_cover"]) == ("landsat-8", 7.0)
    bands = built["assets"]["data"]["eo:bands"]
    assert [band.get("common_name") for band in bands] == ["red", "nir08", "lwir11", None]


@pytest.mark.parametrize(
    ("grid", "metres"),
    [
        (UTM, 20),
        (replace(UTM, crs="EPSG:4326", transform=(0.25, 0, 0, 0, -0.25, 0)), 27829.87270),
        # In US survey feet.
        (replace(UTM, crs="EPSG:2227", transform=(10, 0, 6e6, 0, -10, 2e6)), 3.04800610),
        (replace(UTM, crs="SR-ORG:0"), None),
    ],
)
def test_the_ground_sample_distance_is_in_metres(grid: PixelGrid, metres: float | None) -> None:
    built = item(grid)
    assert built["properties"].get("gsd") == built["assets"]["data"].get("gsd")
    assert built["properties"].get("gsd") == (metres and pytest.approx(metres, rel=1e-8))


def test_a_scale_that_the_user_gives_is_the_bands() -> None:
    record = {"bands": {"B4": {"scale": "0.0001", "offset": -1, "unit": "1"}}}
    for kind in (record, json.dumps(record)):
        first, second = item(record=kind, band_ids=("B4", "B8"))["assets"]["data"]["bands"]
        assert (first["raster:scale"], first["raster:offset"], first["unit"]) == (0.0001, -1.0, "1")
        assert "raster:scale" not in second


@pytest.mark.parametrize(
    "region",
    [
        [-122.5, 37, -122, 37.5],
        [[-122.5, 37], [-122, 37], [-122, 37.5], [-122.5, 37.5]],
        [[-122.5, 37], [-122, 37], [-122, 37.5], [-122.5, 37.5], [-122.5, 37]],
        {"type": "Polygon", "coordinates": [ring := [
            [-122.5, 37], [-122, 37], [-122, 37.5], [-122.5, 37.5], [-122.5, 37]
        ]]},
        {"type": "MultiPolygon", "coordinates": [[ring]]},
    ],
)  # fmt: skip
def test_a_region_is_of_one_type_in_whatever_form_it_was_given(region: Any) -> None:
    params = item(params={"region": region, "bands": ["B3"]})["properties"]["earthengine:params"]
    assert params["region"]["type"] == "MultiPolygon"
    assert shape(params["region"]).equals(shape({"type": "Polygon", "coordinates": [ring]}))
    assert params["bands"] == [{"id": "B3"}]


def test_a_region_that_is_a_table_is_named() -> None:
    built = item(params={"region": "projects/demo/assets/regions"})["properties"]
    assert built["earthengine:region_table"] == "projects/demo/assets/regions"
    assert "region" not in built["earthengine:params"]


def test_an_item_knows_where_it_is_and_what_it_is_from() -> None:
    built = item(image=SENTINEL2)
    links = {link["rel"]: link for link in built["links"]}
    assert links["self"]["href"] == "s3://demo/a/b/scene.tif.json"
    assert links["derived_from"]["href"] == (
        "https://storage.googleapis.com/earthengine-stac/catalog/COPERNICUS/COPERNICUS_S2_SR.json"
    )
    assert SENTINEL2 in built["properties"]["processing:lineage"]
    assert set(built["properties"]["processing:software"]) == {
        "airflow-provider-earthengine", "earthengine-api",
    }  # fmt: skip


def test_an_items_fields_have_one_type_over_a_series_of_unlike_downloads() -> None:
    def types(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: types(each) for key, each in value.items()}
        if isinstance(value, list):
            return [types(each) for each in value[:1]]
        return "number" if isinstance(value, int | float) else type(value).__name__

    odd = {"CLOUDY_PIXEL_PERCENTAGE": 3.5, "SENSING_ORBIT_NUMBER": 13.0, "ORBIT": "thirteen"}
    one = item(properties={**SCENE, "ORBIT": 13}, params={"region": [0, 0, 1, 1]})
    two = item(properties={**SCENE, **odd}, params={"region": [[0, 0], [1, 0], [1, 1]]})
    assert types(one) == types(two)


def test_an_item_of_before_is_read_as_ever() -> None:
    """Its properties were an object, its region in any form, its bands without extensions."""
    old = item()
    old["properties"] |= {
        "earthengine:params": {"region": [0, 0, 1, 1]}, "earthengine:properties": {"a": 1},
        "earthengine:software": {"airflow-provider-earthengine": "0.0.9"},
    }  # fmt: skip
    del old["properties"]["processing:software"], old["links"], old["assets"]["data"]["eo:bands"]
    record = parse_record(DESTINATION, json.dumps(old).encode(), "e")
    assert record.objects == (StoredObject("a/b/scene.tif", 1234, '"etag"', "ab" * 32),)
