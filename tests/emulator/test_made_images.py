"""Images that are made of places, classes, other collections: against numpy and pyproj."""

from __future__ import annotations

from typing import Any

import ee
import numpy as np
import numpy.typing as npt
import pyproj
import pytest
from affine import Affine
from rasterio.warp import Resampling, reproject

from tests.emulator.official_client import Tiff, download
from tests.support.expected import formula_values

pytestmark = pytest.mark.usefixtures("client")

DAILY = "projects/demo/assets/s2_daily"
WINDOW: dict[str, Any] = {
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 499980 + 1000, 0, -10, 4200000 - 2000],
    "dimensions": [16, 10],
}
ROWS, COLUMNS = np.arange(200, 210)[:, np.newaxis], np.arange(100, 116)[np.newaxis, :]
Numbers = npt.NDArray[np.float64]


def values_of(number: int, band: int = 0) -> Numbers:
    return formula_values(band, "uint16", ROWS, COLUMNS, number + 1).astype(np.float64)


def image_of(number: int) -> ee.Image:
    return ee.Image(ee.ImageCollection(DAILY).toList(1, number).get(0)).select(["B4", "B8"])


def tiff(image: ee.Image, **params: Any) -> Tiff:
    return Tiff(download(image=image, format="GEO_TIFF", **(WINDOW | params)))


def test_pixels_know_their_longitude_and_latitude() -> None:
    found = tiff(ee.Image.pixelLonLat()).bands
    xs = 500980 + 10.0 * np.arange(16) + 5
    ys = 4198000 - 10.0 * np.arange(10) - 5
    to_degrees = pyproj.Transformer.from_crs("EPSG:32610", "EPSG:4326", always_xy=True)
    expected = to_degrees.transform(*np.meshgrid(xs, ys))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert ee.Image.pixelLonLat().bandNames().getInfo() == ["longitude", "latitude"]


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32610", [1000, 0, 500000, 0, -1000, 4200000]),
        ("EPSG:4326", [0.01, 0, -122, 0, -0.01, 38]),
        ("EPSG:4326", [0.01, 0, 10, 0, 0.01, 80]),
        ("EPSG:3857", [1000, 0, 1e6, 0, -1000, 7e6]),
    ],
)
def test_pixels_know_their_area_on_the_ellipsoid(crs: str, transform: list[float]) -> None:
    (found,) = tiff(ee.Image.pixelArea(), crs=crs, crs_transform=transform, dimensions=[3, 2]).bands
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    a, _, c, _, e, f = transform
    for row, column in np.ndindex(2, 3):
        steps = np.linspace(0, 1, 50, endpoint=False)
        zero, one = np.zeros(50), np.ones(50)
        across = np.concatenate([steps, one, 1 - steps, zero])
        down = np.concatenate([zero, steps, one, 1 - steps])
        ring = to_degrees.transform(c + a * (column + across), f + e * (row + down))
        area, _ = pyproj.Geod(ellps="WGS84").polygon_area_perimeter(*ring)
        assert found[row, column] == pytest.approx(abs(area), rel=2e-6)


def test_classes_are_mapped_and_others_masked_or_replaced() -> None:
    classes = ee.Image(ee.ImageCollection(DAILY).first()).select("SCL")
    window = {"crs_transform": [20, 0, 499980 + 1000, 0, -20, 4200000 - 2000]}
    (before,) = tiff(classes, **window).bands.astype(int)
    replaced = tiff(classes.remap([4, 5, 8], [40, 50, -1], 7), **window)
    expected = np.select([before == 4, before == 5, before == 8], [40, 50, -1], 7)
    np.testing.assert_array_equal(replaced.bands[0], expected)
    assert replaced.dtypes == ("int8",)
    masked = tiff(classes.remap([4, 5], [1, 2]).unmask(99), **window).bands[0]
    np.testing.assert_array_equal(masked, np.select([before == 4, before == 5], [1, 2], 99))
    assert classes.remap([4], [1]).bandNames().getInfo() == ["remapped"]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_pixels_between_pixels_are_interpolated(mode: str) -> None:
    image = image_of(0).select("B4").toDouble().resample(mode)
    shifted = {"crs_transform": [10, 0, 499980 + 1003, 0, -10, 4200000 - 2004]}
    (found,) = tiff(image, **shifted).bands
    rows, columns = np.arange(196, 216)[:, np.newaxis], np.arange(96, 124)[np.newaxis, :]
    values = formula_values(0, "uint16", rows, columns, 1).astype(np.float64)
    (expected,) = warped(values, 499980 + 960, 4200000 - 1960, mode)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # On its own pixels, nothing changes.
    np.testing.assert_array_equal(tiff(image).bands[0], values_of(0))


def warped(values: Numbers, west: float, north: float, mode: str) -> Numbers:
    """Return the pixels of the shifted window as GDAL's warper interpolates them."""
    target = np.zeros((1, 10, 16))
    crs = "EPSG:32610"
    reproject(
        values[np.newaxis],
        target,
        src_crs=crs,
        dst_crs=crs,
        src_transform=Affine(10, 0, west, 0, -10, north),
        dst_transform=Affine(10, 0, 499980 + 1003, 0, -10, 4200000 - 2004),
        resampling=Resampling.bilinear if mode == "bilinear" else Resampling.cubic,
    )
    return target


def test_bands_are_cast_by_name_and_ordered() -> None:
    cast = image_of(0).cast({"B4": "float", "B8": "int32"}, ["B8", "B4"])
    assert cast.bandNames().getInfo() == ["B8", "B4"]
    types = cast.bandTypes().getInfo()
    precisions = [types[name]["precision"] for name in ("B8", "B4")]
    assert precisions == ["int", "float"]
    (b4,) = tiff(cast.select("B4")).bands
    np.testing.assert_array_equal(b4, values_of(0))
    with pytest.raises(ee.EEException, match="does not support the type 'int64'"):
        image_of(0).cast({"B4": "int64"}).getInfo()


def test_values_are_scaled_to_the_unit() -> None:
    (found,) = tiff(image_of(0).select("B4").unitScale(100, 300)).bands
    np.testing.assert_allclose(found, (values_of(0) - 100) / 200)


def test_the_best_pixel_by_quality_is_chosen_with_all_its_bands() -> None:
    images = ee.ImageCollection([image_of(number) for number in range(4)])
    found = tiff(images.qualityMosaic("B8")).bands.astype(np.float64)
    quality = np.stack([values_of(number, 1) for number in range(4)])
    best = quality.argmax(axis=0)
    for place, band in enumerate(found):
        stack = np.stack([values_of(number, place) for number in range(4)])
        np.testing.assert_array_equal(band, np.take_along_axis(stack, best[np.newaxis], 0)[0])


def test_collections_are_merged_and_stacked_to_bands() -> None:
    one = ee.ImageCollection([image_of(0)])
    two = ee.ImageCollection([image_of(1)])
    merged = one.merge(two)
    indexes = merged.aggregate_array("system:index").getInfo()
    assert [index[:2] for index in indexes] == ["1_", "2_"]
    stacked = merged.toBands()
    assert stacked.bandNames().getInfo() == [
        f"{index}_{band}" for index in indexes for band in ("B4", "B8")
    ]
    expected = [values_of(number, band) for number in (0, 1) for band in (0, 1)]
    np.testing.assert_array_equal(tiff(stacked).bands, expected)
    tables = ee.FeatureCollection([ee.Feature(None, {"a": 1})])
    both = tables.merge(ee.FeatureCollection([ee.Feature(None, {"a": 2})]))
    assert both.aggregate_array("a").getInfo() == [1, 2]


def test_an_image_is_linked_to_the_one_that_shares_a_property() -> None:
    source = ee.ImageCollection(DAILY).limit(3).select(["B4"])
    scores = ee.ImageCollection(DAILY).limit(2).select(["B8"], ["cs"])
    linked = source.linkCollection(scores, ["cs"], ["ORBIT"])
    second = ee.Image(linked.toList(1, 1).get(0))
    np.testing.assert_array_equal(tiff(second.select("cs")).bands[0], values_of(1, 1))
    assert second.bandNames().getInfo() == ["B4", "cs"]
    third = ee.Image(linked.toList(1, 2).get(0))
    assert third.bandNames().getInfo() == ["B4", "cs"]
    assert (tiff(third.select("cs").mask()).bands == 0).all()
    np.testing.assert_array_equal(tiff(third.select("B4")).bands[0], values_of(2))


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (lambda: image_of(0).remap([1, 2], [1]), "2 values cannot become 1 values"),
        (lambda: image_of(0).cast({"B9": "int8"}), "the band 'B9' of Image.cast"),
        (lambda: image_of(0).unitScale(1, 1), "must differ"),
        (
            lambda: ee.ImageCollection([image_of(0)]).qualityMosaic("B9"),
            r"No band 'B9'\. Available bands: \[B4, B8\]",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(image: Any, text: str) -> None:
    with pytest.raises(ee.EEException, match=text):
        image().getInfo()
