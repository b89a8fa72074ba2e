"""What an image is made of, as far as its program and its properties say."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.image import ImageSource, read_image
from airflow_provider.earthengine.download.fields.source import KnownSource, ListedImage
from airflow_provider.earthengine.download.plan.image_info import ImageInfo
from airflow_provider.earthengine.download.plan.origin import catalogued_sources, sensor_of
from airflow_provider.earthengine.download.plan.sensors import (
    LANDSAT_ETM,
    LANDSAT_OLI,
    LANDSAT_TM,
    SENTINEL2,
    Sensor,
    SensorBand,
)


def load(function: str, asset_id: Any) -> dict[str, Any]:
    """Return a call of Earth Engine's as its client writes it."""
    return {
        "functionInvocationValue": {"functionName": function, "arguments": {"id": asset_id}},
    }


def median_of(*collections: str) -> ImageSource:
    """Return a program that combines collections; the second id is a reference."""
    ids = [{"valueReference": f"id{n}"} if n else {"constantValue": each}
           for n, each in enumerate(collections)]  # fmt: skip
    calls = {str(n): load("ImageCollection.load", each) for n, each in enumerate(ids)}
    named = {f"id{n}": {"constantValue": each} for n, each in enumerate(collections)}
    nested = {"arrayValue": {"values": [{"valueReference": each} for each in calls]}}
    return ImageSource({"result": "x", "values": {"x": nested, **calls, **named}})


def origin(
    image: ImageSource, properties: dict[str, Any] | None = None, listed: Any = ()
) -> tuple[tuple[str, ...], Sensor | None]:
    info = ImageInfo((), properties or {})
    source = KnownSource(images=tuple(ListedImage(each, None, None) for each in listed))
    return catalogued_sources(image, info, source), sensor_of(image, info, source)


@pytest.mark.parametrize(
    ("asset_id", "entry", "sensor"),
    [
        ("COPERNICUS/S2_SR_HARMONIZED/20210109T1_T10SEG", "COPERNICUS/S2_SR_HARMONIZED", SENTINEL2),
        ("COPERNICUS/S2/20210109T1_T10SEG", "COPERNICUS/S2", SENTINEL2),
        ("LANDSAT/LC09/C02/T1_L2/LC09_1", "LANDSAT/LC09/C02/T1_L2", LANDSAT_OLI),
        ("LANDSAT/LE07/C02/T1_TOA/LE07_1", "LANDSAT/LE07/C02/T1_TOA", LANDSAT_ETM),
        ("LANDSAT/LT05/C02/T1_L2/LT05_1", "LANDSAT/LT05/C02/T1_L2", LANDSAT_TM),
        ("COPERNICUS/S2_CLOUD_PROBABILITY/1", "COPERNICUS/S2_CLOUD_PROBABILITY", SENTINEL2),
        ("COPERNICUS/S1_GRD/S1A_1", "COPERNICUS/S1_GRD", None),
        ("USGS/SRTMGL1_003", "USGS/SRTMGL1_003", None),
        (
            "projects/earthengine-public/assets/COPERNICUS/S2_SR/1", "COPERNICUS/S2_SR", SENTINEL2,
        ),
    ],
)  # fmt: skip
def test_an_image_is_of_the_collection_that_holds_it(
    asset_id: str, entry: str, sensor: Sensor | None
) -> None:
    assert origin(read_image(asset_id)) == ((entry,), sensor)


@pytest.mark.parametrize(
    "properties", [{"title": "JRC Global Surface Water"}, {"type_name": "Image"}], ids=str
)
def test_an_image_outside_of_collections_has_its_own_entry(properties: dict[str, Any]) -> None:
    image = read_image("JRC/GSW1_4/GlobalSurfaceWater")
    assert origin(image, properties)[0] == ("JRC/GSW1_4/GlobalSurfaceWater",)


def test_a_band_measures_what_is_between_its_limits() -> None:
    assert LANDSAT_OLI.band("SR_B4") == SensorBand("red", 0.655, 0.03)
    assert SENTINEL2.band("B4") == SensorBand("red", 0.6645)
    assert LANDSAT_OLI.band("QA_PIXEL") is None


@pytest.mark.parametrize("asset_id", ["projects/demo/assets/a/b", "users/somebody/a"])
def test_an_asset_of_a_project_is_in_no_catalog(asset_id: str) -> None:
    assert origin(read_image(asset_id)) == ((), None)


def test_a_composite_is_of_all_collections_that_it_loads() -> None:
    scores = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
    found = origin(median_of("COPERNICUS/S2_SR_HARMONIZED", scores))
    assert found == (("COPERNICUS/S2_SR_HARMONIZED", scores), SENTINEL2)


def test_a_composite_of_two_sensors_is_of_none() -> None:
    """B4 is red in one, and near infrared in the other."""
    assert origin(median_of("LANDSAT/LC08/C02/T1_L2", "LANDSAT/LE07/C02/T1_L2"))[1] is None


def test_the_images_of_a_listing_count() -> None:
    listed = ["COPERNICUS/S2_SR/1", "COPERNICUS/S2_SR/2"]
    assert origin(ImageSource({}), listed=listed) == (("COPERNICUS/S2_SR",), SENTINEL2)


@pytest.mark.parametrize(
    ("name", "value", "sensor"),
    [
        ("SPACECRAFT_NAME", "Sentinel-2C", SENTINEL2),
        ("SPACECRAFT_ID", "LANDSAT_9", LANDSAT_OLI),
        ("SPACECRAFT_ID", "LANDSAT_7", LANDSAT_ETM),
        ("SPACECRAFT_ID", "LANDSAT_1", None),
        ("SPACECRAFT_ID", 7, None),
    ],
)
def test_an_image_that_names_its_spacecraft_is_of_that(
    name: str, value: Any, sensor: Sensor | None
) -> None:
    assert origin(read_image("projects/demo/assets/a"), {name: value})[1] is sensor


@pytest.mark.parametrize(
    "expression",
    [
        {"result": "0", "values": {"0": load("Image.load", {"valueReference": "gone"})}},
        {"result": "0", "values": {"0": load("Image.load", {"constantValue": 7})}},
        {
            "result": "0",
            "values": {"0": {"functionInvocationValue": {"functionName": "Image.load"}}},
        },
        {"functionInvocationValue": "x", "values": []},
    ],
)
def test_a_program_that_computes_its_assets_is_of_unknown_ones(expression: Any) -> None:
    assert origin(ImageSource(expression)) == ((), None)


def test_a_band_of_landsat_is_known_with_and_without_its_prefix() -> None:
    assert {LANDSAT_OLI.band(each) for each in ("B4", "SR_B4")} == {LANDSAT_OLI.bands["B4"]}
    assert LANDSAT_OLI.band("SR_QA_AEROSOL") is None
    assert LANDSAT_TM.band("B8") is None
