"""Grids of pixels -> geometry and bbox of an item, as GeoJSON requires them.

Rings run counter-clockwise, longitudes are within 180 degrees, and what crosses the antimeridian is
cut there and has a bbox whose west is greater than its east.
Source: https://www.rfc-editor.org/rfc/rfc7946, sections 3.1.6, 3.1.9 and 5, read 2026-11.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from shapely import get_parts, set_precision
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.polygon import orient
from shapely.ops import unary_union

from airflow_provider.earthengine.download.crs import resolve_crs
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.publish.outline import outline_pieces, pixel_degrees

# A tenth of a millimetre.
_DECIMALS = 9


@dataclass(frozen=True)
class _Outline:
    """A grid's outline within -180 to 180 degrees, and the size of its pixels in degrees."""

    shape: Any
    pixel: float


def footprint(grids: Iterable[PixelGrid]) -> tuple[dict[str, Any] | None, list[float] | None]:
    """Return the outline of all grids in longitude and latitude, and its bounds.

    :return: None and None if no grid has a place on the globe.
    """
    outlines = [each for grid in dict.fromkeys(grids) if (each := _outline(grid)) is not None]
    if not outlines:
        return None, None
    polygons = _tidy(_join(outlines))
    coordinates = [_rings(polygon) for polygon in polygons]
    if len(coordinates) == 1:
        return {"type": "Polygon", "coordinates": coordinates[0]}, _bounds(polygons)
    return {"type": "MultiPolygon", "coordinates": coordinates}, _bounds(polygons)


def _outline(grid: PixelGrid) -> _Outline | None:
    crs = resolve_crs(grid.crs)
    if not grid.width or not grid.height or not (crs and (crs.is_geographic or crs.is_projected)):
        return None
    pixel = pixel_degrees(grid, crs)
    parts = [
        part for piece in outline_pieces(grid, crs) for part in _cut(piece, least_width=pixel / 10)
    ]
    shape = unary_union(parts)
    return None if shape.is_empty else _Outline(shape, pixel)


def _cut(piece: Any, least_width: float) -> list[Any]:
    """Return the parts of an outline on either side of the antimeridian.

    :param least_width: in degrees; narrower parts are rounding errors.
    """
    west, _, east, _ = piece.bounds
    parts = []
    for turn in range(math.floor((west + 180) / 360), math.ceil((east + 180) / 360)):
        part = piece.intersection(box(360 * turn - 180, -90, 360 * turn + 180, 90))
        if not part.is_empty and part.bounds[2] - part.bounds[0] >= min(least_width, east - west):
            parts.append(translate(part, -360 * turn))
    return parts


def _join(outlines: Sequence[_Outline]) -> Any:
    """Return the union of the largest outline and those that exceed it by more than a pixel."""
    largest = max(outlines, key=lambda outline: outline.shape.area)
    beyond = [
        each.shape for each in outlines if not _about_covers(largest, each)
    ]  # fmt: skip
    return unary_union([largest.shape, *beyond])


def _about_covers(outline: _Outline, other: _Outline) -> bool:
    _, south, _, north = other.shape.bounds
    # The nearer to a pole, the more degrees of longitude a pixel has.
    narrowing = max(math.cos(math.radians(max(abs(south), abs(north)))), 0.01)
    margin = max(outline.pixel, other.pixel) / narrowing
    return bool(outline.shape.buffer(margin, join_style="mitre").covers(other.shape))


def _tidy(shape: Any) -> list[Any]:
    """Return the polygons: rounded, counter-clockwise, without points on straight edges."""
    # A normalised ring starts at a corner, so that simplifying keeps it.
    rounded = set_precision(shape, 10**-_DECIMALS).normalize().simplify(0)
    polygons = [part for part in get_parts(rounded) if isinstance(part, Polygon)]
    return [orient(polygon) for polygon in polygons]


def _rings(polygon: Any) -> list[list[list[float]]]:
    rings = [polygon.exterior, *polygon.interiors]
    return [[[_rounded(x), _rounded(y)] for x, y in ring.coords] for ring in rings]


def _rounded(degrees: float) -> float:
    return round(degrees, _DECIMALS) + 0.0  # Without the sign of -0.0.


def _bounds(polygons: Sequence[Any]) -> list[float]:
    """Return west, south, east, north; west is greater than east across the antimeridian."""
    _, south, _, north = MultiPolygon(polygons).bounds
    west, east = enclosing_longitudes(sorted((each.bounds[0], each.bounds[2]) for each in polygons))
    return [_rounded(each) for each in (west, south, east, north)]


def enclosing_longitudes(spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return west and east of spans of longitudes, sorted, none of which crosses 180 degrees."""
    joined = [spans[0]]
    for west, east in spans[1:]:
        if west <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(east, joined[-1][1])
        else:
            joined.append((west, east))
    first, last = joined[0], joined[-1]
    if first[0] > -180 or last[1] < 180 or len(joined) == 1:
        return first[0], last[1]
    # The bbox leaves out the widest gap.
    gaps = [(after[0] - before[1], after[0], before[1]) for before, after in pairwise(joined)]
    _, west, east = max(gaps)
    return west, east
