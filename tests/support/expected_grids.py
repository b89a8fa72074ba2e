"""Which pixels of the Sentinel-2 formula asset an output grid holds, computed without the project.

A pixel of the output takes the nearest pixel of the coarsest level of 2 x 2 means that is not
coarser than itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.support.expected import (
    SENTINEL2_BANDS,
    SENTINEL2_ORIGIN,
    mean_of_2x2,
    pixels_around,
    sentinel2_values,
    utm,
    utm_box,
)

Box = tuple[float, float, float, float]

UTM10, DEGREES = "EPSG:32610", "EPSG:4326"
# Earth Engine's degree, as its files show it: the equator of WGS 84 divided by 360.
METRES_PER_DEGREE = 111319.49079327357


@dataclass(frozen=True)
class Grid:
    """North-up pixels: the outer corner of the first one (x, y), their sides, and how many."""

    crs: str
    corner: tuple[float, float]
    pixel: tuple[float, float]
    width: int
    height: int

    @property
    def transform(self) -> tuple[float, ...]:
        """Affine terms a b c d e f."""
        return (self.pixel[0], 0, self.corner[0], 0, -self.pixel[1], self.corner[1])


def lattice_grid(crs: str, origin: tuple[float, float], step: float, region: Box) -> Grid:
    """Return the pixels of a lattice that a region of longitudes and latitudes touches.

    :param origin: x, y of any corner of the lattice.
    """
    box = utm_box(*region, zone=10) if crs == UTM10 else region
    extent = pixels_around(*box, origin, step)
    corner = (origin[0] + extent.left * step, origin[1] - extent.top * step)
    return Grid(crs, corner, (step, step), extent.width, extent.height)


def own_grid(band: str, region: Box) -> Grid:
    """Return the band's own pixels that a region touches."""
    return lattice_grid(UTM10, SENTINEL2_ORIGIN, SENTINEL2_BANDS[band][0], region)


def scaled_grid(scale: float, region: Box) -> Grid:
    """Return what a scale without a crs asks for: counted from the image's own corner."""
    return lattice_grid(UTM10, SENTINEL2_ORIGIN, scale, region)


def degree_grid(scale: float, region: Box) -> Grid:
    """Return what a scale with EPSG:4326 asks for: counted from 0, 0."""
    return lattice_grid(DEGREES, (0, 0), scale / METRES_PER_DEGREE, region)


def fitted_grid(width: int, height: int, region: Box) -> Grid:
    """Return what dimensions with a region ask for: the region's bounds, divided."""
    west, south, east, north = utm_box(*region, zone=10)
    pixel = ((east - west) / width, (north - south) / height)
    return Grid(UTM10, (west, north), pixel, width, height)


def sentinel2_pixels(band: str, grid: Grid) -> npt.NDArray[np.generic]:
    """Return what the grid holds of a band."""
    xs, ys = _centres(grid)
    native = SENTINEL2_BANDS[band][0]
    metres = METRES_PER_DEGREE if grid.crs == DEGREES else 1
    scale = math.sqrt(grid.pixel[0] * grid.pixel[1]) * metres
    level = max(0, math.floor(math.log2(scale / native) + 1e-9))
    side = native * 2**level
    columns = np.floor((xs - SENTINEL2_ORIGIN[0]) / side).astype(int)
    rows = np.floor((SENTINEL2_ORIGIN[1] - ys) / side).astype(int)
    left, top = columns.min(), rows.min()
    width, height = columns.max() - left + 1, rows.max() - top + 1
    window = sentinel2_values(band, *(int(n) * 2**level for n in (left, top, width, height)))
    for _ in range(level):
        window = mean_of_2x2(window)
    return window[rows - top, columns - left]


def _centres(grid: Grid) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return easting and northing of every pixel's centre."""
    rows, columns = np.indices((grid.height, grid.width)) + 0.5
    xs = grid.corner[0] + columns * grid.pixel[0]
    ys = grid.corner[1] - rows * grid.pixel[1]
    if grid.crs == UTM10:
        return xs, ys
    projected = [utm(x, y, 10) for x, y in zip(xs.flat, ys.flat, strict=True)]
    eastings, northings = (np.array(part) for part in zip(*projected, strict=True))
    return eastings.reshape(xs.shape), northings.reshape(ys.shape)
