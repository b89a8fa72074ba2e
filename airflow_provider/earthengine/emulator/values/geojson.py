"""GeoJSON -> geometries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from affine import Affine

from airflow_provider.earthengine.emulator.values.geometries import Geometry, line_as_ring
from airflow_provider.earthengine.emulator.values.projections import Coordinates, Projection

WGS84 = Projection("EPSG:4326", Affine.identity())
# How deep the lists of polygons, of rings and of points are nested in the coordinates of each kind.
_WRAPPING = {"Point": 3, "LineString": 2, "LinearRing": 2, "Polygon": 1, "MultiPolygon": 0}


def read_geojson(document: Mapping[str, Any], is_geodesic: bool = False) -> Geometry:
    """Return a point, line or polygon in longitudes and latitudes.

    :raises KeyError, TypeError, ValueError: if it is none of these.
    """
    kind, polygons = document["type"], document["coordinates"]
    if kind not in _WRAPPING:
        raise ValueError(f"a geometry of the type {kind!r}")
    for _ in range(_WRAPPING[kind]):
        polygons = [polygons]
    rings: list[Coordinates] = []
    owners: list[int] = []
    for owner, polygon in enumerate(polygons):
        for points in polygon:
            ring = np.array(points, dtype=np.float64).reshape(-1, 2)
            rings.append(line_as_ring(ring) if kind.startswith("Line") else ring)
            owners.append(owner)
    return Geometry(kind, tuple(rings), tuple(owners), WGS84, is_geodesic)
