"""Buffers, centres, bounds and containment of geometries, against pyproj and shapely."""

from __future__ import annotations

from typing import Any

import ee
import numpy as np
import pyproj
import pytest
from shapely.geometry import shape

pytestmark = pytest.mark.usefixtures("client")

GEOD = pyproj.Geod(ellps="WGS84")
RING = [[-122.5, 37.3], [-122.4, 37.31], [-122.42, 37.4], [-122.5, 37.3]]
SMALL = [[-122.46, 37.32], [-122.45, 37.32], [-122.45, 37.33], [-122.46, 37.32]]


def polygon(ring: list[list[float]]) -> ee.Geometry:
    return ee.Geometry.Polygon([ring], None, False)


@pytest.mark.parametrize("place", [(0, 0), (-122.5, 37.3), (10, -75), (179.99, 50)])
@pytest.mark.parametrize("metres", [10, 5000, 200_000])
def test_a_buffered_point_is_a_circle(place: tuple[float, float], metres: float) -> None:
    found = ee.Geometry.Point(place).buffer(metres).getInfo()
    assert found["type"] == "Polygon"
    (ring,) = found["coordinates"]
    assert len(ring) > 32
    longitudes, latitudes = np.array(ring).T
    starts = np.full((2, len(ring)), np.array(place)[:, np.newaxis])
    _, _, distances = GEOD.inv(*starts, longitudes, latitudes)
    np.testing.assert_allclose(distances, metres, rtol=1e-6)


def test_a_buffered_polygon_grows_or_shrinks_on_all_sides() -> None:
    utm = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32610", always_xy=True)
    plain = shape(
        {"type": "Polygon", "coordinates": [np.column_stack(utm.transform(*np.array(RING).T))]}
    )
    for metres in (300, -300):
        found = polygon(RING).buffer(metres).getInfo()
        points = np.array(found["coordinates"][0])
        grown = shape(
            {"type": "Polygon", "coordinates": [np.column_stack(utm.transform(*points.T))]}
        )
        # The scale of UTM is off by 0.04 per cent at most here.
        assert grown.area == pytest.approx(plain.buffer(metres).area, rel=2e-3)


def test_the_centre_of_a_polygon_is_its_centre_of_gravity() -> None:
    found = polygon(RING).centroid().getInfo()
    utm = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32610", always_xy=True)
    plain = shape(
        {"type": "Polygon", "coordinates": [np.column_stack(utm.transform(*np.array(RING).T))]}
    )
    x, y = utm.transform(*found["coordinates"])
    assert (x, y) == pytest.approx((plain.centroid.x, plain.centroid.y), abs=3)
    point = ee.Geometry.Point([7, 8]).centroid().getInfo()
    assert point["coordinates"] == pytest.approx([7, 8])


def test_bounds_are_a_box_in_degrees() -> None:
    found = polygon(RING).bounds().getInfo()
    assert shape(found).bounds == pytest.approx((-122.5, 37.3, -122.4, 37.4))
    assert found["geodesic"] is False


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (lambda: polygon(RING), lambda: polygon(SMALL), True),
        (lambda: polygon(SMALL), lambda: polygon(RING), False),
        (lambda: polygon(RING), lambda: ee.Geometry.Point([-122.45, 37.33]), True),
        (lambda: polygon(RING), lambda: ee.Geometry.Point([-122.6, 37.33]), False),
        (lambda: polygon(RING), lambda: ee.Geometry.LineString(SMALL), True),
        (lambda: polygon(RING), lambda: polygon(RING), True),
    ],
)
def test_containment(left: Any, right: Any, expected: bool) -> None:
    assert left().contains(right()).getInfo() is expected
    assert right().containedIn(left()).getInfo() is expected


def test_intersecting_and_subtracting() -> None:
    assert polygon(RING).intersects(polygon(SMALL)).getInfo() is True
    assert polygon(RING).intersects(ee.Geometry.Point([0, 0])).getInfo() is False
    areas = ee.List([polygon(RING).area(), polygon(SMALL).area()]).getInfo()
    rest = polygon(RING).difference(polygon(SMALL)).area().getInfo()
    assert rest == pytest.approx(areas[0] - areas[1], rel=1e-9)
    shown = polygon(RING).intersection(polygon(SMALL)).getInfo()
    assert shown["type"] == "Polygon"
    small = shape({"type": "Polygon", "coordinates": [SMALL]})
    np.testing.assert_allclose(
        shape(shown).normalize().exterior.coords, small.normalize().exterior.coords
    )


def test_a_projection_in_which_to_work_is_refused() -> None:
    with pytest.raises(ee.EEException, match="the argument 'proj' of Geometry"):
        ee.Geometry.Point([0, 0]).buffer(1, 1, "EPSG:32610").getInfo()


def test_projections_are_scaled_and_moved() -> None:
    utm = ee.Projection("EPSG:32610", [10, 0, 500000, 0, -10, 4200000])
    assert utm.crs().getInfo() == "EPSG:32610"
    assert utm.atScale(30).getInfo()["transform"] == [30, 0, 500000, 0, -30, 4200000]
    assert utm.scale(2, 3).getInfo()["transform"] == [20, 0, 500000, 0, -30, 4200000]
    assert utm.translate(1, 2).getInfo()["transform"] == [10, 0, 500010, 0, -10, 4199980]


def test_a_feature_is_shaped_and_compared_by_its_geometry() -> None:
    point, far = ee.Geometry.Point([-47, -1.5]), ee.Geometry.Point([-46, -1.5])
    one, other = ee.Feature(point, {"n": 1}), ee.Feature(far, {"n": 2})
    circle = one.buffer(100)
    found = ee.List(
        [
            circle.area(1),
            circle.contains(one, 1),
            one.containedIn(circle, 1),
            circle.intersects(other),
            circle.disjoint(other),
            one.distance(other),
            point.distance(far),
            circle.get("n"),
        ]
    ).getInfo()
    area = point.buffer(100).area(1).getInfo()
    metres = GEOD.inv(-47, -1.5, -46, -1.5)[2]
    assert found == pytest.approx([area, True, True, False, True, metres, metres, 1], rel=1e-6)
    for shaped in (circle.bounds(), circle.centroid(), circle.union(other.buffer(10))):
        assert shaped.getInfo()["properties"] == {"n": 1}
    wide = other.buffer(150_000)
    parts = ee.List([each.area(1) for each in (circle.difference(wide), wide.intersection(circle))])
    assert sum(parts.getInfo()) == pytest.approx(area, rel=1e-6)
    either = point.buffer(100).symmetricDifference(far.buffer(100), 1)
    assert either.area(1).getInfo() == pytest.approx(2 * area, rel=1e-5)
    with pytest.raises(ee.EEException, match=r"Feature\.buffer: The element has no geometry"):
        ee.Feature(None).buffer(1).getInfo()


def test_a_geometry_says_what_it_is() -> None:
    corners = [[0, 0], [1, 0], [1, 1], [0, 0]]
    for geometry, kind, coordinates in (
        (ee.Geometry.Point([3, 4]), "Point", [3, 4]),
        (ee.Geometry.LineString(corners[:3]), "LineString", corners[:3]),
        (ee.Geometry.Polygon([corners]), "Polygon", [corners]),
    ):
        assert geometry.type().getInfo() == kind
        assert geometry.coordinates().getInfo() == coordinates
