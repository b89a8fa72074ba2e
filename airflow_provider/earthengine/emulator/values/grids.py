"""Which pixels: half-open rectangles in pixel coordinates, and the grid of an output.

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

# An edge this close to a line between pixels (in pixels) lies on it and adds no further pixel.
# Source: https://developers.google.com/earth-engine/docs/release-notes ("exactly on a pixel
# line"); how close is close enough is not published.
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
        """Returns the smallest box of whole pixels around this one."""
        return Box(
            math.floor(self.left + EDGE_TOLERANCE),
            math.floor(self.top + EDGE_TOLERANCE),
            math.ceil(self.right - EDGE_TOLERANCE),
            math.ceil(self.bottom - EDGE_TOLERANCE),
        )

    def intersection(self, other: Box) -> Box:
        """Returns what both share; a box without pixels where they share nothing."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Box(
            left,
            top,
            max(left, min(self.right, other.right)),
            max(top, min(self.bottom, other.bottom)),
        )

    def union(self, other: Box) -> Box:
        """Returns the smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def outline(self) -> tuple[Coordinates, Coordinates]:
        """Returns points along the four edges, close enough that a bent edge shows its bulge."""
        steps = np.linspace(0.0, 1.0, _POINTS_PER_EDGE)
        across = self.left + steps * (self.right - self.left)
        down = self.top + steps * (self.bottom - self.top)
        same = np.ones_like(steps)
        xs = np.concatenate([across, same * self.right, across, same * self.left])
        ys = np.concatenate([same * self.top, down, same * self.bottom, down])
        return xs, ys


@dataclass(frozen=True)
class Footprint:
    """Where a band has pixels: a box in the pixel coordinates of a projection."""

    projection: Projection
    box: Box

    def box_in(self, projection: Projection) -> Box | None:
        """Returns the box around the footprint in another projection; None if it has none."""
        if projection == self.projection:
            return self.box
        xs, ys = map_points(self.projection.transform, *self.box.outline())
        return box_around(self.projection.crs, xs, ys, projection)


@dataclass(frozen=True)
class PixelGrid:
    """The pixels of one output: pixel 0, 0 of ``projection`` and as many as width x height."""

    projection: Projection
    width: int
    height: int

    def centres_in(self, projection: Projection) -> tuple[Coordinates, Coordinates]:
        """Returns the pixel centres in the pixel coordinates of another projection.

        :return: columns and rows, which broadcast to (height, width); NaN where a centre has no
            place in the other CRS.
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
        """Returns (column, row) of this grid's corner on another's pixels; None if it is not."""
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
        """Returns the box of the whole grid in another projection."""
        whole = Box(0, 0, self.width, self.height)
        return Footprint(self.projection, whole).box_in(projection)


def box_around(crs: str, xs: Coordinates, ys: Coordinates, projection: Projection) -> Box | None:
    """Returns the box around points, in the pixel coordinates of a projection.

    :param crs: the CRS that the points are in.
    :return: None where a point has no place in the projection.
    """
    xs, ys = transform_points(crs, projection.crs, xs, ys)
    columns, rows = map_points(~projection.transform, xs, ys)
    edges = (columns.min(), rows.min(), columns.max(), rows.max())
    if not np.isfinite(edges).all():
        return None
    return Box(*(float(edge) for edge in edges))
