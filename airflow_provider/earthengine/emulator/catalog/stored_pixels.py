"""The stored pixels of a catalog: bands of GeoTIFFs, and bands computed from a formula.

The emulator's README documents the formula, so that a test can compute what it expects without
this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window as RasterioWindow

from airflow_provider.earthengine.emulator.values.pixels import Pixels, Window

# Random low bits per type: together with the slowly rising high bits, a block compresses about
# as badly as real imagery (deflate leaves seven eighths of uint16).
NOISE_BITS = {
    "int8": 4,
    "uint8": 4,
    "int16": 8,
    "uint16": 8,
    "int32": 16,
    "uint32": 16,
    "float32": 8,
    "float64": 24,
}
# Few enough for their arithmetic to stay in the processor's cache.
_ROWS_AT_ONCE = 64

_Indexes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FileRaster:
    """One band of a raster file.

    :param index: its 1-based index in the file.
    """

    path: Path
    index: int
    width: int
    height: int
    dtype: np.dtype[np.generic]

    def read(self, window: Window) -> Pixels:
        # A dataset must not be shared between threads; opening one is cheap.
        with rasterio.open(self.path) as dataset:
            area = RasterioWindow(window.left, window.top, window.width, window.height)
            values = dataset.read(self.index, window=area)
            is_valid = dataset.read_masks(self.index, window=area) != 0
        return Pixels(values, is_valid)


@dataclass(frozen=True)
class FormulaRaster:
    """A band whose values encode (band, row, column), with noise in the low bits.

    :param band: the band's 0-based number in its image.
    :param masked: the windows without valid pixels.
    :param seed: distinguishes the images of a collection; 0 for a single image.
    :param levels: the values of the levels, in turn; empty for the formula's own values.
    :param nan: the windows in which a band of floats is NaN, though valid.
    """

    band: int
    width: int
    height: int
    dtype: np.dtype[np.generic]
    noise_bits: int
    masked: tuple[Window, ...] = ()
    seed: int = 0
    levels: tuple[float, ...] = ()
    nan: tuple[Window, ...] = ()

    def read(self, window: Window) -> Pixels:
        values = np.empty((window.height, window.width), dtype=self.dtype)
        columns = np.arange(window.left, window.left + window.width, dtype=np.int64)
        for start in range(0, window.height, _ROWS_AT_ONCE):
            count = min(_ROWS_AT_ONCE, window.height - start)
            first = window.top + start
            rows = np.arange(first, first + count, dtype=np.int64)
            values[start : start + count] = self._values(rows[:, np.newaxis], columns)
        if self.nan:
            values[inside(self.nan, window)] = np.nan
        return Pixels(values, ~inside(self.masked, window))

    def _values(self, rows: _Indexes, columns: _Indexes) -> npt.NDArray[Any]:
        row_level = rows // 16 * 3 + self.band * 101 + self.seed * 37
        column_level = columns // 16 * 5
        if self.levels:
            chosen: npt.NDArray[Any] = np.take(
                np.array(self.levels), (row_level + column_level) % len(self.levels)
            )
            return chosen
        noise = mix(2 * rows + (self.band << 24)) ^ mix(2 * columns + 1)
        noise ^= mix(np.array([2 * self.seed]))
        noise *= np.uint32(0x85EBCA77)
        noise >>= np.uint32(32 - self.noise_bits)
        if self.dtype.kind == "f":
            values = noise * 2.0**-self.noise_bits + row_level + column_level
            return values * _signs(rows) * _signs(columns)
        # The sum is modulo the type's range, so 32 bits with overflow are enough.
        noise += (row_level << self.noise_bits).astype(np.uint32)
        noise += (column_level << self.noise_bits).astype(np.uint32)
        if self.dtype.kind == "u":
            return noise.astype(self.dtype)
        noise &= np.uint32((1 << (self.dtype.itemsize * 8 - 1)) - 1)
        return noise.view(np.int32) * _signs(rows) * _signs(columns)


def inside(holes: tuple[Window, ...], window: Window) -> npt.NDArray[np.bool_]:
    """Return which pixels of a window are inside any of the holes."""
    is_inside = np.zeros((window.height, window.width), dtype=bool)
    for hole in holes:
        left, top = max(0, hole.left - window.left), max(0, hole.top - window.top)
        right = max(0, hole.left + hole.width - window.left)
        bottom = max(0, hole.top + hole.height - window.top)
        is_inside[top:bottom, left:right] = True
    return is_inside


def _signs(indexes: _Indexes) -> npt.NDArray[np.int32]:
    """Return alternating 1 and -1, for 64 rows or columns each."""
    return (1 - 2 * (indexes // 64 % 2)).astype(np.int32)


def mix(numbers: _Indexes) -> npt.NDArray[np.uint32]:
    """Return 32 well-mixed bits per number; all arithmetic is modulo 2**32."""
    mixed = numbers.astype(np.uint32) * np.uint32(0x9E3779B1)
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x2C1B3C6D)
    mixed ^= mixed >> np.uint32(12)
    mixed *= np.uint32(0x297A2D39)
    mixed ^= mixed >> np.uint32(15)
    return mixed
