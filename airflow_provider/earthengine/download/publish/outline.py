"""A grid of pixels -> polygons in longitude and latitude that make up its outline.

They are not cut at the antimeridian: where the outline crosses it, longitudes continue beyond 180
degrees. An outline around a pole is closed along the pole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio import Affine
from rasterio._err import CPLE_BaseError  # What a failed transformation raises; not public.
from rasterio.errors import RasterioError
from rasterio.features import shapes
from rasterio.warp import reproject, transform
from shapely import make_valid
from shapely.geometry import Polygon, box, shape
from shapely.ops import unary_union

from airflow_provider.earthengine.download.plan.grid import PixelGrid

Points = npt.NDArray[np.float64]

_WGS84 = "EPSG:4326"
_METRES_PER_DEGREE = 111_320
_POINTS_PER_SIDE = 64
# Only near a pole are two points of a side more degrees of longitude apart; points are added there.
_LONGITUDE_STEP = 45
_MOST_POINTS = 4096
# A side that runs through a pole is moved into the grid by this share of the grid's size.
_BESIDE_POLE = 1e-6
# The cells on the longer side, for a grid that is only partly on the globe.
_CELLS = 1440
_SAMPLES = 64


@dataclass(frozen=True)
class _Rectangle:
    """A rectangle of a grid's pixels; its sides may cut pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def ring(self) -> Points:
        """Return points along the sides as (column, row), from the upper-left corner back to it."""
        corners = [
            (self.left, self.top), (self.left, self.bottom),
            (self.right, self.bottom), (self.right, self.top), (self.left, self.top),
        ]  # fmt: skip
        sides = pairwise(corners)
        points = [np.linspace(*side, _POINTS_PER_SIDE, endpoint=False) for side in sides]
        return np.vstack([*points, corners[-1:]])

    def holds(self, point: Points, margin: float = 0.0) -> bool:
        """Return whether a (column, row) lies in the rectangle widened by the margin."""
        column, row = point
        return bool(
            self.left - margin <= column <= self.right + margin
            and self.top - margin <= row <= self.bottom + margin
        )

    def beside(self, point: Points) -> _Rectangle:
        """Return the rectangle, with its sides moved off the point if that lies on one."""
        margin = _BESIDE_POLE * max(self.right - self.left, self.bottom - self.top)
        if not self.holds(point, margin):
            return self
        column, row = point
        return _Rectangle(
            self.left + 2 * margin * (abs(column - self.left) <= margin),
            self.top + 2 * margin * (abs(row - self.top) <= margin),
            self.right - 2 * margin * (abs(column - self.right) <= margin),
            self.bottom - 2 * margin * (abs(row - self.bottom) <= margin),
        )


@dataclass(frozen=True)
class _Place:
    """A grid and its place on the globe; NaN if some of what is asked for has no place.

    :param crs: the grid's, as rasterio's object.
    """

    grid: PixelGrid
    crs: Any

    def to_degrees(self, pixels: Points) -> Points:
        """Return (longitude, latitude) of (column, row)."""
        a, b, c, d, e, f = self.grid.transform
        xs, ys = (pixels @ np.array([[a, d], [b, e]]) + (c, f)).T
        return _transform(self.crs, _WGS84, np.column_stack([xs, ys]))

    def to_pixels(self, degrees: Points) -> Points:
        """Return (column, row) of (longitude, latitude)."""
        a, b, c, d, e, f = self.grid.transform
        there = _transform(_WGS84, self.crs, degrees) - (c, f)
        pixels: Points = there @ np.linalg.inv(np.array([[a, d], [b, e]]))
        return pixels

    def poles(self) -> list[tuple[float, Points]]:
        """Return the latitude and the (column, row) of each pole that the crs reaches."""
        found = [(latitude, self.to_pixels(np.array([[0.0, latitude]]))) for latitude in (90, -90)]
        return [
            (latitude, pixels[0])
            for latitude, pixels in found
            if abs(self.to_degrees(pixels)[0, 1] - latitude) < 1e-6
        ]


def outline_pieces(grid: PixelGrid, crs: Any) -> list[Any]:
    """Return polygons that together are the outline; none if the grid is nowhere on the globe.

    :param crs: the grid's, as rasterio's object.
    """
    place = _Place(grid, crs)
    if crs.is_geographic:
        return _geographic_outline(place)
    rectangle = _Rectangle(0, 0, grid.width, grid.height)
    for _, pole in place.poles():
        rectangle = rectangle.beside(pole)
    whole = _project(place, rectangle)
    return _outline_in_cells(place) if whole is None else [whole]


def pixel_degrees(grid: PixelGrid, crs: Any) -> float:
    """Return the shorter side of a pixel in degrees of latitude, approximately."""
    a, b, _, d, e, _ = grid.transform
    side = min(math.hypot(a, d), math.hypot(b, e))
    return side if crs.is_geographic else side * crs.linear_units_factor[1] / _METRES_PER_DEGREE


def _geographic_outline(place: _Place) -> list[Any]:
    """Return the outline of a grid in degrees, whose longitudes may exceed 180.

    If the centres of its first or last row are at a pole, the grid reaches beyond it, and is cut.
    """
    outline = Polygon(place.grid.outline(1))
    on_globe = outline.intersection(box(outline.bounds[0], -90, outline.bounds[2], 90))
    if not on_globe.area:
        return []
    corners = np.array(on_globe.exterior.coords)
    degrees = _transform(place.crs, _WGS84, corners)
    # A change of datum moves points by seconds, and may remove whole turns.
    degrees[:, 0] += 360 * np.round((corners[:, 0] - degrees[:, 0]) / 360)
    return [] if np.isnan(degrees).any() else [Polygon(degrees)]


def _project(place: _Place, rectangle: _Rectangle) -> Any:
    """Return the polygon of a rectangle of pixels; None if it is not entirely on the globe."""
    pixels = rectangle.ring()
    degrees = place.to_degrees(pixels)
    if not _comes_back(place, pixels, degrees):
        return None
    while (steps := _wide_steps(degrees[:, 0])).any():
        if len(pixels) > _MOST_POINTS:
            return None
        before = np.flatnonzero(steps)
        between = (pixels[before] + pixels[before + 1]) / 2
        pixels = np.insert(pixels, before + 1, between, axis=0)
        degrees = np.insert(degrees, before + 1, place.to_degrees(between), axis=0)
    if np.isnan(degrees).any():
        return None
    degrees[:, 0] = np.unwrap(degrees[:, 0], period=360)
    if abs(degrees[-1, 0] - degrees[0, 0]) > 180:
        poles = [latitude for latitude, pole in place.poles() if rectangle.holds(pole)]
        if len(poles) != 1:
            return None
        along = [[degrees[-1, 0], poles[0]], [degrees[0, 0], poles[0]]]
        degrees = np.vstack([degrees, along])
    return make_valid(Polygon(degrees).simplify(pixel_degrees(place.grid, place.crs) / 10))


def _comes_back(place: _Place, pixels: Points, degrees: Points) -> bool:
    """Return whether each pixel has a place of its own on the globe.

    Beyond the edge of its domain, a projection may fold back onto itself. A cylindrical one goes
    round again: then all points beyond the edge come back shifted by the length of the equator.
    """
    if np.isnan(degrees).any():
        return False
    offsets = place.to_pixels(degrees) - pixels
    if np.isnan(offsets).any():
        return False
    beyond = offsets[np.abs(offsets).max(axis=1) > 0.5]
    if not len(beyond):
        return True
    sides = beyond * np.sign(beyond @ beyond[0])[:, np.newaxis]
    return bool(np.abs(sides - beyond[0]).max() < 0.5)


def _wide_steps(longitudes: Points) -> npt.NDArray[np.bool_]:
    steps = np.diff(longitudes)
    return np.abs((steps + 180) % 360 - 180) > _LONGITUDE_STEP


def _outline_in_cells(place: _Place) -> list[Any]:
    """Return the outline in cells of longitude and latitude, each of which is in the grid or not.

    This direction is well defined wherever the projection is.
    """
    found = _cells_within(place, box(-180, -90, 180, 90))
    if not found:
        return []
    around = box(*unary_union(found).bounds).buffer(360 / _CELLS, join_style="mitre")
    return _cells_within(place, around.intersection(box(-180, -90, 180, 90)))


def _cells_within(place: _Place, area: Any) -> list[Any]:
    """Return polygons of the cells in the bounds of an area whose centres are in the grid."""
    west, south, east, north = area.bounds
    cell = max(east - west, north - south) / _CELLS
    width, height = math.ceil((east - west) / cell), math.ceil((north - south) / cell)
    cells = np.zeros((height, width), np.uint8)
    to_degrees = Affine(cell, 0, west, 0, -cell, north)
    a, b, c, d, e, f = place.grid.transform
    across, down = place.grid.width / _SAMPLES, place.grid.height / _SAMPLES
    reproject(
        np.ones((_SAMPLES, _SAMPLES), np.uint8),
        cells,
        src_transform=Affine(a * across, b * down, c, d * across, e * down, f),
        src_crs=place.crs,
        src_nodata=0,
        dst_transform=to_degrees,
        dst_crs=_WGS84,
        dst_nodata=0,
        tolerance=0,
    )
    outlines = [shape(each) for each, _ in shapes(cells, cells > 0, transform=to_degrees)]
    return [outline.simplify(cell) for outline in outlines]


def _transform(source: Any, target: Any, points: Points) -> Points:
    """Return the points in another crs as (x, y); all NaN if one of them has no place there."""
    nowhere = np.full(points.shape, np.nan)
    if not np.isfinite(points).all():
        return nowhere
    try:
        moved = np.column_stack(transform(source, target, points[:, 0], points[:, 1]))
    except (RasterioError, CPLE_BaseError, SystemError):
        # SystemError: rasterio's for a failure that GDAL does not explain.
        return nowhere
    return moved if np.isfinite(moved).all() else nowhere
