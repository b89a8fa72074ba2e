"""Shapes around, in and between geometries: buffers, centres, bounds, containment.

Distances are those of the ellipsoid around the centre of a geometry: exact there, and less so the
farther away, by about a millionth at 10 km and a thousandth at 500 km.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from affine import Affine

from airflow_provider.earthengine.emulator.replies import unsupported
from airflow_provider.earthengine.emulator.values.areas import (
    EQUAL_AREA,
    in_degrees,
    shape_of,
)
from airflow_provider.earthengine.emulator.values.geojson import WGS84
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.projections import (
    Projection,
    transform_points,
)

_AROUND = (
    'PROJCS["around",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["{name}"],'
    'PARAMETER["latitude_of_center",{latitude!r}],PARAMETER["longitude_of_center",{longitude!r}],'
    'PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1]]'
)
_QUARTER_SEGMENTS = 16


def buffer_of(geometry: Geometry, metres: float) -> Geometry:
    """Return what is within a distance of a geometry; with a negative one, what is deep inside."""
    place = _around(geometry, "Azimuthal_Equidistant")
    return in_degrees(
        _any_shape(geometry, place).buffer(metres, quad_segs=_QUARTER_SEGMENTS), place
    )


def centroid_of(geometry: Geometry) -> Geometry:
    """Return the centre of gravity."""
    place = _around(geometry, "Lambert_Azimuthal_Equal_Area")
    centre = _any_shape(geometry, place).centroid
    xs, ys = transform_points(place.crs, WGS84.crs, np.array([centre.x]), np.array([centre.y]))
    return Geometry("Point", (np.stack([xs, ys], axis=1),), (0,), WGS84)


def bounds_of(geometry: Geometry) -> Geometry:
    """Return the box of longitudes and latitudes around a geometry."""
    box = geometry.box_in(WGS84)
    if box is None:
        raise unsupported("the bounds of a geometry that is not on the globe")
    ring = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom)]
    corners = np.array([*ring, (box.left, box.bottom)], dtype=np.float64)
    return Geometry("Polygon", (corners,), (0,), WGS84)


def contains(outer: Geometry, inner: Geometry) -> bool:
    """Return whether every point of one is in the other."""
    shapes = (_any_shape(each, EQUAL_AREA) for each in (outer, inner))
    return bool(shapely.covers(*shapes))


def distance_between(left: Geometry, right: Geometry) -> float:
    """Return the metres between the nearest points of two geometries; 0 if they touch."""
    place = _around(left, "Azimuthal_Equidistant")
    return float(shapely.distance(*(_any_shape(each, place) for each in (left, right))))


def _around(geometry: Geometry, name: str) -> Projection:
    box = geometry.box_in(WGS84)
    if box is None:
        raise unsupported("distances around a geometry that is not on the globe")
    longitude, latitude = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return Projection(
        _AROUND.format(name=name, latitude=latitude, longitude=longitude), Affine.identity()
    )


def _any_shape(geometry: Geometry, projection: Projection) -> Any:
    """Return points, lines or polygons as shapely's."""
    if "Polygon" in geometry.kind:
        return shape_of(geometry, projection)
    rings = geometry.shape_in(projection)
    if "Point" in geometry.kind:
        return shapely.MultiPoint(np.concatenate(rings))
    if "Line" in geometry.kind:
        return shapely.union_all([shapely.LineString(ring) for ring in rings])
    raise unsupported(f"a {geometry.kind} as a shape")
