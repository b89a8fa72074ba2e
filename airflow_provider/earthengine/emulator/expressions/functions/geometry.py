"""Functions that create geometries from coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument
from airflow_provider.earthengine.emulator.values.geojson import WGS84
from airflow_provider.earthengine.emulator.values.geometries import (
    Geometry,
    join_geometries,
    line_as_ring,
)
from airflow_provider.earthengine.emulator.values.projections import (
    Coordinates,
    is_geographic,
)


def _make(kind: str, polygons: list[list[Coordinates]], arguments: Arguments) -> Geometry:
    """Return a geometry; edges in longitude and latitude are geodesic by default."""
    projection = arguments["crs"] or WGS84
    is_geodesic = arguments.get("geodesic")
    if is_geodesic is None:
        is_geodesic = is_geographic(projection.crs)
    if is_geodesic and not is_geographic(projection.crs):
        raise invalid_argument(
            f"GeometryConstructors.{kind}: Geodesic edges need a geographic projection."
        )
    if projection.crs == "EPSG:4326" and projection.transform.is_identity:
        for ring in (ring for polygon in polygons for ring in polygon):
            if (np.abs(ring[:, 1]) > 90).any():
                raise invalid_argument(
                    f"GeometryConstructors.{kind}: Latitudes must lie between -90 and 90."
                )
    rings = [(ring, owner) for owner, polygon in enumerate(polygons) for ring in polygon]
    return Geometry(
        kind,
        tuple(ring for ring, _ in rings),
        tuple(owner for _, owner in rings),
        projection,
        is_geodesic,
    )


def _points(kind: str, coordinates: Any, fewest: int) -> Coordinates:
    """Return a list of [x, y] pairs as an array."""
    problem = invalid_argument(f"GeometryConstructors.{kind}: Invalid coordinates.")
    try:
        points = np.array(coordinates, dtype=np.float64)
    except (TypeError, ValueError):
        raise problem from None
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < fewest:
        raise problem
    if not np.isfinite(points).all():
        raise problem
    return points


def _depth(coordinates: Any) -> int:
    depth = 0
    while isinstance(coordinates, list) and coordinates:
        coordinates, depth = coordinates[0], depth + 1
    return depth


def _rings(kind: str, coordinates: Any) -> list[Coordinates]:
    return [_points(kind, ring, 3) for ring in coordinates]


def _point(session: Session, arguments: Arguments) -> Geometry:
    return _make("Point", [[_points("Point", [arguments["coordinates"]], 1)]], arguments)


def _rectangle(session: Session, arguments: Arguments) -> Geometry:
    coordinates = arguments["coordinates"]
    if _depth(coordinates) == 1 and len(coordinates) == 4:
        coordinates = [coordinates[:2], coordinates[2:]]
    corners = _points("Rectangle", coordinates, 2)
    if len(corners) != 2:
        raise invalid_argument("GeometryConstructors.Rectangle: Two corners are required.")
    (west, south), (east, north) = corners
    ring = np.array([[west, south], [east, south], [east, north], [west, north]])
    return _make("Polygon", [[ring]], arguments)


def _polygon(session: Session, arguments: Arguments) -> Geometry:
    coordinates = arguments["coordinates"]
    if _depth(coordinates) == 2:
        coordinates = [coordinates]
    if _depth(coordinates) != 3:
        raise invalid_argument("GeometryConstructors.Polygon: Invalid coordinates.")
    return _make("Polygon", [_rings("Polygon", coordinates)], arguments)


def _multi_polygon(session: Session, arguments: Arguments) -> Geometry:
    coordinates = arguments["coordinates"]
    if _depth(coordinates) != 4:
        raise invalid_argument("GeometryConstructors.MultiPolygon: Invalid coordinates.")
    polygons = [_rings("MultiPolygon", polygon) for polygon in coordinates]
    return _make("MultiPolygon", polygons, arguments)


def _line_string(session: Session, arguments: Arguments) -> Geometry:
    line = _points("LineString", arguments["coordinates"], 2)
    return _make("LineString", [[line_as_ring(line)]], arguments)


def _linear_ring(session: Session, arguments: Arguments) -> Geometry:
    ring = _points("LinearRing", arguments["coordinates"], 3)
    closed = ring if (ring[0] == ring[-1]).all() else np.concatenate([ring, ring[:1]])
    return _make("LinearRing", [[line_as_ring(closed)]], arguments)


def _multi_line_string(session: Session, arguments: Arguments) -> Geometry:
    coordinates = arguments["coordinates"]
    if _depth(coordinates) != 3:
        raise invalid_argument("GeometryConstructors.MultiLineString: Invalid coordinates.")
    lines = [[line_as_ring(_points("MultiLineString", line, 2))] for line in coordinates]
    return _make("MultiLineString", lines, arguments)


def _multi_point(session: Session, arguments: Arguments) -> Geometry:
    points = _points("MultiPoint", arguments["coordinates"], 1)
    return _make("MultiPoint", [[point[np.newaxis]] for point in points], arguments)


def _multi_geometry(session: Session, arguments: Arguments) -> Geometry:
    return join_geometries(arguments["geometries"])


def _shape(kind: str, call: Callable[[Session, Arguments], Geometry]) -> Function:
    """Return the constructor, from coordinates, of a shape with edges."""
    return Function(
        f"GeometryConstructors.{kind}",
        (Parameter("coordinates", "List<Object>"), _CRS, _GEODESIC, _MAX_ERROR),
        "Geometry",
        f"the official client for a region that is a GeoJSON {kind}",
        call,
    )


_CRS = Parameter("crs", "Projection", None)
_GEODESIC = Parameter("geodesic", "Boolean", None)
_MAX_ERROR = Parameter("maxError", "ErrorMargin", None, is_served=False)
_EVEN_ODD = Parameter("evenOdd", "Boolean", True)

FUNCTIONS = (
    Function(
        "GeometryConstructors.Point",
        (Parameter("coordinates", "List<Number>"), _CRS),
        "Geometry",
        "the official client for a region that is a GeoJSON point",
        _point,
    ),
    Function(
        "GeometryConstructors.Rectangle",
        (Parameter("coordinates", "List<Object>"), _CRS, _GEODESIC, _EVEN_ODD),
        "Geometry",
        "the official client for crs, crs_transform and dimensions (pixels of a projection)",
        _rectangle,
    ),
    Function(
        "GeometryConstructors.Polygon",
        (Parameter("coordinates", "List<Object>"), _CRS, _GEODESIC, _MAX_ERROR, _EVEN_ODD),
        "Geometry",
        "the official client for a region: ee.Geometry.BBox, Rectangle, Polygon, or GeoJSON",
        _polygon,
    ),
    Function(
        "GeometryConstructors.MultiPolygon",
        (Parameter("coordinates", "List<Object>"), _CRS, _GEODESIC, _MAX_ERROR, _EVEN_ODD),
        "Geometry",
        "the official client for a region that is a GeoJSON multi-polygon",
        _multi_polygon,
    ),
    _shape("LineString", _line_string),
    _shape("LinearRing", _linear_ring),
    _shape("MultiLineString", _multi_line_string),
    Function(
        "GeometryConstructors.MultiPoint",
        (Parameter("coordinates", "List<Object>"), _CRS),
        "Geometry",
        "the official client for a region that is a GeoJSON MultiPoint",
        _multi_point,
    ),
    Function(
        "GeometryConstructors.MultiGeometry",
        (
            Parameter("geometries", "List<Geometry>"),
            Parameter("crs", "Projection", None, is_served=False),
            Parameter("geodesic", "Boolean", None, is_served=False),
            Parameter("maxError", "ErrorMargin", None, is_served=False),
        ),
        "Geometry",
        "the official client for a region that is a GeoJSON GeometryCollection",
        _multi_geometry,
    ),
)
