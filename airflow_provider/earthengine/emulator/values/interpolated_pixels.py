"""Pixels between pixels: bilinear and bicubic interpolation of a band's own pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.emulator.values.grids import PixelGrid
from airflow_provider.earthengine.emulator.values.images import Band
from airflow_provider.earthengine.emulator.values.pixels import Pixels, window_around
from airflow_provider.earthengine.emulator.values.projections import Projection

Numbers = npt.NDArray[np.float64]
_LEVEL_TOLERANCE = 1e-6
# The sharpness of cubic convolution that most programs use.
_SHARPNESS = -0.5


def _linear(share: Numbers) -> list[Numbers]:
    """Return the weights of the pixels before and after a place."""
    return [1 - share, share]


def _cubic(share: Numbers) -> list[Numbers]:
    """Return the weights of the two pixels before and the two after a place."""

    def near(distance: Numbers) -> Numbers:
        return (_SHARPNESS + 2) * distance**3 - (_SHARPNESS + 3) * distance**2 + 1

    def far(distance: Numbers) -> Numbers:
        cube = distance**3 - 5 * distance**2 + 8 * distance - 4
        return _SHARPNESS * cube

    return [far(1 + share), near(share), near(1 - share), far(2 - share)]


# For each mode, its weights and how many pixels before a place it takes.
MODES: Mapping[str, tuple[Callable[[Numbers], list[Numbers]], int]] = {
    "bilinear": (_linear, 0),
    "bicubic": (_cubic, 1),
}


@dataclass(frozen=True, eq=False)
class InterpolatedPixels:
    """A band's pixels in its own projection, and between them on any other grid.

    Masked pixels have no weight; where the nearest pixel is masked, so is the result.

    :param mode: one of ``MODES``.
    """

    band: Band
    mode: str

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        own = self.band.projection
        ratio = grid.projection.nominal_scale_metres / own.nominal_scale_metres
        level = max(0, math.floor(math.log2(ratio) + _LEVEL_TOLERANCE))
        source = own.refined(1 << level)
        if grid.offset_in(source) is not None:
            return self.band.source.render(grid, dtype)
        shape = (grid.height, grid.width)
        columns, rows = (np.broadcast_to(part, shape) for part in grid.centres_in(source))
        exists = np.isfinite(columns) & np.isfinite(rows)
        values, is_valid = np.zeros(shape), np.zeros(shape, dtype=bool)
        if exists.any():
            values[exists], is_valid[exists] = self._between(source, columns[exists], rows[exists])
        if np.dtype(dtype).kind in "iu":
            limits = np.iinfo(np.dtype(dtype))  # type: ignore[type-var]  # an integer's
            values = np.clip(np.floor(values + 0.5), limits.min, limits.max)
        return Pixels(values.astype(dtype), is_valid)

    def _between(
        self, source: Projection, columns: Numbers, rows: Numbers
    ) -> tuple[Numbers, npt.NDArray[np.bool_]]:
        """Return values and validity at places in the pixel coordinates of a projection."""
        weigh, before = MODES[self.mode]
        left, top = np.floor(columns - 0.5), np.floor(rows - 0.5)
        across, down = weigh(columns - 0.5 - left), weigh(rows - 0.5 - top)
        left, top = left.astype(np.int64) - before, top.astype(np.int64) - before
        reach = len(across) - 1
        window = window_around(
            np.concatenate([left, left + reach]), np.concatenate([top, top + reach])
        )
        block = self.band.render(
            PixelGrid(source.offset(window.left, window.top), window.width, window.height)
        )
        left, top = left - window.left, top - window.top
        total, weights = np.zeros(len(left)), np.zeros(len(left))
        for row, y in enumerate(down):
            for column, x in enumerate(across):
                place = top + row, left + column
                weight = np.where(block.is_valid[place], x * y, 0.0)
                total += np.where(block.is_valid[place], block.values[place], 0) * weight
                weights += weight
        nearest = (
            np.floor(rows).astype(np.int64) - window.top,
            np.floor(columns).astype(np.int64) - window.left,
        )
        is_valid = block.is_valid[nearest] & (weights != 0)
        return total / np.where(weights == 0, 1, weights), is_valid
