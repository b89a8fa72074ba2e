"""An item's geometry by RFC 7946, against places that pyproj and arithmetic say are inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pyproj import CRS, Transformer
from shapely.geometry import Point, shape

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.publish.footprint import footprint

SINUSOIDAL = CRS.from_proj4("+proj=sinu +R=6371007.181 +units=m").to_wkt("WKT1_GDAL")
FULL_DISK = CRS.from_proj4(
    "+proj=geos +h=35786023 +lon_0=-75 +sweep=x +a=6378137 +b=6356752.31414"
).to_wkt()
MERCATOR = 20037508.342789244
MODIS = 463.312716528


def grid(crs: str, left: float, top: float, pixel: float, width: int, height: int) -> PixelGrid:
    return PixelGrid(crs, (pixel, 0, left, 0, -pixel, top), width, height)


GRIDS = {
    "a small UTM raster": grid("EPSG:32610", 581260, 4101800, 20, 105, 86),
    "a whole UTM tile": grid("EPSG:32633", 399960, 5200020, 10, 10980, 10980),
    "a turned UTM raster": PixelGrid("EPSG:32610", (100, 30, 581260, -30, -100, 4101800), 500, 300),
    "feet": grid("EPSG:2227", 6_000_000, 2_100_000, 100, 1000, 1000),
    "south up": PixelGrid("EPSG:32610", (100, 0, 581260, 0, 100, 4101800), 500, 300),
    "UTM 1S over Fiji": grid("EPSG:32701", 0, 8_100_000, 100, 3000, 1000),
    "UTM 60S": grid("EPSG:32760", 760_000, 6_200_000, 1000, 160, 50),
    "Mercator across 180": grid("EPSG:3857", 18_924_313, 100_000, 1000, 2226, 200),
    "Mercator of the world": grid("EPSG:3857", -MERCATOR, MERCATOR, MERCATOR / 128, 256, 256),
    "cylinder of the world": grid("EPSG:6933", -17367530.45, 7314540.83, 36032.220840584, 964, 406),
    "Europe": grid("EPSG:3035", 900_000, 5_500_000, 1000, 6500, 4600),
    "the Antarctic": grid("EPSG:3031", -3_000_000, 3_000_000, 1000, 6000, 6000),
    "the Antarctic, off its middle": grid("EPSG:3031", -1_000_000, 200_000, 1000, 1500, 5000),
    "beside the South Pole": grid("EPSG:3031", 1_000, 200_000, 1000, 200, 150),
    "the Arctic": grid("EPSG:3413", -3_000_000, 3_000_000, 1000, 6000, 6000),
    "a corner at the pole": grid("EPSG:3413", 0, 100_000, 1000, 100, 100),
    "the opposite corner at the pole": grid("EPSG:3413", -100_000, 0, 1000, 100, 100),
    "a side through the pole": grid("EPSG:3413", -50_000, 100_000, 1000, 100, 100),
    "the Arctic beyond 180": grid("EPSG:3995", -500_000, 3_000_000, 1000, 1000, 1000),
    "the northern hemisphere": grid("EPSG:6931", -9_000_000, 9_000_000, 25_000, 720, 720),
    "degrees": grid("EPSG:4326", 10, 50, 0.01, 100, 200),
    "0 to 360": grid("EPSG:4326", 0, 90, 1, 360, 180),
    "-180.25 to 180.25": grid("EPSG:4326", -180.25, 90.25, 0.5, 721, 361),
    "170 to 190": grid("EPSG:4326", 170, 10, 0.1, 200, 100),
    "-190 to -170": grid("EPSG:4326", -190, 10, 0.1, 200, 100),
    "200 to 300": grid("EPSG:4326", 200, 10, 1, 100, 30),
    "350 to 370": grid("EPSG:4326", 350, 10, 1, 20, 30),
    "turned degrees": PixelGrid("EPSG:4326", (0.1, 0.03, 175, 0.03, -0.1, 60), 100, 80),
    "another datum, 170 to 190": grid("EPSG:4272", 170, -30, 0.1, 200, 100),
    "a MODIS tile": grid(SINUSOIDAL, 2223901.039333, 4447802.078667, MODIS, 2400, 2400),
}  # fmt: skip
BEYOND_THE_GLOBE = {
    "a MODIS tile at the edge": grid(SINUSOIDAL, -20015109.354, 0, MODIS, 2400, 2400),
    "a sinusoidal world": grid(SINUSOIDAL, -20015109.354, 10007554.677, 10_000, 4003, 2001),
    "a full disk": grid(FULL_DISK, -5434894.885, 5434894.885, 2004.0173, 5424, 5424),
    "Mollweide": grid("ESRI:54009", -18_040_096, 9_020_048, 10_000, 3608, 1804),
}
EVERY = {**GRIDS, **BEYOND_THE_GLOBE}


def positions(geometry: dict[str, Any]) -> list[list[list[float]]]:
    """Return the rings."""
    if geometry["type"] == "Polygon":
        return list(geometry["coordinates"])
    assert geometry["type"] == "MultiPolygon"
    return [ring for polygon in geometry["coordinates"] for ring in polygon]


def signed_area(ring: list[list[float]]) -> float:
    xs, ys = np.array(ring).T
    return float((xs[:-1] * ys[1:] - xs[1:] * ys[:-1]).sum() / 2)


def places(of: PixelGrid) -> np.ndarray[Any, Any]:
    """Return longitudes and latitudes on the whole globe, and many more in and around the grid."""
    random = np.random.default_rng(7)
    latitudes = np.degrees(np.arcsin(random.uniform(-1, 1, 3000)))
    everywhere = np.column_stack([random.uniform(-180, 180, 3000), latitudes])
    columns = random.uniform(-0.3, 1.3, 3000) * of.width
    rows = random.uniform(-0.3, 1.3, 3000) * of.height
    a, b, c, d, e, f = of.transform
    to_degrees = Transformer.from_crs(of.crs, "EPSG:4326", always_xy=True)
    near = to_degrees.transform(a * columns + b * rows + c, d * columns + e * rows + f)
    found = np.vstack([everywhere, np.column_stack(near)])
    found = found[np.isfinite(found).all(axis=1) & (np.abs(found[:, 1]) <= 90)]
    found[:, 0] = (found[:, 0] + 180) % 360 - 180
    return found


def depths(of: PixelGrid, points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return how many pixels deep in the grid places are; below zero outside, NaN: unknown."""
    to_crs = Transformer.from_crs("EPSG:4326", of.crs, always_xy=True)
    a, b, c, d, e, f = of.transform
    best = np.full(len(points), -np.inf)
    turns = (-360, 0, 360) if CRS(of.crs).is_geographic else (0,)
    length = {"EPSG:3857": 2 * MERCATOR, "EPSG:6933": 34734890.36}.get(of.crs, 0)
    for turn in turns:
        for shift in sorted({-length, 0, length}):
            xs, ys = np.array(to_crs.transform(*points.T))
            xs[~np.isfinite(xs)] = ys[~np.isfinite(ys)] = np.nan
            xs, ys = xs + turn + shift - c, ys - f
            determinant = a * e - b * d
            columns, rows = (e * xs - b * ys) / determinant, (a * ys - d * xs) / determinant
            depth = np.minimum.reduce([columns, of.width - columns, rows, of.height - rows])
            best = np.fmax(best, depth)
    return best


@pytest.mark.slow
@pytest.mark.parametrize("name", list(EVERY))
def test_the_footprint_is_where_the_pixels_are(name: str) -> None:
    of = EVERY[name]
    geometry, _ = footprint([of])
    outline = shape(geometry)
    assert outline.is_valid
    points = places(of)
    inside = np.array([outline.intersects(Point(point)) for point in points])
    depth = depths(of, points)
    assert (depth > 1).sum() > 500
    if name in GRIDS:
        assert inside[depth > 1].all()
        assert not inside[depth < -1].any()
    else:
        # The outline of a grid that reaches beyond the globe is one of cells.
        assert inside[depth > 1].mean() > 0.99
        assert inside[depth < -1].sum() < 0.005 * len(points)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(EVERY))
def test_a_geometry_is_as_rfc_7946_wants_it(name: str) -> None:
    geometry, bbox = footprint([EVERY[name]])
    assert geometry
    assert bbox
    exteriors = (
        geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    )
    for exterior, *holes in exteriors:
        assert exterior[0] == exterior[-1]
        assert signed_area(exterior) > 0
        assert all(signed_area(hole) < 0 for hole in holes)
    longitudes, latitudes = np.vstack([np.array(ring) for ring in positions(geometry)]).T
    assert np.abs(longitudes).max() <= 180
    assert np.abs(latitudes).max() <= 90
    west, south, east, north = bbox
    assert (south, north) == (latitudes.min(), latitudes.max())
    if west <= east:
        assert (west, east) == (longitudes.min(), longitudes.max())
    else:
        assert ((longitudes >= west) | (longitudes <= east)).all()
        assert {west, east} <= set(longitudes)


def box_ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


@pytest.mark.parametrize(
    ("name", "boxes", "bbox"),
    [
        ("degrees", [(10, 48, 11, 50)], [10, 48, 11, 50]),
        ("0 to 360", [(-180, -90, 180, 90)], [-180, -90, 180, 90]),
        ("-180.25 to 180.25", [(-180, -90, 180, 90)], [-180, -90, 180, 90]),
        ("170 to 190", [(170, 0, 180, 10), (-180, 0, -170, 10)], [170, 0, -170, 10]),
        ("-190 to -170", [(170, 0, 180, 10), (-180, 0, -170, 10)], [170, 0, -170, 10]),
        ("200 to 300", [(-160, -20, -60, 10)], [-160, -20, -60, 10]),
        ("350 to 370", [(-10, -20, 10, 10)], [-10, -20, 10, 10]),
        (
            "Mercator of the world",
            [(-180, -85.05112878, 180, 85.05112878)],
            [-180, -85.05112878, 180, 85.05112878],
        ),
    ],
)
def test_a_rectangle_has_five_points_wherever_it_lies(
    name: str, boxes: list[tuple[float, ...]], bbox: list[float]
) -> None:
    geometry, found = footprint([GRIDS[name]])
    assert geometry
    assert positions(geometry) == [box_ring(*each) for each in boxes]  # type: ignore[arg-type]  # four
    assert found == bbox


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("a small UTM raster", 5, 5), ("feet", 6, 20), ("a whole UTM tile", 20, 60)],
)
def test_an_edge_has_more_points_only_where_it_bends(name: str, least: int, most: int) -> None:
    geometry, _ = footprint([GRIDS[name]])
    assert geometry
    (ring,) = positions(geometry)
    assert least <= len(ring) <= most


@pytest.mark.parametrize(
    ("name", "west", "east", "pole"),
    [
        ("UTM 1S over Fiji", 178.2804, -178.8804, None),
        ("UTM 60S", 179.8253, -178.4154, None),
        ("the Antarctic", -180, 180, -90),
        ("the Arctic", -180, 180, 90),
        # EPSG:3413 has 45 degrees west below the pole: a half and a quarter of a turn.
        ("a corner at the pole", 45, 135, 90),
        ("the opposite corner at the pole", -135, -45, 90),
        ("a side through the pole", 45, -135, 90),
    ],
)
def test_a_bbox_runs_eastwards_and_to_a_pole(
    name: str, west: float, east: float, pole: float | None
) -> None:
    _, found = footprint([GRIDS[name]])
    assert found
    assert (found[0], found[2]) == pytest.approx((west, east), abs=3e-4)
    corners = np.array(GRIDS[name].outline(1))
    to_degrees = Transformer.from_crs(GRIDS[name].crs, "EPSG:4326", always_xy=True)
    _, latitudes = to_degrees.transform(*corners.T)
    # To a tenth of a pixel, here of a kilometre.
    if pole == 90:
        assert (found[1], found[3]) == pytest.approx((latitudes.min(), 90), abs=1e-3)
    elif pole == -90:
        assert (found[1], found[3]) == pytest.approx((-90, latitudes.max()), abs=1e-3)


A = grid("EPSG:32610", 600_000, 4_100_000, 10, 100, 100)


def test_bands_of_unlike_pixels_on_one_place_have_the_largest_outline() -> None:
    """Twenty metres and sixty, each cut at whole pixels of its own."""
    coarse = grid("EPSG:32610", 600_000 - 40, 4_100_000 + 20, 60, 18, 18)
    assert footprint([A, coarse]) == footprint([coarse, A]) == footprint([coarse])


def test_bands_of_other_places_are_all_in_the_outline() -> None:
    beside = grid("EPSG:32610", 600_500, 4_100_000, 10, 100, 100)
    elsewhere = grid("EPSG:4326", 170, 10, 1, 20, 5)
    geometry, bbox = footprint([A, beside, elsewhere, A])
    outline = shape(geometry)
    for each in (A, beside, elsewhere):
        assert outline.buffer(1e-6).covers(shape(footprint([each])[0]))
    assert len(getattr(outline, "geoms", [])) == 3
    assert bbox == pytest.approx([170, 5, -121.8585, 37.0416], abs=1e-3)


def test_many_small_pixels_are_not_taken_for_a_large_place() -> None:
    """A band of one pixel of a degree, and one of a hundred times a hundred of ten metres in it."""
    wide = grid("EPSG:4326", -122, 37.5, 1, 1, 1)
    assert footprint([A, wide])[1] == [-122, 36.5, -121, 37.5]


@pytest.mark.parametrize(
    "of",
    [
        grid("", 0, 0, 1, 10, 10),
        grid("SR-ORG:0", 0, 0, 1, 10, 10),
        grid('LOCAL_CS["plane",UNIT["metre",1]]', 0, 0, 1, 10, 10),
        grid("EPSG:32610", 600_000, 4_100_000, 10, 0, 10),
        grid("EPSG:4326", 0, 100, 1, 10, 5),
        grid(FULL_DISK, 6_000_000, 6_000_000, 1000, 10, 10),
    ],
)
def test_what_has_no_place_has_no_geometry(of: PixelGrid) -> None:
    assert footprint([of]) == (None, None)
    assert footprint([of, A]) == footprint([A])
