"""Areas of outlines and regions, and listings of a collection's columns."""

from __future__ import annotations

import ee
import pytest
from pyproj import Geod

DAILY = "projects/demo/assets/s2_daily"
GEOD = Geod(ellps="WGS84")

pytestmark = pytest.mark.usefixtures("client")


def box(west: float, south: float, east: float, north: float) -> ee.Geometry:
    return ee.Geometry.Rectangle([west, south, east, north], "EPSG:4326", False)


def area(geometry: ee.Geometry) -> float:
    square_metres: float = geometry.area(1).getInfo()
    return square_metres


def on_the_ellipsoid(west: float, south: float, east: float, north: float) -> float:
    """Return the area between two meridians and two parallels, which are cut into short pieces."""
    steps = [west + (east - west) * step / 1000 for step in range(1001)]
    longitudes = [*steps, *reversed(steps)]
    latitudes = [south] * len(steps) + [north] * len(steps)
    return abs(GEOD.polygon_area_perimeter(longitudes, latitudes)[0])


@pytest.mark.parametrize(
    "bounds", [(-122.1, 37.0, -122.0, 37.1), (5, -60, 7, -59), (-1, -1, 1, 1), (10, 80, 11, 81)]
)
def test_an_area_is_that_of_the_ellipsoid(bounds: tuple[float, float, float, float]) -> None:
    assert area(box(*bounds)) == pytest.approx(on_the_ellipsoid(*bounds), rel=1e-4)


def test_a_hole_is_no_part_of_an_area() -> None:
    outer = [[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]
    inner = [[0.5, 0.5], [1.5, 0.5], [1.5, 1.5], [0.5, 1.5], [0.5, 0.5]]
    ring = ee.Geometry.Polygon([outer, inner], "EPSG:4326", False)
    wanted = area(box(0, 0, 2, 2)) - area(box(0.5, 0.5, 1.5, 1.5))
    assert area(ring) == pytest.approx(wanted, rel=1e-9)


def test_an_intersection_and_a_union_add_up() -> None:
    left, right = box(0, 0, 2, 1), box(1, 0, 4, 1)
    both, either = left.intersection(right, 1), left.union(right, 1)
    assert area(both) == pytest.approx(area(box(1, 0, 2, 1)), rel=1e-9)
    assert area(either) == pytest.approx(area(box(0, 0, 4, 1)), rel=1e-9)
    assert area(both.intersection(box(5, 0, 6, 1), 1)) == 0


def test_the_outline_of_an_image_is_its_grid() -> None:
    # A tile of Sentinel-2 is 109.8 km wide; UTM stretches it by up to four parts in 10,000.
    outline = ee.Image(f"{DAILY}/20210101T190000_T10SEG").geometry(1)
    assert area(outline) == pytest.approx(109_800**2, rel=1e-3)


def test_a_share_is_a_number_that_can_be_filtered_by() -> None:
    region = box(-122.1, 37.0, -122.0, 37.1)

    def share(image: ee.Image) -> ee.Image:
        covered = image.geometry(1).intersection(region, 1).area(1)
        return image.set("share", covered.divide(region.area(1)).multiply(100))

    measured = ee.ImageCollection(DAILY).limit(3).map(share)
    shares = measured.aggregate_array("share").getInfo()
    assert shares == [pytest.approx(100)] * 3
    assert ee.Number(1).divide(0).getInfo() == 0


def test_points_have_no_area_here() -> None:
    with pytest.raises(ee.EEException, match="the area of a Point"):
        ee.Geometry.Point([0, 0]).area(1).getInfo()


def test_rows_are_listed_with_what_they_lack_as_null() -> None:
    images = ee.ImageCollection(DAILY).limit(2)
    columns = ["system:index", "NOTHING", "ORBIT"]
    required = images.reduceColumns(ee.Reducer.toList(3), columns).get("list").getInfo()
    optional = images.reduceColumns(ee.Reducer.toList(3, 2), columns).get("list").getInfo()
    assert required == []
    assert optional == [["20210101T190000_T10SEG", None, 13], ["20210106T190000_T10SEG", None, 113]]
    with pytest.raises(ee.EEException, match="numOptional"):
        images.reduceColumns(ee.Reducer.toList(1, 2), ["system:index"]).getInfo()


def test_id_and_version_are_read_as_properties_are() -> None:
    image = ee.Image(f"{DAILY}/20210101T190000_T10SEG")
    assert image.get("system:version").getInfo() == 1
    assert image.set("a", 1).get("system:id").getInfo() == f"{DAILY}/20210101T190000_T10SEG"
    versions = ee.ImageCollection(DAILY).limit(2).aggregate_array("system:version")
    assert versions.getInfo() == [1, 1]
