"""Assets as they also come: south-up, oblong, beyond the date line, no numbers, big numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import ee
import numpy as np
import numpy.typing as npt
import pytest
from rasterio.io import MemoryFile

from airflow_provider.earthengine.emulator.server import Emulator, serve
from tests.emulator.official_client import Tiff, download, initialised
from tests.support.expected import formula_values, utm

SIZE = {"dimensions": [200, 120]}


def asset(name: str, count: int = 1, **band: Any) -> dict[str, Any]:
    bands = [
        {"id": f"b{number}", "dtype": "int16", "crs": "EPSG:32601", **SIZE, **band}
        for number in range(count)
    ]
    return {"id": name, "kind": "formula", "bands": bands}


# What spatialreference.org says of SR-ORG:6974; its radii are those of the sphere.
SINUSOIDAL = (
    'PROJCS["MODIS Sinusoidal",GEOGCS["WGS 84",DATUM["WGS_1984",'
    'SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433]],PROJECTION["Sinusoidal"],PARAMETER["false_easting",0.0],'
    'PARAMETER["false_northing",0.0],PARAMETER["central_meridian",0.0],'
    'PARAMETER["semi_major",6371007.181],PARAMETER["semi_minor",6371007.181],UNIT["m",1.0]]'
)
RADIUS = 6371007.181
MODIS_GRID = [926.6, 0, -9265000, 0, -926.6, 4447802]

ASSETS = [
    asset("modis", crs="SR-ORG:6974", crs_transform=MODIS_GRID),
    asset("by_wkt", crs=SINUSOIDAL, crs_transform=MODIS_GRID),
    asset("south_up", crs_transform=[10, 0, 500000, 0, 10, 4000000]),
    asset("oblong", crs_transform=[20, 0, 500000, 0, -10, 4000000]),
    # UTM zone 1 begins at the date line; easting 166021 is 180 degrees at the equator.
    asset("date_line", crs_transform=[100, 0, 156021, 0, -100, 12000]),
    asset("degrees", crs="EPSG:4326", crs_transform=[0.01, 0, 179, 0, -0.01, 1]),
    # The fourth band begins at level 303, of 2 ** 16 each.
    asset("big", dtype="int32", crs_transform=[10, 0, 500000, 0, -10, 4000000], count=4),
    asset("classes", pyramiding="sample", crs_transform=[10, 0, 500000, 0, -10, 4000000]),
    asset(
        "holes",
        dtype="float32",
        crs_transform=[10, 0, 500000, 0, -10, 4000000],
        nan=[{"left": 2, "top": 1, "width": 3, "height": 2}],
        masked=[{"left": 4, "top": 0, "width": 2, "height": 9}],
    ),
]


@pytest.fixture(scope="module", autouse=True)
def odd() -> Iterator[Emulator]:
    with serve(None) as emulator, initialised(emulator.url):
        for description in ASSETS:
            emulator.put_asset(description)
        yield emulator


def pixels(name: str, **params: Any) -> Tiff:
    return Tiff(download(image=ee.Image(name), format="GEO_TIFF", **params))


def formula(dtype: str = "int16", **extent: int) -> npt.NDArray[np.generic]:
    left, top = extent.get("left", 0), extent.get("top", 0)
    rows = np.arange(top, top + extent.get("height", 120))[:, np.newaxis]
    return formula_values(0, dtype, rows, np.arange(left, left + extent.get("width", 200)))


@pytest.mark.parametrize("name", ["south_up", "oblong", "date_line", "degrees", "modis", "by_wkt"])
def test_the_whole_comes_as_it_is_described(name: str) -> None:
    read = pixels(name)
    (described,) = (a["bands"][0] for a in ASSETS if a["id"] == name)
    assert read.transform == pytest.approx(tuple(described["crs_transform"]))
    np.testing.assert_array_equal(read.bands[0], formula())


def test_a_south_up_image_is_asked_for_north_up() -> None:
    grid = {"crs": "EPSG:32601", "crs_transform": [10, 0, 500000, 0, -10, 4001200]}
    read = pixels("south_up", dimensions=[200, 120], **grid)
    np.testing.assert_array_equal(read.bands[0], formula()[::-1])


def test_a_region_of_a_south_up_image_keeps_its_direction() -> None:
    region = ee.Geometry.Rectangle([500100, 4000200, 500300, 4000500], "EPSG:32601", False)
    read = pixels("south_up", region=region)
    assert read.transform == (10, 0, 500100, 0, 10, 4000200)
    np.testing.assert_array_equal(read.bands[0], formula(left=10, top=20, width=20, height=30))


def test_a_scale_makes_oblong_pixels_keep_their_shape() -> None:
    read = pixels("oblong", scale=(20 * 10) ** 0.5 * 2)
    assert read.transform[0] / read.transform[4] == pytest.approx(-2)


def test_a_region_may_cross_the_date_line() -> None:
    box = (179.98, -0.02, 180.02, 0.02)
    read = pixels("date_line", region=ee.Geometry.BBox(*box))
    corners = [utm(lon, lat, 1) for lon in (box[0], box[2]) for lat in (box[1], box[3])]
    left = int((min(x for x, _ in corners) - 156021) // 100)
    right = -int((156021 - max(x for x, _ in corners)) // 100)
    assert read.transform[2] == 156021 + 100 * left
    assert read.bands.shape[2] == right - left
    _, height, width = read.bands.shape
    top = round((12000 - read.transform[5]) / 100)
    expected = formula(left=left, top=top, width=width, height=height)
    np.testing.assert_array_equal(read.bands[0], expected)


def test_longitudes_beyond_180_count_on() -> None:
    grid = {"crs": "EPSG:4326", "crs_transform": [0.01, 0, 180, 0, -0.01, 0.5]}
    read = pixels("degrees", dimensions=[50, 40], **grid)
    np.testing.assert_array_equal(read.bands[0], formula(left=100, top=50, width=50, height=40))


def test_integers_beyond_2_to_the_24_are_exact() -> None:
    read = pixels("big")
    rows, columns = np.arange(120)[:, np.newaxis], np.arange(200)
    for number in range(4):
        expected = formula_values(number, "int32", rows, columns)
        np.testing.assert_array_equal(read.bands[number], expected)
    assert np.abs(read.bands[3].astype(np.int64)).max() > 2**24


def test_no_number_is_not_masked() -> None:
    read = pixels("holes").bands[0]
    values = formula("float32")
    expected = values.copy()
    expected[1:3, 2:5] = np.nan
    expected[0:9, 4:6] = -np.inf
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize(("scale", "step"), [(20, 2), (40, 4)])
def test_a_sampled_pyramid_keeps_the_upper_left(scale: int, step: int) -> None:
    read = pixels("classes", scale=scale).bands[0]
    np.testing.assert_array_equal(read, formula()[::step, ::step])


@pytest.mark.parametrize(("name", "key"), [("modis", "crs"), ("by_wkt", "crs_wkt")])
def test_a_crs_without_an_epsg_code_is_described_by_its_code_or_its_wkt(
    odd: Emulator, name: str, key: str
) -> None:
    crs = {"modis": "SR-ORG:6974", "by_wkt": SINUSOIDAL}[name]
    (band,) = ee.Image(name).getInfo()["bands"]
    assert {k: v for k, v in band.items() if k.startswith("crs")} == {
        key: crs, "crs_transform": MODIS_GRID,
    }  # fmt: skip
    projection = ee.Image(name).projection().getInfo()
    assert projection["wkt" if key == "crs_wkt" else "crs"] == crs
    grid = ee.data.getAsset(name)["bands"][0]["grid"]
    assert grid["crsWkt" if key == "crs_wkt" else "crsCode"] == crs


@pytest.mark.parametrize("name", ["modis", "by_wkt"])
def test_files_of_modis_name_an_ellipsoid_and_its_pixels_are_on_a_sphere(name: str) -> None:
    with MemoryFile(download(image=ee.Image(name), format="GEO_TIFF")) as file, file.open() as tiff:
        assert tiff.crs.to_dict() == {
            "proj": "sinu", "lon_0": 0, "x_0": 0, "y_0": 0, "datum": "WGS84", "units": "m",
            "no_defs": True,
        }  # fmt: skip
        assert tiff.crs.to_wkt().startswith('PROJCS["MODIS Sinusoidal"')
    # The centre of pixel 40, 30, by the projection's own formula.
    x, y = MODIS_GRID[2] + 40.5 * 926.6, MODIS_GRID[5] - 30.5 * 926.6
    latitude = y / RADIUS
    longitude = math.degrees(x / (RADIUS * math.cos(latitude)))
    south, west = math.degrees(latitude) - 1e-3, longitude - 1e-3
    region = ee.Geometry.Rectangle([west, south, west + 2e-3, south + 2e-3], None, False)
    read = pixels(name, region=region)
    assert read.bands[0].shape == (1, 1)
    assert read.transform[2] == pytest.approx(MODIS_GRID[2] + 40 * 926.6)
    np.testing.assert_array_equal(read.bands[0], formula(left=40, top=30, width=1, height=1))


def test_pixels_are_given_on_a_grid_whose_crs_is_wkt() -> None:
    grid = {
        "dimensions": {"width": 50, "height": 40},
        "affineTransform": {
            "scaleX": 926.6, "scaleY": -926.6, "translateX": -9265000, "translateY": 4447802,
        },
        "crsWkt": SINUSOIDAL,
    }  # fmt: skip
    request = {"expression": ee.Image("modis"), "fileFormat": "NUMPY_NDARRAY", "grid": grid}
    array = ee.data.computePixels(request)
    np.testing.assert_array_equal(array["b0"], formula(width=50, height=40))
