"""Polygons as sets of points: intersection, union and area.

Everything is computed in an equal-area projection of the globe, in metres. Results are polygons in
degrees.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import shapely
from affine import Affine
from shapely import make_valid
from shapely.geometry import Polygon
from shapely.ops import unary_union

from airflow_provider.earthengine.emulator.replies import unsupported
from airflow_provider.earthengine.emulator.values.geojson import WGS84
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.projections import (
    Coordinates,
    Projection,
    transform_points,
)

# WGS 84 / NSIDC EASE-Grid 2.0 Global: cylindrical, so meridians and parallels stay straight.
EQUAL_AREA = Projection("EPSG:6933", Affine.identity())
# A tenth of a millimetre.
_STRAIGHT = 1e-9
_DECIMALS = 12
_POLYGONS = {"Polygon", "MultiPolygon"}


def intersection_of(left: Geometry, right: Geometry) -> Geometry:
    """Return the points in both."""
    return _geometry(_shape(left).intersection(_shape(right)))


def union_of(left: Geometry, right: Geometry) -> Geometry:
    """Return the points in either."""
    return _geometry(_shape(left).union(_shape(right)))


def difference_of(left: Geometry, right: Geometry) -> Geometry:
    """Return the points in the first only."""
    return _geometry(_shape(left).difference(_shape(right)))


def symmetric_difference_of(left: Geometry, right: Geometry) -> Geometry:
    """Return the points in one of the two only."""
    return _geometry(_shape(left).symmetric_difference(_shape(right)))


def area_of(geometry: Geometry) -> float:
    """Return the area on the ellipsoid, in square metres."""
    return float(_shape(geometry).area)


def _shape(geometry: Geometry) -> Any:
    return shape_of(geometry, EQUAL_AREA)


def shape_of(geometry: Geometry, projection: Projection) -> Any:
    """Return polygons as shapely's, in the pixel coordinates of a projection."""
    if geometry.kind not in _POLYGONS:
        raise unsupported(f"the area of a {geometry.kind}")
    polygons: dict[int, list[Any]] = {}
    rings = geometry.shape_in(projection)
    for ring, owner in zip(rings, geometry.polygon_of_ring, strict=True):
        polygons.setdefault(owner, []).append(make_valid(Polygon(ring)))
    # A point is in a polygon if an odd number of its rings enclose it.
    parts = [reduce(lambda a, b: a.symmetric_difference(b), each) for each in polygons.values()]
    return unary_union(parts)


def _geometry(shape: Any) -> Geometry:
    """Return polygons of the equal-area projection in degrees, without needless vertices."""
    return in_degrees(shape, EQUAL_AREA, _STRAIGHT)


def in_degrees(shape: Any, projection: Projection, tolerance: float = 0) -> Geometry:
    """Return shapely's polygons, in the coordinates of a crs, as polygons in degrees.

    :param tolerance: the degrees by which a vertex must be off a straight line to be kept.
    """

    def move(points: Coordinates) -> Coordinates:
        xs, ys = transform_points(projection.crs, WGS84.crs, points[:, 0], points[:, 1])
        return np.asarray(np.round(np.stack([xs, ys], axis=1), _DECIMALS), dtype=np.float64)

    moved = shapely.transform(shape, move)
    if tolerance:
        # A normalized ring begins at a corner, so that no vertex within a line has to stay.
        moved = moved.normalize().simplify(tolerance, preserve_topology=False)
    parts = [part for part in getattr(moved, "geoms", [moved]) if isinstance(part, Polygon)]
    parts = [part for part in parts if not part.is_empty]
    rings: list[Coordinates] = []
    owners: list[int] = []
    for owner, part in enumerate(parts):
        for ring in (part.exterior, *part.interiors):
            rings.append(np.array(ring.coords)[:-1])
            owners.append(owner)
    kind = "Polygon" if len(parts) == 1 else "MultiPolygon"
    return Geometry(kind, tuple(rings), tuple(owners), WGS84)
