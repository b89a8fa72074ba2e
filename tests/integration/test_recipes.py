"""The recipes mask, scale and combine what they say, on the landscape of the demo's catalog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ee
import numpy as np
import numpy.typing as npt
import pytest

from airflow_provider.earthengine.demo.servers import CATALOG_FOLDER
from airflow_provider.earthengine.download.fields.job import DownloadFields
from airflow_provider.earthengine.emulator.server import serve
from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.recipes import (
    downloads_of_regions,
    landsat_scales,
    mask_by_cloud_score,
    mask_by_scene_class,
    mask_landsat_clouds,
    monthly_median,
    scale_landsat,
)
from stack.emulator import earthengine_connection

SENTINEL2 = "COPERNICUS/S2_SR_HARMONIZED"
SCORES = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
LANDSAT = "LANDSAT/LC08/C02/T1_L2"
# With clouds over a half.
CLOUDY = "20210107T185751_20210107T185931_T10SEG"
Bands = npt.NDArray[Any]


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with serve(CATALOG_FOLDER) as emulator, pytest.MonkeyPatch.context() as environment:
        connection = earthengine_connection(emulator.url, "demo")
        environment.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", connection)
        with EarthEngineHook() as hook:
            hook.get_conn()
            yield


def pixels(image: ee.Image, metres: int = 20) -> Bands:
    """Return 300 x 200 pixels of an image; what is masked is -1."""
    affine = {"scaleX": metres, "shearX": 0, "translateX": 577980,
              "shearY": 0, "scaleY": -metres, "translateY": 4104015}  # fmt: skip
    grid = {
        "crsCode": "EPSG:32610",
        "affineTransform": affine,
        "dimensions": {"width": 300, "height": 200},
    }
    request = {"expression": image, "fileFormat": "NUMPY_NDARRAY", "grid": grid}
    answer: Bands = ee.data.computePixels(request)
    return answer


def marked(image: ee.Image) -> ee.Image:
    return image.toFloat().unmask(-1)


@pytest.mark.slow
def test_only_the_wanted_scene_classes_are_left() -> None:
    image = ee.Image(f"{SENTINEL2}/{CLOUDY}")
    kept = pixels(marked(mask_by_scene_class(image).select("B4")))["B4"] >= 0
    classes = pixels(image.select("SCL"))["SCL"]
    assert set(np.unique(classes[kept])) <= {4, 5, 6}
    assert not (set(np.unique(classes[~kept])) & {4, 5, 6})
    assert 0.05 < kept.mean() < 0.95, "the clouds leave nothing to test"
    water = pixels(marked(mask_by_scene_class(image, keep=[9]).select("B4")))["B4"] >= 0
    np.testing.assert_array_equal(water, classes == 9)


@pytest.mark.slow
@pytest.mark.parametrize("least", [0.2, 0.6])
def test_what_the_cloud_score_finds_unclear_is_masked(least: float) -> None:
    image = ee.Image(f"{SENTINEL2}/{CLOUDY}")
    kept = pixels(marked(mask_by_cloud_score(image, least).select("B4")))["B4"] >= 0
    score = pixels(ee.Image(f"{SCORES}/{CLOUDY}"))["cs_cdf"]
    np.testing.assert_array_equal(kept, score >= np.float32(least))
    assert 0.05 < kept.mean() < 0.95, "the clouds leave nothing to test"


def test_an_image_without_a_cloud_score_is_masked_wholly() -> None:
    image = ee.Image("COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG")
    other = image.set("system:index", "another")
    assert (pixels(marked(mask_by_cloud_score(other).select("B4")))["B4"] == -1).all()


def test_landsats_clouds_are_masked_and_its_numbers_scaled() -> None:
    image = ee.Image(f"{LANDSAT}/LC08_044034_20201214")
    bands = ["SR_B4", "ST_B10"]
    scaled = pixels(marked(scale_landsat(mask_landsat_clouds(image), bands)), 30)
    stored = pixels(image.select([*bands, "QA_PIXEL"]), 30)
    # Bits 0 to 4: fill, dilated cloud, cirrus, cloud, shadow.
    is_clear = stored["QA_PIXEL"] % 32 == 0
    assert 0.05 < is_clear.mean() < 0.95, "the clouds leave nothing to test"
    red = np.where(is_clear, stored["SR_B4"] * 0.0000275 - 0.2, -1)
    kelvin = np.where(is_clear, stored["ST_B10"] * 0.00341802 + 149.0, -1)
    np.testing.assert_allclose(scaled["SR_B4"], red, atol=1e-6)
    np.testing.assert_allclose(scaled["ST_B10"], kelvin, rtol=1e-6)

    for band, values in (("SR_B4", red), ("ST_B10", kelvin)):
        scale = landsat_scales(bands)[band]
        unscaled = np.where(is_clear, stored[band] * scale["scale"] + scale["offset"], -1)
        np.testing.assert_allclose(unscaled, values)


def test_a_band_without_a_scale_is_refused_by_name() -> None:
    with pytest.raises(DownloadParamsError, match="'QA_PIXEL' has no scale"):
        scale_landsat(ee.Image(f"{LANDSAT}/LC08_044034_20201214"), ["SR_B4", "QA_PIXEL"])
    with pytest.raises(DownloadParamsError, match="'QA_PIXEL' has no scale"):
        landsat_scales(["SR_B4", "QA_PIXEL"])


@pytest.mark.slow
def test_a_month_is_the_median_of_its_images_alone() -> None:
    def red(image: ee.Image) -> ee.Image:
        return mask_by_scene_class(image).select("B4")

    composite = pixels(marked(monthly_median(SENTINEL2, "2021-02", red)))["B4"]
    images = ee.ImageCollection(SENTINEL2).filterDate("2021-02-01", "2021-03-01")
    indexes: Any = images.aggregate_array("system:index").getInfo()
    assert {each[:6] for each in indexes} == {"202102"}
    each_image = [pixels(marked(red(ee.Image(f"{SENTINEL2}/{index}"))))["B4"] for index in indexes]
    stack = np.array(each_image, dtype="float64")
    stack[stack == -1] = np.nan
    assert not np.isnan(stack).all(axis=0).any(), "no pixel is clear all month"
    np.testing.assert_allclose(composite, np.nanmedian(stack, axis=0))


@pytest.mark.parametrize("month", ["2021-1", "2021-13", "January", "", None])
def test_a_month_that_is_none_is_refused(month: Any) -> None:
    with pytest.raises(DownloadParamsError, match="write it as in '2021-01'"):
        monthly_median(SENTINEL2, month, mask_by_scene_class)


def test_each_region_becomes_a_download_with_its_name() -> None:
    regions = {"north": [0, 1, 2, 3], "south": {"type": "Point", "coordinates": [0, 0]}}
    expanded = downloads_of_regions(regions, {"scale": 20}, s3_prefix="a")
    assert expanded == [
        {"s3_prefix": "a", "download_params": {"scale": 20, "name": name, "region": region}}
        for name, region in regions.items()
    ]
    for each in expanded:
        DownloadFields(image="x", s3_bucket="b", **each)


@pytest.mark.parametrize(
    ("regions", "params", "text"),
    [
        ({}, {}, "names no region"),
        ({"a": [0, 1, 2, 3]}, {"name": "b"}, "has name, which the regions give"),
        ({"a": [0, 1, 2, 3]}, {"region": [0, 1, 2, 3]}, "has region, which the regions give"),
    ],
)
def test_regions_that_contradict_the_params_are_refused(
    regions: dict[str, Any], params: dict[str, Any], text: str
) -> None:
    with pytest.raises(DownloadParamsError, match=text):
        downloads_of_regions(regions, params)
