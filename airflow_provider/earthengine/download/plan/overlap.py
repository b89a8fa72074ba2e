"""Can an image have pixels in the requested grid?

Projections bend outlines, fold them outside of their domain, and cut them at poles and at the
antimeridian. Unless two grids are proved to be apart, Earth Engine decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from shapely.affinity import translate
from shapely.geometry import Polygon

from airflow_provider.earthengine.download.plan.grid import PixelGrid

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Points = npt.NDArray[np.float64]

_WGS84 = "EPSG:4326"
_STEPS_PER_SIDE = 32
# A point that returns from another crs with a larger error, in pixels, is outside of its domain.
_PIXEL_TOLERANCE = 0.5
# Longitudes may run from 0 to 360 degrees in one grid and from -180 to 180 in another.
_TURNS = (-360.0, 0.0, 360.0)


def may_meet(grid: PixelGrid, extent: PixelGrid | None) -> bool:
    """Return False only if certainly no pixel of the grid is in the image.

    :param grid: the requested pixels.
    :param extent: the image's pixels; None if it has no bounds.
    """
    if grid.is_empty:
        return False
    if extent is None or not (grid.is_placed and extent.is_placed):
        return True
    if extent.is_empty:
        return False
    if grid.is_in(extent.crs):
        return _shapes_meet(Polygon(grid.outline(1)), extent, 0.0)
    return not _are_apart(grid, extent)


def _are_apart(grid: PixelGrid, extent: PixelGrid) -> bool:
    """Return whether it is proved, by their distance on the globe or in the planes of both crs."""
    caps = [_cap_around(each) for each in (grid, extent)]
    if caps[0] and caps[1] and _angle(caps[0][0], caps[1][0]) > caps[0][1] + caps[1][1]:
        return True
    return _is_apart_in_plane_of(extent, grid) and _is_apart_in_plane_of(grid, extent)


def _is_apart_in_plane_of(still: PixelGrid, moved: PixelGrid) -> bool:
    """Return whether ``moved`` is sound in the crs of ``still``, and disjoint from it there."""
    projected = _project(moved, still.crs)
    if projected is None:
        return False
    ring = _ring_of(projected)
    outline = Polygon(ring)
    if not outline.is_valid:
        return False
    # Between two points, a side bends about as far as a point is from the line of its neighbours.
    bend = max(
        math.dist(middle, ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2))
        for left, middle, right in zip(ring, ring[1:], ring[2:], strict=False)
        if not _is_corner(middle, projected)
    )
    return not _shapes_meet(outline, still, bend + still.pixel_side)


def _shapes_meet(outline: Any, still: PixelGrid, margin: float) -> bool:
    shape = Polygon(still.outline(1)).buffer(margin) if margin else Polygon(still.outline(1))
    turns = _TURNS if _is_geographic(still.crs) else (0.0,)
    return any(shape.intersects(translate(outline, xoff=turn)) for turn in turns)


def _cap_around(grid: PixelGrid) -> tuple[Points, float] | None:
    """Return centre (a unit vector) and radius (radians) of a circle on the globe around the grid.

    None if longitude and latitude of the grid are not sound, or it covers half of the globe.
    """
    import numpy as np

    projected = _project(grid, _WGS84)
    if projected is None:
        return None
    longitude, latitude = np.radians(projected[..., 0]), np.radians(projected[..., 1])
    vectors = np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=-1,
    )
    centre = vectors.mean(axis=(0, 1))
    centre /= max(float(np.linalg.norm(centre)), 1e-9)
    farthest = max(_angle(centre, vector) for vector in vectors.reshape(-1, 3))
    # A place between points is at most as far from one of them as the next point is.
    step = max(
        _angle(one, other)
        for line in (*vectors, *vectors.swapaxes(0, 1))
        for one, other in pairwise(line)
    )
    radius = farthest + step
    return (centre, radius) if radius < math.pi / 2 else None


def _project(grid: PixelGrid, crs: str) -> Points | None:
    """Return points on and within the grid's edge as (row, column, x or y) of another crs.

    None unless all of them exist there, and return from there.
    """
    import numpy as np

    shares = np.linspace(0.0, 1.0, _STEPS_PER_SIDE + 1)
    a, b, c, d, e, f = grid.transform
    columns, rows = np.meshgrid(shares * grid.width, shares * grid.height)
    xs, ys = a * columns + b * rows + c, d * columns + e * rows + f
    moved = _transform(grid.crs, crs, xs.ravel(), ys.ravel())
    back = _transform(crs, grid.crs, *moved) if moved else None
    if moved is None or back is None:
        return None
    away = np.abs(back[0] - xs.ravel())
    if _is_geographic(grid.crs):
        away = np.minimum(away, np.abs(away - 360))
    away = np.hypot(away, back[1] - ys.ravel())
    if not (away < _PIXEL_TOLERANCE * grid.pixel_side).all():
        return None
    return np.stack([moved[0].reshape(xs.shape), moved[1].reshape(ys.shape)], axis=-1)


def _transform(source: str, target: str, xs: Any, ys: Any) -> tuple[Points, Points] | None:
    import numpy as np
    from rasterio._err import CPLE_BaseError  # What a failed transformation raises; not public.
    from rasterio.errors import CRSError, RasterioError
    from rasterio.warp import transform

    from airflow_provider.earthengine.download.crs import resolve_crs

    known = resolve_crs(source), resolve_crs(target)
    if not all(known):
        return None
    try:
        moved = transform(*known, xs, ys)
    except (RasterioError, CRSError, CPLE_BaseError, SystemError):
        return None
    points = np.asarray(moved[0], dtype=float), np.asarray(moved[1], dtype=float)
    return points if np.isfinite(points).all() else None


def _ring_of(points: Points) -> list[tuple[float, float]]:
    """Return the closed ring of the points on the edge."""
    edge = [*points[0, :-1], *points[:-1, -1], *points[-1, :0:-1], *points[:0:-1, 0]]
    return [(float(x), float(y)) for x, y in [*edge, edge[0]]]


def _is_corner(point: Sequence[float], points: Points) -> bool:
    corners = (points[0, 0], points[0, -1], points[-1, 0], points[-1, -1])
    return any(point[0] == x and point[1] == y for x, y in corners)


def _angle(one: Points, other: Points) -> float:
    return math.acos(max(-1.0, min(1.0, float(one @ other))))


def _is_geographic(crs: str) -> bool:
    from airflow_provider.earthengine.download.crs import resolve_crs

    known = resolve_crs(crs)
    return bool(known and known.is_geographic)
