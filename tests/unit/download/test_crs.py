"""Names of crs: what they mean, and which mean the same."""

import math

import pytest
from rasterio.crs import CRS
from rasterio.warp import transform

from airflow_provider.earthengine.download.crs import (
    misnamed_crs,
    name_of_crs,
    resolve_crs,
)
from airflow_provider.earthengine.download.plan.grid import PixelGrid

RADIUS = 6371007.181
MODIS = PixelGrid("SR-ORG:6974", (463.3, 0.0, -8895604.0, 0.0, -463.3, 5559752.0), 2400, 2400)
GLOBE = PixelGrid("SR-ORG:6974", (463.3, 0.0, -20015109.0, 0.0, -463.3, 10007554.0), 86400, 43200)
UTM = PixelGrid("EPSG:32610", (20.0, 0.0, 581260.0, 0.0, -20.0, 4101800.0), 105, 86)
EUROPE = PixelGrid("EPSG:3035", (1000.0, 0.0, 4000000.0, 0.0, -1000.0, 3500000.0), 500, 400)
DEGREES = PixelGrid("EPSG:4326", (0.25, 0.0, -10.0, 0.0, -0.25, 50.0), 80, 60)

# As HDF files of MODIS, geedim and Esri write the projection.
SPHERES = [
    "+proj=sinu +R=6371007.181 +units=m",
    (
        'PROJCS["unnamed",GEOGCS["Unknown datum based upon the custom spheroid",'
        'DATUM["Not_specified_based_on_custom_spheroid",SPHEROID["Custom spheroid",6371007.181,0]],'
        'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Sinusoidal"],'
        'PARAMETER["longitude_of_center",0],PARAMETER["false_easting",0],'
        'PARAMETER["false_northing",0],UNIT["Meter",1]]'
    ),
    (
        'PROJCS["Sinusoidal",GEOGCS["GCS_Undefined",DATUM["Undefined",'
        'SPHEROID["User_Defined_Spheroid",6371007.181,0.0]],PRIMEM["Greenwich",0.0],'
        'UNIT["Degree",0.0174532925199433]],PROJECTION["Sinusoidal"],PARAMETER["False_Easting",0.0],'
        'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",0.0],UNIT["Meter",1.0]]'
    ),
]


@pytest.mark.parametrize("name", ["SR-ORG:6974", "SR-ORG:6842", "sr-org:6974", " SR-ORG:6974 "])
def test_modis_is_on_its_sphere(name: str) -> None:
    x, y = -8895604.0, math.radians(50) * RADIUS
    (longitude,), (latitude,) = transform(resolve_crs(name), "EPSG:4326", [x], [y])
    assert latitude == pytest.approx(50, abs=1e-9)
    assert longitude == pytest.approx(math.degrees(x / (RADIUS * math.cos(math.radians(50)))))


@pytest.mark.parametrize("sphere", SPHERES)
@pytest.mark.parametrize("grid", [MODIS, GLOBE], ids=["a tile", "the globe"])
def test_spheres_are_the_same_whatever_they_are_called_and_ellipsoids_are_not(
    grid: PixelGrid, sphere: str
) -> None:
    modis, other = resolve_crs("SR-ORG:6974"), CRS.from_string(sphere)
    assert grid.is_alike_in(modis, other)
    assert grid.is_alike_in(other, modis)
    assert not grid.is_alike_in(misnamed_crs("SR-ORG:6974"), other)
    # Half a kilometre of radius is 3 km at 40 degrees.
    assert not grid.is_alike_in(modis, CRS.from_string("+proj=sinu +R=6371500"))


@pytest.mark.parametrize(
    ("grid", "name"),
    [
        (UTM, "epsg:32610"),
        (UTM, CRS.from_epsg(32610).to_wkt()),
        (UTM, CRS.from_epsg(32610).to_wkt(version="WKT2_2019")),
        (UTM, CRS.from_epsg(32610).to_wkt(version="WKT1_ESRI")),
        # Without its code, its northings come second: where pixels are is the same.
        (EUROPE, CRS.from_epsg(3035).to_wkt().rpartition(",AUTHORITY")[0] + "]"),
        (EUROPE, CRS.from_epsg(3035).to_wkt(version="WKT2_2019")),
        (DEGREES, "OGC:CRS84"),
        # The datum as an ensemble of its realisations.
        (
            DEGREES,
            (
                'GEOGCRS["WGS 84",ENSEMBLE["World Geodetic System 1984 ensemble",'
                'MEMBER["World Geodetic System 1984 (G730)"],MEMBER["World Geodetic System 1984 '
                '(G1150)"],ELLIPSOID["WGS 84",6378137,298.257223563],ENSEMBLEACCURACY[2.0]],'
                'CS[ellipsoidal,2],AXIS["latitude",north],AXIS["longitude",east],'
                'UNIT["degree",0.0174532925199433]]'
            ),
        ),
    ],
)
def test_another_name_of_a_crs_is_the_same_crs(grid: PixelGrid, name: str) -> None:
    assert grid.is_in(name)
    moved = PixelGrid(name, grid.window(3, 4, 1, 1).transform, 10, 10)
    assert grid.around(moved) == grid


@pytest.mark.parametrize(
    ("grid", "name"),
    [
        (UTM, "EPSG:32611"),
        (UTM, "EPSG:4326"),
        # These are within a millimetre, and the datums are not the same.
        (UTM, "EPSG:26910"),
        (DEGREES, "EPSG:4267"),
        (DEGREES, "EPSG:9755"),
        (UTM, "SR-ORG:7619"),
        (UTM, ""),
    ],
)
def test_another_crs_is_another_crs(grid: PixelGrid, name: str) -> None:
    assert not grid.is_in(name)
    assert grid.around(PixelGrid(name, grid.transform, 10, 10)) is None


@pytest.mark.parametrize(
    "name",
    [
        None, "", "banana", "SR-ORG:7619", "EPSG:99999", "EPSG:four", "+proj=sinu", "PROJCS[cut",
        # GDAL would answer with Esri's, as Earth Engine does not.
        "EPSG:102009",
        # GDAL would open these.
        "/etc/passwd", "http://127.0.0.1:9/ref/sr-org/6974/", "FILE:/etc/passwd",
    ],
)  # fmt: skip
def test_what_proj_does_not_know_is_none(name: str | None) -> None:
    assert resolve_crs(name) is None
    assert misnamed_crs(name) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [("EPSG:32610", "EPSG:32610"), ("epsg:4326", "EPSG:4326"), ("SR-ORG:6627", "EPSG:3857"),
     (CRS.from_epsg(5070).to_wkt(), "EPSG:5070")],
)  # fmt: skip
def test_a_crs_with_a_code_is_named_by_it(name: str, code: str) -> None:
    assert name_of_crs(resolve_crs(name)) == code


@pytest.mark.parametrize("name", ["SR-ORG:6974", "ESRI:54009"])
def test_a_crs_without_a_code_is_named_by_wkt2_that_means_the_same(name: str) -> None:
    wkt = name_of_crs(resolve_crs(name))
    assert wkt.startswith("PROJCRS[")
    assert PixelGrid(name, MODIS.transform, 100, 100).is_in(wkt)


def test_a_code_that_wkt_claims_wrongly_is_dropped() -> None:
    wkt = CRS.from_epsg(32610).to_wkt().replace('meridian",-123', 'meridian",-120')
    assert 'AUTHORITY["EPSG","32610"]' in wkt
    crs = resolve_crs(wkt)
    assert "32610" not in name_of_crs(crs)
    assert transform(crs, "EPSG:4326", [500000], [0])[0] == pytest.approx([-120])
    assert not UTM.is_in(wkt)


def test_radii_of_a_projection_replace_the_ellipsoid() -> None:
    wkt = (
        'PROJCS["x",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
        'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Sinusoidal"],'
        'PARAMETER["semi_major",6371007.181],PARAMETER["semi_minor",6371007.181],'
        'PARAMETER["central_meridian",0],UNIT["m",1]]'
    )
    assert MODIS.is_in(wkt)
    assert MODIS.is_alike_in(misnamed_crs(wkt), misnamed_crs("SR-ORG:6974"))
    assert name_of_crs(resolve_crs(wkt)).startswith('PROJCRS["x",')
