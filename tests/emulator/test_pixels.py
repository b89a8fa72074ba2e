"""Which pixel comes from where: grids, levels, masks and projections, against formulas."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ee
import numpy as np
import pytest
import rasterio

from airflow_provider.earthengine.emulator.server import Emulator, serve
from tests.emulator.official_client import Tiff, download, initialised, members
from tests.support.expected import (
    SENTINEL2_ID,
    SENTINEL2_ORIGIN,
    formula_values,
    mean_of_2x2,
    pixels_around,
    sentinel2_values,
    utm,
    utm_box,
)

LANDSAT = "projects/demo/assets/landsat7_olinda"
DATA = Path(__file__).parents[1] / "data/catalog/projects/demo/assets"
BOX = (-122.5, 37.3, -122.49, 37.31)
RING = [[-122.5, 37.3], [-122.49, 37.3], [-122.49, 37.31], [-122.5, 37.31], [-122.5, 37.3]]


def tiff(**params: Any) -> Tiff:
    return Tiff(download(format="GEO_TIFF", **params))


@pytest.mark.usefixtures("client")
class TestTheSentinelScene:
    def test_a_region_crops_to_the_pixels_it_touches(self) -> None:
        region = ee.Geometry.BBox(*BOX)
        read = tiff(image=ee.Image(SENTINEL2_ID).select("B3"), region=region)
        extent = pixels_around(*utm_box(*BOX, zone=10), SENTINEL2_ORIGIN, 10)
        west, north = SENTINEL2_ORIGIN
        corner = (west + extent.left * 10, north - extent.top * 10)
        assert read.transform == (10, 0, corner[0], 0, -10, corner[1])
        expected = sentinel2_values("B3", extent.left, extent.top, extent.width, extent.height)
        np.testing.assert_array_equal(read.bands[0], expected)

    def test_twice_the_scale_is_the_mean_of_two_by_two_rounded_half_up(self) -> None:
        image = ee.Image(SENTINEL2_ID).select(["B3", "B11"])
        read = tiff(image=image, region=ee.Geometry.BBox(*BOX), scale=20)
        extent = pixels_around(*utm_box(*BOX, zone=10), SENTINEL2_ORIGIN, 20)
        place = (extent.left, extent.top, extent.width, extent.height)
        fine = sentinel2_values("B3", *(2 * number for number in place))
        np.testing.assert_array_equal(read.bands[0], mean_of_2x2(fine))
        np.testing.assert_array_equal(read.bands[1], sentinel2_values("B11", *place))

    def test_four_times_the_scale_is_the_mean_of_means(self) -> None:
        window = {"crs": "EPSG:32610", "crs_transform": [40, 0, 500380, 0, -40, 4199600]}
        read = tiff(image=ee.Image(SENTINEL2_ID).select("B3"), dimensions=[30, 20], **window)
        fine = sentinel2_values("B3", 40, 40, 120, 80)
        np.testing.assert_array_equal(read.bands[0], mean_of_2x2(mean_of_2x2(fine)))

    def test_a_third_of_the_resolution_samples_the_level_below(self) -> None:
        window = {"crs": "EPSG:32610", "crs_transform": [30, 0, 499980, 0, -30, 4200000]}
        read = tiff(image=ee.Image(SENTINEL2_ID).select("B3"), dimensions=[20, 10], **window)
        level = mean_of_2x2(sentinel2_values("B3", 0, 0, 60, 30))
        # The centre of 30 m pixel n is at 30 n + 15 m, in 20 m pixel (30 n + 15) // 20.
        rows, columns = ((30 * np.arange(n) + 15) // 20 for n in (10, 20))
        np.testing.assert_array_equal(read.bands[0], level[np.ix_(rows, columns)])

    def test_a_finer_grid_repeats_the_nearest_pixel(self) -> None:
        window = {"crs": "EPSG:32610", "crs_transform": [5, 0, 499980, 0, -5, 4200000]}
        read = tiff(image=ee.Image(SENTINEL2_ID).select("B3"), dimensions=[40, 30], **window)
        native = sentinel2_values("B3", 0, 0, 20, 15)
        np.testing.assert_array_equal(read.bands[0], native.repeat(2, axis=0).repeat(2, axis=1))

    def test_another_crs_takes_the_pixel_under_each_centre(self) -> None:
        step = 0.0001
        window = {"crs": "EPSG:4326", "crs_transform": [step, 0, BOX[0], 0, -step, BOX[3]]}
        read = tiff(image=ee.Image(SENTINEL2_ID).select("B3"), dimensions=[15, 12], **window)
        assert read.crs == "EPSG:4326"
        for row, column in np.ndindex(12, 15):
            x, y = utm(BOX[0] + (column + 0.5) * step, BOX[3] - (row + 0.5) * step, 10)
            source = (int((SENTINEL2_ORIGIN[1] - y) // 10), int((x - SENTINEL2_ORIGIN[0]) // 10))
            assert read.bands[0][row, column] == formula_values(2, "uint16", *source)

    def test_a_window_of_many_pixels_in_degrees_is_no_globe(self) -> None:
        window = {"crs": "EPSG:4326", "crs_transform": [1e-4, 0, BOX[0], 0, -1e-4, BOX[3]]}
        read = tiff(image=ee.Image(SENTINEL2_ID).select("B3"), dimensions=[400, 200], **window)
        assert read.bands.shape == (1, 200, 400)

    def test_the_globe_is_no_region(self) -> None:
        region = ee.Geometry.BBox(-180, -90, 180, 90)
        with pytest.raises(ee.EEException, match="must be bounded"):
            tiff(image=ee.Image(SENTINEL2_ID).select("B3"), region=region, scale=1000)

    def test_crs_with_scale_counts_from_the_origin_of_the_crs(self) -> None:
        region = ee.Geometry.BBox(*BOX)
        image = ee.Image(SENTINEL2_ID).select("B3")
        read = tiff(image=image, region=region, crs="EPSG:4326", scale=30)
        step = 30 / 111319.49079327357
        extent = pixels_around(*BOX, (0, 0), step)
        assert read.transform[0] == 0.00026949458523585647
        assert read.transform == pytest.approx(
            (step, 0, extent.left * step, 0, -step, -extent.top * step), rel=1e-14
        )
        assert read.bands.shape == (1, extent.height, extent.width)

    def test_dimensions_with_a_region_fill_it_exactly(self) -> None:
        region = ee.Geometry.Rectangle([500000, 4190000, 501000, 4190500], "EPSG:32610", False)
        image = ee.Image(SENTINEL2_ID).select("B3")
        read = tiff(image=image, region=region, dimensions=[50, 25])
        assert read.transform == (20, 0, 500000, 0, -20, 4190500)
        np.testing.assert_array_equal(
            read.bands[0], mean_of_2x2(sentinel2_values("B3", 2, 950, 100, 50))
        )

    def test_one_dimension_is_the_longer_side(self) -> None:
        region = ee.Geometry.Rectangle([500000, 4190000, 501000, 4190500], "EPSG:32610", False)
        read = tiff(image=ee.Image(SENTINEL2_ID).select("B3"), region=region, dimensions=100)
        assert read.bands.shape == (1, 50, 100)

    def test_pixels_beyond_the_image_are_masked(self) -> None:
        window = {"crs": "EPSG:32610", "crs_transform": [10, 0, 499930, 0, -10, 4200030]}
        read = tiff(image=ee.Image(SENTINEL2_ID).select("B3"), dimensions=[9, 8], **window)
        assert not read.bands[0][:3].any()
        assert not read.bands[0][:, :5].any()
        np.testing.assert_array_equal(read.bands[0][3:, 5:], sentinel2_values("B3", 0, 0, 4, 5))

    def test_a_polygon_without_scale_masks_what_it_does_not_cover(self) -> None:
        corners = [[500000, 4190000], [501000, 4190000], [500000, 4191000]]
        region = ee.Geometry.Polygon([corners], "EPSG:32610", False)
        read = tiff(image=ee.Image(SENTINEL2_ID).select("B3"), region=region)
        rows, columns = np.indices((100, 100))
        values = sentinel2_values("B3", 2, 900, 100, 100)
        # Half a pixel off the diagonal is not a question of rounding; on it lies no centre.
        is_inside = columns < rows
        np.testing.assert_array_equal(read.bands[0][is_inside], values[is_inside])
        assert not read.bands[0][columns > rows].any()


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    "region",
    [
        list(BOX),
        [[BOX[0], BOX[1]], [BOX[2], BOX[1]], [BOX[2], BOX[3]], [BOX[0], BOX[3]]],
        {"type": "Polygon", "coordinates": [RING]},
        {"type": "MultiPolygon", "coordinates": [[RING]]},
        json.dumps({"type": "Polygon", "coordinates": [RING]}),
    ],
    ids=["box", "ring", "GeoJSON", "multi-polygon", "JSON text"],
)
def test_a_region_may_be_said_in_many_ways(region: Any) -> None:
    read = tiff(image=ee.Image(SENTINEL2_ID).select("B5"), region=region, scale=20)
    extent = pixels_around(*utm_box(*BOX, zone=10), SENTINEL2_ORIGIN, 20)
    place = (extent.left, extent.top, extent.width, extent.height)
    np.testing.assert_array_equal(read.bands[0], sentinel2_values("B5", *place))


@pytest.mark.usefixtures("client")
def test_a_point_is_one_pixel() -> None:
    point = ee.Geometry.Point(BOX[:2])
    read = tiff(image=ee.Image(SENTINEL2_ID).select("B5"), region=point, scale=20)
    x, y = utm(*BOX[:2], 10)
    column, row = int((x - SENTINEL2_ORIGIN[0]) // 20), int((SENTINEL2_ORIGIN[1] - y) // 20)
    np.testing.assert_array_equal(read.bands[0], sentinel2_values("B5", column, row, 1, 1))


@pytest.mark.usefixtures("client")
class TestTheLandsatScene:
    def test_the_whole_scene_comes_as_it_is_stored(self) -> None:
        files = members(download(image=ee.Image(LANDSAT)))
        with rasterio.open(DATA / "landsat7_olinda.tif") as stored:
            names = [f"landsat7_olinda.B{n}.tif" for n in (1, 2, 3, 4, 5, 7)]
            assert list(files) == names
            for number, content in enumerate(files.values(), start=1):
                read = Tiff(content)
                assert read.transform == tuple(stored.transform)[:6]
                assert read.crs == "EPSG:31985"
                np.testing.assert_array_equal(read.bands[0], stored.read(number))

    def test_a_scale_in_metres_makes_whole_metres(self) -> None:
        read = tiff(image=ee.Image(LANDSAT).select("B4"), scale=57)
        assert read.transform[0] == 57
        assert read.transform[4] == -57

    def test_float_bands_carry_no_nodata_tag(self) -> None:
        read = tiff(image=ee.Image("projects/demo/assets/dem_olinda"))
        with rasterio.open(DATA / "dem_olinda.tif") as stored:
            np.testing.assert_array_equal(read.bands[0], stored.read(1))
        assert read.nodata is None
        assert read.dtypes == ("float32",)


@pytest.mark.usefixtures("client")
def test_a_constant_fills_the_region_in_the_smallest_type() -> None:
    region = ee.Geometry.BBox(0.5, 1, 1.5, 2)
    read = tiff(image=ee.Image(300), region=region, scale=11131.949079327357)
    assert read.dtypes == ("uint16",)
    assert read.transform[4] < 0
    assert read.bands.shape == (1, 10, 10)
    assert (read.bands == 300).all()


DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


@pytest.fixture(scope="module")
def all_types(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Return an emulator of an asset with a band per type, each with a masked corner."""
    grid = {"crs": "EPSG:32733", "crs_transform": [10, 0, 300000, 0, -10, 8000000]}
    hole = [{"left": 0, "top": 0, "width": 3, "height": 2}]
    bands = [
        {"id": f"b_{dtype}", "dtype": dtype, "dimensions": [200, 150], "masked": hole, **grid}
        for dtype in DTYPES
    ]
    folder = tmp_path_factory.mktemp("types")
    asset = {"id": "all", "kind": "formula", "bands": bands}
    (folder / "all.json").write_text(json.dumps(asset))
    with serve(folder) as emulator, initialised(emulator.url):
        yield emulator


@pytest.mark.usefixtures("all_types")
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_arrives_with_its_masked_value_and_tag(dtype: str) -> None:
    read = tiff(image=ee.Image("all").select(f"b_{dtype}"))
    number = DTYPES.index(dtype)
    expected = formula_values(number, dtype, np.arange(150)[:, np.newaxis], np.arange(200))
    is_float = dtype.startswith("float")
    lowest = -np.inf if is_float else np.iinfo(dtype).min
    expected[:2, :3] = lowest
    assert read.dtypes == (dtype,)
    assert read.nodata == (None if is_float else lowest)
    np.testing.assert_array_equal(read.bands[0], expected)


@pytest.mark.usefixtures("all_types")
def test_a_mean_counts_valid_pixels_only() -> None:
    read = tiff(image=ee.Image("all").select("b_int16"), scale=20)
    fine = formula_values(2, "int16", np.arange(4)[:, np.newaxis], np.arange(6))
    # The hole is 3 columns by 2 rows: it takes all of the first block and half of the second.
    half = fine[:2, 3].astype(float)
    assert read.bands[0][0, 0] == np.iinfo("int16").min
    assert read.bands[0][0, 1] == np.floor(half.mean() + 0.5)
    assert read.bands[0][1, 0] == mean_of_2x2(fine[2:4, :2])[0, 0]


@pytest.mark.usefixtures("all_types")
def test_masked_pixels_are_zero_in_npy() -> None:
    content = download(image=ee.Image("all"), format="NPY")
    array = np.lib.format.read_array(io.BytesIO(content))
    assert array.dtype.names == tuple(f"b_{dtype}" for dtype in DTYPES)
    for band in array.dtype.names:
        assert not array[band][:2, :3].any()
        assert array[band][2:, 3:].any()


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("crs", [{}, {"crs": "EPSG:32610"}], ids=["own grid", "crs and scale"])
def test_an_edge_on_a_line_between_pixels_adds_none(crs: dict[str, str]) -> None:
    west, north = 580980, 4105000
    box = [west, north - 15 * 20, west + 31 * 20, north]
    region = ee.Geometry.Rectangle(box, "EPSG:32610", geodesic=False)
    read = tiff(image=ee.Image(SENTINEL2_ID).select("B3"), region=region, scale=20, **crs)
    assert read.transform == (20, 0, west, 0, -20, north)
    assert read.bands.shape == (1, 15, 31)
