"""How much of each pixel of a grid is inside a region."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from airflow_provider.earthengine.emulator.replies import unsupported
from airflow_provider.earthengine.emulator.values.areas import shape_of
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.grids import PixelGrid
from airflow_provider.earthengine.emulator.values.projections import Coordinates

# Closer than any pixel is wide, so that a line between two such points skips no pixel but at its
# very corner, where next to nothing of the pixel is cut off.
_STEP = 0.25
# Shares are counted in steps of this size, rounded down.
# Source: https://developers.google.com/earth-engine/guides/reducers_weighting (2026-11).
_SHARES = 256
# A share that is a whole number of steps, except for rounding, is that number.
_ROUNDING = 1e-6


def centres_inside(geometry: Geometry, grid: PixelGrid) -> npt.NDArray[np.float64]:
    """Return (height, width): 1 where a pixel's centre is inside, or a point is in it; else 0."""
    if "Point" in geometry.kind:
        return _pixels_of_points(geometry, grid)
    _require_area(geometry)
    return geometry.covers_centres(grid).astype(np.float64)


def shares_inside(geometry: Geometry, grid: PixelGrid) -> npt.NDArray[np.float64]:
    """Return (height, width): the share of each pixel that is inside, from 0 to 1."""
    weights = centres_inside(geometry, grid)
    if "Point" in geometry.kind:
        return weights
    rows, columns = _pixels_on_edges(geometry, grid)
    if not len(rows):
        return weights
    # In the pixel coordinates of the grid, every pixel is a unit square.
    shape = shape_of(geometry, grid.projection)
    squares = shapely.box(columns, rows, columns + 1, rows + 1)
    shares = shapely.area(shapely.intersection(squares, shape))
    steps = np.minimum(np.floor(shares * _SHARES + _ROUNDING), _SHARES - 1)
    weights[rows, columns] = steps / (_SHARES - 1)
    return weights


def _require_area(geometry: Geometry) -> None:
    if "Polygon" not in geometry.kind and geometry.rings:
        raise unsupported(f"a region that is a {geometry.kind}, for pixels")


def _pixels_of_points(geometry: Geometry, grid: PixelGrid) -> npt.NDArray[np.float64]:
    weights = np.zeros((grid.height, grid.width))
    points = np.concatenate(geometry.shape_in(grid.projection))
    columns, rows = np.floor(points).astype(np.int64).T
    inside = (columns >= 0) & (columns < grid.width) & (rows >= 0) & (rows < grid.height)
    weights[rows[inside], columns[inside]] = 1
    return weights


def _pixels_on_edges(
    geometry: Geometry, grid: PixelGrid
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rows and columns of the pixels that an edge of the region may cross."""
    cells = np.concatenate([_cells_along(ring) for ring in geometry.shape_in(grid.projection)])
    around = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)])
    cells = np.unique((cells[:, np.newaxis] + around).reshape(-1, 2), axis=0)
    inside = (cells >= 0).all(axis=1) & (cells < (grid.width, grid.height)).all(axis=1)
    columns, rows = cells[inside].T
    return rows, columns


def _cells_along(ring: Coordinates) -> npt.NDArray[np.int64]:
    """Return the cells that contain points along the edges of a ring."""
    ends = np.roll(ring, -1, axis=0)
    counts = np.maximum(1, np.ceil(np.abs(ends - ring).max(axis=1) / _STEP)).astype(np.int64)
    edge = np.repeat(np.arange(len(ring)), counts)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    share = (number / counts[edge])[:, np.newaxis]
    return np.unique(np.floor(ring[edge] + share * (ends - ring)[edge]).astype(np.int64), axis=0)
