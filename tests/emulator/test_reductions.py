"""Reducers: statistics of bands, of the images of a collection, and of regions, against numpy."""

from __future__ import annotations

from typing import Any

import ee
import numpy as np
import numpy.typing as npt
import pytest
import shapely

from tests.emulator.official_client import Tiff, download
from tests.support.expected import formula_values

pytestmark = pytest.mark.usefixtures("client")

DAILY = "projects/demo/assets/s2_daily"
REGIONS = "projects/demo/assets/regions"
# 16 x 10 pixels of 10 m of the collection.
WEST, NORTH = 499980 + 1000, 4200000 - 2000
WINDOW: dict[str, Any] = {
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, WEST, 0, -10, NORTH],
    "dimensions": [16, 10],
}
ROWS, COLUMNS = np.arange(200, 210)[:, np.newaxis], np.arange(100, 116)[np.newaxis, :]
NUMBERS = (0, 1, 2, 3, 4)
LIMIT = 3000
Numbers = npt.NDArray[np.float64]


def values_of(number: int, band: int = 0) -> Numbers:
    return formula_values(band, "uint16", ROWS, COLUMNS, number + 1).astype(np.float64)


def images() -> ee.ImageCollection:
    """Return the first images, masked where the value is not below a limit."""
    first = ee.ImageCollection(DAILY).limit(len(NUMBERS)).select(["B4"])
    return first.map(lambda image: image.updateMask(image.lt(limit())))


def limit() -> int:
    return int(np.median([values_of(number) for number in NUMBERS]))


def stack() -> Numbers:
    values = np.stack([values_of(number) for number in NUMBERS])
    return np.where(values < limit(), values, np.nan)


def pixels(image: ee.Image) -> Numbers:
    bands = Tiff(download(image=image, format="GEO_TIFF", **WINDOW)).bands
    return np.asarray(bands, dtype=np.float64)


EXPECTED = {
    "mean": np.nanmean,
    "median": np.nanmedian,
    "min": np.nanmin,
    "max": np.nanmax,
    "sum": np.nansum,
    "stdDev": np.nanstd,
    "variance": np.nanvar,
    "count": lambda values, axis: np.isfinite(values).sum(axis=axis),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_collection_is_reduced_pixel_by_pixel(name: str) -> None:
    with np.errstate(all="ignore"):
        expected = EXPECTED[name](stack(), axis=0)
    is_valid = np.isfinite(stack()).any(axis=0)
    assert is_valid.any()
    reduced = images().reduce(getattr(ee.Reducer, name)())
    assert reduced.bandNames().getInfo() == [f"B4_{name}"]
    (read,) = pixels(reduced)
    np.testing.assert_allclose(read[is_valid], expected[is_valid], rtol=1e-12)


def test_percentiles_lie_between_the_values_and_name_their_bands() -> None:
    reduced = images().reduce(ee.Reducer.percentile([0, 25, 90, 100]))
    assert reduced.bandNames().getInfo() == ["B4_p0", "B4_p25", "B4_p90", "B4_p100"]
    is_valid = np.isfinite(stack()).any(axis=0)
    expected = np.nanpercentile(stack()[:, is_valid], [0, 25, 90, 100], axis=0)
    np.testing.assert_allclose(pixels(reduced)[:, is_valid], expected, rtol=1e-12)
    named = images().reduce(ee.Reducer.percentile([50], ["middle"]))
    assert named.bandNames().getInfo() == ["B4_middle"]


def test_the_bands_of_an_image_are_reduced_to_one() -> None:
    image = ee.Image(ee.ImageCollection(DAILY).first()).select(["B4", "B8"])
    both = np.stack([values_of(0, 0), values_of(0, 1)])
    reducer = ee.Reducer.mean().combine(ee.Reducer.max(), sharedInputs=True)
    reduced = image.reduce(reducer)
    assert reduced.bandNames().getInfo() == ["mean", "max"]
    np.testing.assert_allclose(pixels(reduced), np.stack([both.mean(0), both.max(0)]))


def place(shape: Any) -> ee.Geometry:
    """Return a polygon of the grid's metres as a region."""
    return ee.Geometry.Polygon([list(shape.exterior.coords)], "EPSG:32610", False)


# Neither on the pixels' edges nor parallel to them.
SLANTED = shapely.Polygon(
    [
        (WEST + 13, NORTH - 7),
        (WEST + 141, NORTH - 22),
        (WEST + 118, NORTH - 91),
        (WEST + 31, NORTH - 64),
    ]
)


def weights() -> Numbers:
    squares = shapely.box(
        WEST + 10.0 * (COLUMNS - 100),
        NORTH - 10.0 * (ROWS - 200) - 10,
        WEST + 10.0 * (COLUMNS - 100) + 10,
        NORTH - 10.0 * (ROWS - 200),
    )
    shares = shapely.area(shapely.intersection(squares, SLANTED)) / 100
    # As documented, in 256 steps.
    return np.clip(np.floor(shares * 256 + 1e-6), 0, 255) / 255


def centres() -> npt.NDArray[np.bool_]:
    return shapely.contains_xy(
        SLANTED, WEST + 10.0 * (COLUMNS - 100) + 5, NORTH - 10.0 * (ROWS - 200) - 5
    )


def region_of(reducer: ee.Reducer, **params: Any) -> dict[str, Any]:
    image = ee.Image(ee.ImageCollection(DAILY).first()).select(["B4"])
    found: dict[str, Any] = image.reduceRegion(reducer, place(SLANTED), **params).getInfo()
    return found


def test_means_and_sums_of_a_region_weigh_pixels_by_the_part_inside() -> None:
    values, shares = values_of(0), weights()
    mean = np.average(values, weights=shares)
    assert region_of(ee.Reducer.mean(), scale=10)["B4"] == pytest.approx(mean, rel=1e-9)
    total = (values * shares).sum()
    assert region_of(ee.Reducer.sum(), scale=10)["B4"] == pytest.approx(total, rel=1e-9)
    deviation = np.average((values - mean) ** 2, weights=shares) ** 0.5
    assert region_of(ee.Reducer.stdDev(), scale=10)["B4"] == pytest.approx(deviation, rel=1e-9)


def test_unweighted_pixels_count_whole_if_their_centre_is_inside() -> None:
    expected = values_of(0)[centres()].mean()
    found = region_of(ee.Reducer.mean().unweighted(), scale=10)["B4"]
    assert found == pytest.approx(expected, rel=1e-12)


def test_other_statistics_of_a_region_take_pixels_whose_centre_is_inside() -> None:
    inside = values_of(0)[centres()]
    assert region_of(ee.Reducer.count())["B4"] == inside.size
    assert region_of(ee.Reducer.min())["B4"] == inside.min()
    assert region_of(ee.Reducer.max())["B4"] == inside.max()
    assert region_of(ee.Reducer.median())["B4"] == np.median(inside)
    assert region_of(ee.Reducer.percentile([10, 90])) == pytest.approx(
        {"B4_p10": np.percentile(inside, 10), "B4_p90": np.percentile(inside, 90)}
    )
    assert region_of(ee.Reducer.minMax()) == {"B4_min": inside.min(), "B4_max": inside.max()}


def test_a_point_is_in_one_pixel() -> None:
    image = ee.Image(ee.ImageCollection(DAILY).first()).select(["B4", "B8"])
    point = ee.Geometry.Point([WEST + 57, NORTH - 32], "EPSG:32610")
    found = image.reduceRegion(ee.Reducer.first(), point, 10).getInfo()
    assert found == {"B4": values_of(0, 0)[3, 5], "B8": values_of(0, 1)[3, 5]}
    corner = ee.Geometry.Point([WEST + 50, NORTH - 30], "EPSG:32610")
    assert image.reduceRegion(ee.Reducer.mean(), corner, 10).getInfo()["B4"] == values_of(0)[3, 5]


def test_a_region_without_valid_pixels_has_no_mean() -> None:
    image = ee.Image(ee.ImageCollection(DAILY).first()).select(["B4"])
    nothing = image.updateMask(0)
    reducer = ee.Reducer.mean().combine(ee.Reducer.count(), sharedInputs=True)
    found = nothing.reduceRegion(reducer, place(SLANTED), 10).getInfo()
    assert found == {"B4_mean": None, "B4_count": 0}


def test_each_region_of_a_table_gets_its_own_numbers() -> None:
    image = ee.Image(ee.ImageCollection(DAILY).first()).select(["B4", "B8"])
    far = ee.Feature(ee.Geometry.Point([0, 0]), {"name": "far"})
    table = ee.FeatureCollection([ee.Feature(place(SLANTED), {"name": "near"}), far])
    found = image.reduceRegions(table, ee.Reducer.max(), 10)
    inside = centres()
    assert found.first().toDictionary().getInfo() == {
        "name": "near",
        "B4": values_of(0, 0)[inside].max(),
        "B8": values_of(0, 1)[inside].max(),
    }
    assert found.aggregate_array("name").getInfo() == ["near", "far"]
    assert found.aggregate_array("B4").size().getInfo() == 1
    single = image.select("B8").reduceRegions(table, ee.Reducer.max(), 10)
    assert single.first().get("max").getInfo() == values_of(0, 1)[inside].max()


def test_columns_are_reduced_as_pixels_are() -> None:
    collection = ee.ImageCollection(DAILY).limit(9)
    clouds = np.array(collection.aggregate_array("CLOUDY_PIXEL_PERCENTAGE").getInfo())
    reducer = ee.Reducer.mean().combine(ee.Reducer.stdDev(), sharedInputs=True)
    found = collection.reduceColumns(reducer, ["CLOUDY_PIXEL_PERCENTAGE"]).getInfo()
    assert found == pytest.approx({"mean": clouds.mean(), "stdDev": clouds.std()})


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"maxPixels": 10}, "Found 140, but maxPixels allows only 10."),
        ({"maxPixels": 10, "bestEffort": True}, "'bestEffort' of Image.reduceRegion for more"),
        ({"scale": 10, "crsTransform": [1, 0, 0, 0, 1, 0]}, "Only one of 'crsTransform'"),
        ({"scale": -1}, "Scale must be a positive number"),
    ],
)
def test_a_region_that_makes_no_sense_is_refused(params: dict[str, Any], text: str) -> None:
    with pytest.raises(ee.EEException, match=text):
        region_of(ee.Reducer.mean(), **params)


def test_a_composite_needs_a_scale_to_be_reduced() -> None:
    composite = ee.ImageCollection(DAILY).limit(2).mean()
    with pytest.raises(ee.EEException, match="default WGS84 projection is invalid"):
        composite.reduceRegion(ee.Reducer.mean(), place(SLANTED)).getInfo()
    found = composite.select("B4").reduceRegion(
        ee.Reducer.count(), place(SLANTED), crs="EPSG:32610", scale=10
    )
    assert found.getInfo() == {"B4": centres().sum()}


@pytest.mark.parametrize(
    ("reducer", "text"),
    [
        (ee.Reducer.histogram, "the function 'Reducer.histogram'"),
        (ee.Reducer.toList, "Image.reduceRegion with Reducer.toList"),
        (lambda: ee.Reducer.percentile([101]), "numbers from 0 to 100"),
        (lambda: ee.Reducer.mean().combine(ee.Reducer.mean(), "", True), "Duplicate output"),
        (lambda: ee.Reducer.mean().combine(ee.Reducer.max()), "but of statistics with shared"),
    ],
)
def test_other_reducers_are_refused_by_name(reducer: Any, text: str) -> None:
    with pytest.raises(ee.EEException, match=text):
        region_of(reducer())
