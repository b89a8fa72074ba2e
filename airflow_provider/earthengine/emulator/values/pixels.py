"""Rendering of pixels: pyramids of native pixels, and nearest-neighbour sampling to another grid.

Earth Engine keeps every image at successively halved resolutions, each pixel the mean of the 2 x 2
below it, uses the coarsest level that is not coarser than requested, and samples its nearest pixel.
Source: https://developers.google.com/earth-engine/guides/scale (2025-08).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.emulator.replies import invalid_argument
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.grids import Footprint, PixelGrid
from airflow_provider.earthengine.emulator.values.projections import Coordinates, Projection

Values = npt.NDArray[np.generic]
Mask = npt.NDArray[np.bool_]
Indexes = npt.NDArray[np.int64]

# A scale that is twice another, except for rounding, uses the level of the double.
_LEVEL_TOLERANCE = 1e-6
_NATIVE_PIXELS_PER_STRIP = 1 << 22
# The most intermediate pixels that a request may hold in memory.
_MOST_INTERMEDIATE_PIXELS = 1 << 27


@dataclass(frozen=True, eq=False)
class Pixels:
    """Values and their validity; both (rows, columns).

    :param is_valid: False where masked; the value there is meaningless.
    """

    values: Values
    is_valid: Mask

    def filled(self, dtype: np.dtype[np.generic], hidden: Any) -> Values:
        """Return the values in another type, with one value for all masked pixels."""
        values = self.values.astype(dtype, copy=False)
        return values if self.is_valid.all() else np.where(self.is_valid, values, hidden)


@dataclass(frozen=True)
class Window:
    """Whole pixels of a raster: columns left to left + width, rows top to top + height."""

    left: int
    top: int
    width: int
    height: int


class NativeRaster(Protocol):
    """The stored pixels of a band."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def dtype(self) -> np.dtype[np.generic]: ...

    def read(self, window: Window) -> Pixels:
        """Return the pixels of a window inside the raster."""
        ...


class PixelSource(Protocol):
    """The source of a band's pixels."""

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        """Compute and return the pixels of a grid."""
        ...


@dataclass(frozen=True, eq=False)
class StoredPixels:
    """The pixels of a stored band, from the level of its pyramid that fits the grid.

    :param is_sampled: whether a coarser pixel is the upper left of the four below it, as for
        classes and flags, rather than their mean.
    """

    raster: NativeRaster
    projection: Projection
    is_sampled: bool = False

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        ratio = grid.projection.nominal_scale_metres / self.projection.nominal_scale_metres
        level = max(0, math.floor(math.log2(ratio) + _LEVEL_TOLERANCE))
        top = math.ceil(math.log2(max(self.raster.width, self.raster.height, 1)))
        level = min(level, top)
        size = 1 << level
        extent = Window(0, 0, -(-self.raster.width // size), -(-self.raster.height // size))
        return sample(
            lambda window: self._read_level(level, window),
            self.projection.refined(size),
            extent,
            grid,
            dtype,
        )

    def _read_level(self, level: int, window: Window) -> Pixels:
        """Return a window of one level, reading the native pixels in strips."""
        if level == 0:
            return self.raster.read(window)
        size = 1 << level
        left = window.left * size
        width = min(self.raster.width, left + window.width * size) - left
        step = max(1, _NATIVE_PIXELS_PER_STRIP // (width * size))
        strips = []
        for start in range(0, window.height, step):
            top = (window.top + start) * size
            rows = min(step, window.height - start) * size
            height = min(self.raster.height, top + rows) - top
            strip = self.raster.read(Window(left, top, width, height))
            for _ in range(level):
                strip = sample_halve(strip) if self.is_sampled else halve(strip)
            strips.append(strip)
        return Pixels(
            np.concatenate([strip.values for strip in strips]),
            np.concatenate([strip.is_valid for strip in strips]),
        )


@dataclass(frozen=True, eq=False)
class ReprojectedPixels:
    """The pixels of another source, first computed in a fixed projection."""

    inner: PixelSource
    projection: Projection

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        if grid.offset_in(self.projection) is not None:
            return self.inner.render(grid, dtype)
        return sample(
            lambda window: self._render_window(window, dtype), self.projection, None, grid, dtype
        )

    def _render_window(self, window: Window, dtype: np.dtype[np.generic]) -> Pixels:
        corner = self.projection.offset(window.left, window.top)
        return self.inner.render(PixelGrid(corner, window.width, window.height), dtype)


@dataclass(frozen=True, eq=False)
class ClippedPixels:
    """The pixels of another source, masked outside a box and, if given, outside a geometry."""

    inner: PixelSource
    footprint: Footprint
    geometry: Geometry | None = None

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        pixels = self.inner.render(grid, dtype)
        columns, rows = grid.centres_in(self.footprint.projection)
        box = self.footprint.box
        inside = (columns >= box.left) & (columns < box.right)
        inside = inside & (rows >= box.top) & (rows < box.bottom)
        is_valid = pixels.is_valid & inside
        if self.geometry is not None:
            is_valid &= self.geometry.covers_centres(grid)
        return Pixels(pixels.values, is_valid)


@dataclass(frozen=True)
class ConstantPixels:
    """The same value everywhere."""

    value: float

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        shape = (grid.height, grid.width)
        return Pixels(np.full(shape, self.value, dtype=dtype), np.ones(shape, dtype=bool))


def sample(
    read: Callable[[Window], Pixels],
    projection: Projection,
    extent: Window | None,
    grid: PixelGrid,
    dtype: np.dtype[np.generic],
) -> Pixels:
    """Return, for each pixel of a grid, the source pixel that contains its centre.

    :param read: reads a window of the source.
    :param extent: where the source has pixels; None for everywhere.
    """
    columns, rows = (_pixel_indexes(part) for part in grid.centres_in(projection))
    has_column, has_row = columns > _NOWHERE, rows > _NOWHERE
    if extent is not None:
        has_column &= (columns >= extent.left) & (columns < extent.left + extent.width)
        has_row &= (rows >= extent.top) & (rows < extent.top + extent.height)
    is_valid = np.broadcast_to(has_column & has_row, (grid.height, grid.width))
    if not is_valid.any():
        return Pixels(np.zeros(is_valid.shape, dtype=dtype), is_valid.copy())
    window = window_around(columns[has_column], rows[has_row])
    block = read(window)
    if _is_whole(columns - window.left, rows - window.top, block):
        return Pixels(block.values.astype(dtype, copy=False), block.is_valid)
    columns = np.where(has_column, columns - window.left, 0)
    rows = np.where(has_row, rows - window.top, 0)
    values = block.values[rows, columns].astype(dtype, copy=False)
    return Pixels(values, is_valid & block.is_valid[rows, columns])


_NOWHERE = np.iinfo(np.int64).min


def _pixel_indexes(coordinates: Coordinates) -> Indexes:
    """Return the pixel that contains each coordinate; the smallest int64 for NaN."""
    indexes = np.full(coordinates.shape, _NOWHERE)
    finite = np.isfinite(coordinates)
    indexes[finite] = np.floor(coordinates[finite]).astype(np.int64)
    return indexes


def _is_whole(columns: Indexes, rows: Indexes, block: Pixels) -> bool:
    """Return whether the indexes cover every pixel of a block once, in order."""
    height, width = block.values.shape
    return (
        columns.shape == (1, width)
        and rows.shape == (height, 1)
        and bool((columns[0] == np.arange(width)).all())
        and bool((rows[:, 0] == np.arange(height)).all())
    )


def window_around(columns: Indexes, rows: Indexes) -> Window:
    """Return the window around pixels.

    :raises ApiError: if it has too many to hold in memory.
    """
    left, top = int(columns.min()), int(rows.min())
    width, height = int(columns.max()) + 1 - left, int(rows.max()) + 1 - top
    if width * height > _MOST_INTERMEDIATE_PIXELS:
        raise invalid_argument("User memory limit exceeded.")
    return Window(left, top, width, height)


def halve(pixels: Pixels) -> Pixels:
    """Return the next pyramid level: the mean of the valid pixels of each 2 x 2.

    Integers are rounded half up. A last odd row or column averages only the pixels that exist.
    """
    height, width = pixels.values.shape
    padding = ((0, height % 2), (0, width % 2))
    is_integer = np.issubdtype(pixels.values.dtype, np.integer)
    wide = np.int64 if is_integer else np.float64
    valid = np.pad(pixels.is_valid, padding)
    values = np.where(valid, np.pad(pixels.values, padding), 0).astype(wide)
    total = _sum_blocks(values)
    count = _sum_blocks(valid.astype(np.int64))
    divisor = np.maximum(count, 1)
    mean = (2 * total + divisor) // (2 * divisor) if is_integer else total / divisor
    return Pixels(mean.astype(pixels.values.dtype), count > 0)


def sample_halve(pixels: Pixels) -> Pixels:
    """Return the next pyramid level: the upper left pixel of each 2 x 2."""
    return Pixels(pixels.values[::2, ::2], pixels.is_valid[::2, ::2])


def _sum_blocks(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    summed: npt.NDArray[Any] = (
        array[0::2, 0::2] + array[0::2, 1::2] + array[1::2, 0::2] + array[1::2, 1::2]
    )
    return summed
