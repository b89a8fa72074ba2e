"""Where published pixels are, in crs that PROJ does not know by code or that files misname."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from rasterio.crs import CRS
from rasterio.warp import transform
from shapely.geometry import box, shape

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import formula_values

pytestmark = pytest.mark.slow

# Source: https://modis-land.gsfc.nasa.gov/GCTP.html and MODLAND_grid.html, read 2026-11.
RADIUS = 6371007.181
TILE_SIDE = math.pi * RADIUS / 18
PIXEL = TILE_SIDE / 1200
# Tile h08v05 begins at 40 degrees north; a corner of it of so many pixels.
LEFT, TOP = (8 - 18) * TILE_SIDE, (9 - 5) * TILE_SIDE
WIDTH, HEIGHT = 130, 90
MODIS = "projects/demo/assets/modis"
# As spatialreference.org and, with blanks, Earth Engine write SR-ORG:6974.
MODIS_WKT = (
    'PROJCS["MODIS Sinusoidal", GEOGCS["WGS 84", DATUM["WGS_1984", SPHEROID["WGS 84", 6378137.0, '
    '298.257223563, AUTHORITY["EPSG","7030"]], AUTHORITY["EPSG","6326"]], PRIMEM["Greenwich", 0.0],'
    ' UNIT["degree", 0.017453292519943295], AUTHORITY["EPSG","4326"]], PROJECTION["Sinusoidal"], '
    'PARAMETER["false_easting", 0.0], PARAMETER["false_northing", 0.0], '
    'PARAMETER["central_meridian", 0.0], PARAMETER["semi_major", 6371007.181], '
    'PARAMETER["semi_minor", 6371007.181], UNIT["m", 1.0], AUTHORITY["SR-ORG","6974"]]'
)
# As NLCD has it: no code, though it is Albers on NAD83.
ALBERS_WKT = (
    'PROJCS["Albers_Conical_Equal_Area", GEOGCS["NAD83", DATUM["North_American_Datum_1983", '
    'SPHEROID["GRS 1980", 6378137, 298.257222101]], PRIMEM["Greenwich", 0], '
    'UNIT["degree", 0.0174532925199433]], PROJECTION["Albers_Conic_Equal_Area"], '
    'PARAMETER["latitude_of_center", 23], PARAMETER["longitude_of_center", -96], '
    'PARAMETER["standard_parallel_1", 29.5], PARAMETER["standard_parallel_2", 45.5], '
    'PARAMETER["false_easting", 0], PARAMETER["false_northing", 0], UNIT["metre", 1]]'
)
# It claims the code of UTM zone 10, and is the zone three degrees east of that one.
CLAIMING_WKT = (
    'PROJCS["WGS 84 / UTM zone 10N", GEOGCS["WGS 84", DATUM["WGS_1984", '
    'SPHEROID["WGS 84", 6378137, 298.257223563]], PRIMEM["Greenwich", 0], '
    'UNIT["degree", 0.0174532925199433]], PROJECTION["Transverse_Mercator"], '
    'PARAMETER["latitude_of_origin", 0], PARAMETER["central_meridian", -120], '
    'PARAMETER["scale_factor", 0.9996], PARAMETER["false_easting", 500000], '
    'PARAMETER["false_northing", 0], UNIT["metre", 1], AUTHORITY["EPSG","32610"]]'
)
CASES = {
    "modis": ("SR-ORG:6974", [PIXEL, 0, LEFT, 0, -PIXEL, TOP]),
    "sister": ("SR-ORG:6842", [PIXEL, 0, LEFT, 0, -PIXEL, TOP]),
    "modis_wkt": (MODIS_WKT, [PIXEL, 0, LEFT, 0, -PIXEL, TOP]),
    "albers": (ALBERS_WKT, [30, 0, -2000000, 0, -30, 2000000]),
    "claiming": (CLAIMING_WKT, [30, 0, 450000, 0, -30, 4000000]),
    "northing_first": ("EPSG:3035", [30, 0, 4000000, 0, -30, 3000000]),
}
TILES = {"tile_byte_count": 8 << 10}
Run = Callable[..., list[str]]


@pytest.fixture
def run(emulator: Emulator, connections: object, bucket: str) -> Iterator[Run]:
    def execute(**fields: Any) -> list[str]:
        fields = {"image": MODIS, "s3_bucket": bucket, "download_params": {}, **fields}
        operator = EarthEngineToS3Operator(task_id="download", **fields)
        uris: list[str] = operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
        is_tiled = emulator.counts()["thumbnails.getPixels"] > 1
        assert is_tiled is (fields.get("limits") == TILES)
        return uris

    with emulator.restored_assets():
        for name, (crs, terms) in CASES.items():
            band = {"dtype": "uint16", "crs": crs, "crs_transform": terms,
                    "dimensions": [WIDTH, HEIGHT]}  # fmt: skip
            bands = [{"id": "b0", **band}, {"id": "b1", **band, "dtype": "uint8"}]
            emulator.put_asset(
                {"id": f"projects/demo/assets/{name}", "kind": "formula", "bands": bands}
            )
        yield execute


def item_of(uri: str, s3: SeaweedFS) -> dict[str, Any]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    for end in (f"{key}.json", f"{key.split('.')[0]}.bands.json"):
        listed = s3.client().list_objects_v2(Bucket=bucket, Prefix=end)
        if listed["KeyCount"]:
            content = s3.client().get_object(Bucket=bucket, Key=end)["Body"].read()
            return dict(json.loads(content))
    raise AssertionError(f"no item of {uri}")


def on_sphere(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of a place in the MODIS grid, by the projection's own formula."""
    latitude = y / RADIUS
    return math.degrees(x / (RADIUS * math.cos(latitude))), math.degrees(latitude)


def degrees(crs: Any, x: float, y: float) -> tuple[float, float]:
    (longitude,), (latitude,) = transform(crs, "EPSG:4326", [x], [y])
    return longitude, latitude


ONE, ALL = "GEO_TIFF", "ZIPPED_GEO_TIFF_PER_BAND"


@pytest.mark.parametrize(
    ("name", "file_format", "limits"),
    [
        ("modis", ONE, None),
        ("modis", ONE, TILES),
        ("modis", ALL, None),
        ("modis", ALL, TILES),
        ("sister", ONE, None),
        ("modis_wkt", ONE, None),
        ("modis_wkt", ONE, TILES),
    ],
)
def test_pixels_of_modis_are_where_its_sphere_puts_them(
    run: Run, s3: SeaweedFS, name: str, file_format: str, limits: Any
) -> None:
    params = {"bands": ["b0"], "format": file_format}
    (uri,) = run(
        image=f"projects/demo/assets/{name}", download_params=params, limits=limits
    )  # fmt: skip
    with open_raster(uri) as raster:
        assert raster.transform[:6] == pytest.approx((PIXEL, 0, LEFT, 0, -PIXEL, TOP))
        pixels, crs = raster.read(1), raster.crs
    rows, columns = np.arange(HEIGHT)[:, None], np.arange(WIDTH)[None, :]
    np.testing.assert_array_equal(pixels, formula_values(0, "uint16", rows, columns))
    for corner in ((LEFT, TOP), (LEFT + WIDTH * PIXEL, TOP - HEIGHT * PIXEL)):
        assert degrees(crs, *corner) == pytest.approx(on_sphere(*corner), abs=1e-9)
    # What Earth Engine's file names instead is 0.16459 degrees off at 40 degrees: 18.3 km.
    ellipsoid = CRS.from_string("+proj=sinu +datum=WGS84")
    assert degrees(ellipsoid, LEFT, TOP)[1] - 40 == pytest.approx(0.16459, abs=1e-4)

    item = item_of(uri, s3)
    assert "earthengine:warnings" not in item["properties"]
    asset = item["assets"]["data"]
    assert "proj:code" not in asset
    wkt = asset["proj:wkt2"]
    assert wkt.startswith('PROJCRS["MODIS Sinusoidal",')
    assert degrees(CRS.from_wkt(wkt), LEFT, TOP) == pytest.approx(on_sphere(LEFT, TOP), abs=1e-9)
    corners = [
        on_sphere(LEFT + c * PIXEL, TOP - r * PIXEL) for c in (0, WIDTH) for r in (0, HEIGHT)
    ]
    wanted = box(*np.min(corners, axis=0), *np.max(corners, axis=0))
    assert item["bbox"] == pytest.approx(wanted.bounds, abs=1e-6)
    assert shape(item["geometry"]).bounds == pytest.approx(wanted.bounds, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "limits"),
    [("albers", None), ("albers", TILES), ("claiming", None), ("northing_first", TILES)],
)
def test_a_crs_without_a_code_is_compared_and_written_by_its_meaning(
    run: Run, s3: SeaweedFS, name: str, limits: Any
) -> None:
    params = {"bands": ["b0"], "format": "GEO_TIFF"}
    (uri,) = run(
        image=f"projects/demo/assets/{name}", download_params=params, limits=limits
    )  # fmt: skip
    crs, (_, _, x, _, _, y) = CASES[name]
    right = CRS.from_string(
        {
            "albers": "+proj=aea +lat_0=23 +lon_0=-96 +lat_1=29.5 +lat_2=45.5 +ellps=GRS80",
            "claiming": "+proj=tmerc +lon_0=-120 +k=0.9996 +x_0=500000 +datum=WGS84",
            "northing_first": "+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000"
            " +ellps=GRS80",
        }[name]
    )
    with open_raster(uri) as raster:
        assert degrees(raster.crs, x, y) == pytest.approx(degrees(right, x, y), abs=1e-8)
    item = item_of(uri, s3)
    assert "earthengine:warnings" not in item["properties"]
    asset = item["assets"]["data"]
    if name == "northing_first":
        assert asset["proj:code"] == crs
    else:
        named = CRS.from_wkt(asset["proj:wkt2"])
        assert degrees(named, x, y) == pytest.approx(degrees(right, x, y), abs=1e-8)
        assert "proj:code" not in asset
    assert item["bbox"][3] == pytest.approx(degrees(right, x, y)[1], abs=0.1)


@pytest.mark.parametrize(
    ("crs", "limits"), [("SR-ORG:6974", TILES), (MODIS_WKT, None), (ALBERS_WKT, TILES)]
)
def test_a_crs_that_is_asked_for_is_met_however_it_is_written(
    run: Run, s3: SeaweedFS, crs: str, limits: Any
) -> None:
    params = {"bands": ["b0"], "format": "GEO_TIFF", "crs": crs, "scale": 500,
              "region": [-130.3, 39.5, -129.7, 39.9]}  # fmt: skip
    (uri,) = run(download_params=params, limits=limits)
    assert "earthengine:warnings" not in item_of(uri, s3)["properties"]


def test_a_place_in_degrees_is_found_in_the_pixel_that_holds_it(run: Run) -> None:
    # The centre of pixel 70, 50, of which a region of 0.002 degrees lets only the neighbours in.
    x, y = LEFT + 70.5 * PIXEL, TOP - 50.5 * PIXEL
    longitude, latitude = on_sphere(x, y)
    region = [longitude - 1e-3, latitude - 1e-3, longitude + 1e-3, latitude + 1e-3]
    (uri,) = run(download_params={"bands": ["b0"], "region": region, "format": "GEO_TIFF"})
    with open_raster(uri) as raster:
        (xs,), (ys,) = transform("EPSG:4326", raster.crs, [longitude], [latitude])
        ((value,),) = raster.sample([(xs, ys)])
    assert value == formula_values(0, "uint16", [50], [70])[0]


def test_a_region_beside_the_sphere_does_not_meet_it(run: Run) -> None:
    # By the ellipsoid the image would reach 40.16 degrees north.
    region = [-130, 40.02, -129.5, 40.1]
    for params in ({"region": region, "scale": 1000}, {"region": region, "scale": 1000,
                                                      "crs": "EPSG:4326"}):  # fmt: skip
        with pytest.raises(AirflowFailException, match="EmptyImageError"):
            run(download_params={"bands": ["b0"], **params, "format": "GEO_TIFF"})


def test_a_file_that_is_kept_as_it_came_is_recorded_with_the_right_crs_and_a_warning(
    run: Run, s3: SeaweedFS
) -> None:
    (uri,) = run(download_params={"bands": ["b0"], "format": "GEO_TIFF"}, layout="as_served")
    with open_raster(uri) as raster:
        assert raster.crs.to_dict()["datum"] == "WGS84"
    item = item_of(uri, s3)
    (warning,) = item["properties"]["earthengine:warnings"]
    assert "misnames SR-ORG:6974 and is stored as served" in warning
    crs = CRS.from_wkt(item["assets"]["data"]["proj:wkt2"])
    assert degrees(crs, LEFT, TOP) == pytest.approx(on_sphere(LEFT, TOP), abs=1e-9)


@pytest.mark.parametrize("limits", [None, TILES], ids=["one request", "tiles"])
def test_an_array_is_recorded_with_the_right_crs(run: Run, s3: SeaweedFS, limits: Any) -> None:
    (uri,) = run(download_params={"format": "NPY"}, limits=limits)
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    array = np.load(io.BytesIO(s3.client().get_object(Bucket=bucket, Key=key)["Body"].read()))
    assert array.shape == (HEIGHT, WIDTH)
    item = item_of(uri, s3)
    assert "earthengine:warnings" not in item["properties"]
    crs = CRS.from_wkt(item["assets"]["data"]["proj:wkt2"])
    assert degrees(crs, LEFT, TOP) == pytest.approx(on_sphere(LEFT, TOP), abs=1e-9)


@pytest.mark.parametrize(
    ("types", "common", "limits"),
    [
        (("uint16", "uint8"), "uint16", None),
        (("uint16", "int16"), "int32", None),
        (("uint16", "int16"), "int32", TILES),
        (("int32", "float32"), "float64", None),
    ],
)
def test_unlike_types_in_one_file_come_as_planned_without_a_warning(
    run: Run, s3: SeaweedFS, emulator: Emulator, types: tuple[str, str], common: str, limits: Any
) -> None:
    band = {"crs": "EPSG:32610", "crs_transform": [30, 0, 5e5, 0, -30, 4e6],
            "dimensions": [WIDTH, HEIGHT]}  # fmt: skip
    bands = [{"id": f"b{i}", "dtype": dtype, **band} for i, dtype in enumerate(types)]
    emulator.put_asset({"id": "projects/demo/assets/unlike", "kind": "formula", "bands": bands})
    (uri,) = run(
        image="projects/demo/assets/unlike", download_params={"format": "GEO_TIFF"}, limits=limits
    )
    with open_raster(uri) as raster:
        assert raster.dtypes == (common, common)
    assert "earthengine:warnings" not in item_of(uri, s3)["properties"]
