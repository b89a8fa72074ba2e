"""Half-open rectangles in pixel coordinates, and the grid of an output.

Columns come before rows everywhere in this module; only arrays have (rows, columns).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from airflow_provider.earthengine.emulator.values.projections import (
    Coordinates,
    Projection,
    compose,
    map_points,
    transform_points,
)

# An edge this close to a line between pixels (in pixels) counts as on it and adds no pixel.
# Source: https://developers.google.com/earth-engine/docs/release-notes ("exactly on a pixel
# line"); the tolerance is not published.
EDGE_TOLERANCE = 1e-6
_POINTS_PER_EDGE = 128


@dataclass(frozen=True)
class Box:
    """A half-open rectangle in pixel coordinates: left <= column < right, top <= row < bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> int:
        return max(0, math.ceil(self.right - self.left - EDGE_TOLERANCE))

    @property
    def height(self) -> int:
        return max(0, math.ceil(self.bottom - self.top - EDGE_TOLERANCE))

    def snapped(self) -> Box:
        """Return the smallest box of whole pixels around this one."""
        return Box(
            math.floor(self.left + EDGE_TOLERANCE),
            math.floor(self.top + EDGE_TOLERANCE),
            math.ceil(self.right - EDGE_TOLERANCE),
            math.ceil(self.bottom - EDGE_TOLERANCE),
        )

    def intersection(self, other: Box) -> Box:
        """Return the intersection; a box without pixels if they share nothing."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Box(
            left,
            top,
            max(left, min(self.right, other.right)),
            max(top, min(self.bottom, other.bottom)),
        )

    def union(self, other: Box) -> Box:
        """Return the smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def outline(self) -> tuple[Coordinates, Coordinates]:
        """Return points along the four edges, dense enough to show the bulge of a curved edge."""
        steps = np.linspace(0.0, 1.0, _POINTS_PER_EDGE)
        across = self.left + steps * (self.right - self.left)
        down = self.top + steps * (self.bottom - self.top)
        same = np.ones_like(steps)
        xs = np.concatenate([across, same * self.right, across, same * self.left])
        ys = np.concatenate([same * self.top, down, same * self.bottom, down])
        return xs, ys


@dataclass(frozen=True)
class Footprint:
    """The extent of a band's pixels: a box in the pixel coordinates of a projection."""

    projection: Projection
    box: Box

    def box_in(self, projection: Projection) -> Box | None:
        """Return the box around the footprint in another projection; None if it has none."""
        if projection == self.projection:
            return self.box
        xs, ys = map_points(self.projection.transform, *self.box.outline())
        return box_around(self.projection.crs, xs, ys, projection)


@dataclass(frozen=True)
class PixelGrid:
    """The pixels of one output: width x height pixels from pixel 0, 0 of ``projection``."""

    projection: Projection
    width: int
    height: int

    def centres_in(self, projection: Projection) -> tuple[Coordinates, Coordinates]:
        """Return the pixel centres in the pixel coordinates of another projection.

        :return: columns and rows, which broadcast to (height, width); NaN where a centre does not
            exist in the other CRS.
        """
        columns = np.arange(self.width, dtype=np.float64)[np.newaxis, :] + 0.5
        rows = np.arange(self.height, dtype=np.float64)[:, np.newaxis] + 0.5
        if projection.crs == self.projection.crs:
            step = compose(~projection.transform, self.projection.transform)
            return map_points(step, columns, rows)
        columns, rows = np.broadcast_arrays(columns, rows)
        xs, ys = map_points(self.projection.transform, columns, rows)
        xs, ys = transform_points(self.projection.crs, projection.crs, xs, ys)
        return map_points(~projection.transform, xs, ys)

    def offset_in(self, projection: Projection) -> tuple[int, int] | None:
        """Return (column, row) of this grid's corner in another's pixels; None if not on them."""
        if projection.crs != self.projection.crs:
            return None
        step = compose(~projection.transform, self.projection.transform)
        column, row = round(step.c), round(step.f)
        drift = max(abs(step.a - 1), abs(step.e - 1), abs(step.b), abs(step.d))
        reach = drift * max(self.width, self.height)
        if max(reach, abs(step.c - column), abs(step.f - row)) > EDGE_TOLERANCE:
            return None
        return column, row

    def box_in(self, projection: Projection) -> Box | None:
        """Return the box of the whole grid in another projection."""
        whole = Box(0, 0, self.width, self.height)
        return Footprint(self.projection, whole).box_in(projection)


def box_around(crs: str, xs: Coordinates, ys: Coordinates, projection: Projection) -> Box | None:
    """Return the box around points, in the pixel coordinates of a projection.

    :param crs: the CRS that the points are in.
    :return: None if a point does not exist in the projection.
    """
    xs, ys = transform_points(crs, projection.crs, xs, ys)
    columns, rows = map_points(~projection.transform, xs, ys)
    edges = (columns.min(), rows.min(), columns.max(), rows.max())
    if not np.isfinite(edges).all():
        return None
    return Box(*(float(edge) for edge in edges))
