"""Pixels that are computed from other bands, on any requested grid, one strip at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.emulator.values.grids import Footprint, PixelGrid
from airflow_provider.earthengine.emulator.values.images import Band, PixelType
from airflow_provider.earthengine.emulator.values.pixels import ClippedPixels, Pixels

Numbers = npt.NDArray[Any]

# The most pixels, of all operands together, in memory at once.
_PIXELS_PER_STRIP = 1 << 22


def fit(values: Numbers, kind: PixelType) -> Numbers:
    """Return values in a type; for integers, decimals are cut and values clamped to the bounds.

    Source: https://developers.google.com/earth-engine/apidocs/ee-number-touint8 (2025-08), which
    documents this for numbers.
    """
    if not kind.is_integer or (
        values.dtype.kind in "iu" and np.can_cast(values.dtype, kind.numpy, "safe")
    ):
        same: Numbers = values.astype(kind.numpy, copy=False)
        return same
    limits = np.iinfo(kind.dtype)
    whole = np.nan_to_num(np.trunc(values)) if values.dtype.kind == "f" else values
    clipped: Numbers = np.clip(whole, limits.min, limits.max)
    return clipped.astype(kind.numpy)


def working(values: Numbers, kind: PixelType) -> Numbers:
    """Return values in a type wide enough to compute with: 64 bits.

    :param kind: the type of the result; if it is not an integer, 64-bit integers may be too narrow.
    """
    is_integer = values.dtype.kind in "iu" and kind.is_integer
    return values.astype(np.int64 if is_integer else np.float64, copy=False)


@dataclass(frozen=True, eq=False)
class ComputedPixels:
    """A function of the values of other bands, pixel by pixel; valid where all of them are.

    :param compute: takes an array per operand, 64 bits wide, and may return any type.
    """

    operands: tuple[Band, ...]
    kind: PixelType
    compute: Callable[..., Numbers]

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        pixels = [band.render(grid) for band in self.operands]
        is_valid = np.logical_and.reduce([part.is_valid for part in pixels])
        with np.errstate(all="ignore"):  # for masked pixels, whose values are meaningless
            values = self.compute(*(working(part.values, self.kind) for part in pixels))
        return Pixels(fit(values, self.kind).astype(dtype, copy=False), is_valid)


@dataclass(frozen=True, eq=False)
class MaskedPixels:
    """A band with an additional mask: valid where both are valid and the mask is not zero."""

    band: Band
    mask: Band

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        pixels, mask = self.band.render(grid), self.mask.render(grid)
        is_valid = pixels.is_valid & mask.is_valid & (mask.values != 0)
        return Pixels(pixels.values.astype(dtype, copy=False), is_valid)


@dataclass(frozen=True, eq=False)
class RemaskedPixels:
    """A band with another mask instead of its own; previously masked pixels are zero."""

    band: Band
    mask: Band

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        pixels, mask = self.band.render(grid), self.mask.render(grid)
        low, high = self.band.pixel_type.bounds
        nearest_zero = np.asarray(min(max(0, low), high)).astype(pixels.values.dtype)
        values = np.where(pixels.is_valid, pixels.values, nearest_zero)
        return Pixels(values.astype(dtype, copy=False), mask.is_valid & (mask.values != 0))


@dataclass(frozen=True, eq=False)
class Validity:
    """The mask of a band as values, 0 or 1, valid everywhere."""

    band: Band

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        is_valid = self.band.render(grid).is_valid
        return Pixels(is_valid.astype(dtype), np.ones_like(is_valid))


@dataclass(frozen=True, eq=False)
class FilledPixels:
    """The pixels of a band, and of another band where the first is masked.

    :param kind: the type of the result.
    :param footprint: outside of it nothing is filled; None to fill everywhere.
    """

    band: Band
    filler: Band
    kind: PixelType
    footprint: Footprint | None

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        pixels, filler = self.band.render(grid), self.filler.render(grid)
        values = np.where(
            pixels.is_valid, fit(pixels.values, self.kind), fit(filler.values, self.kind)
        )
        filled = Pixels(values.astype(dtype, copy=False), pixels.is_valid | filler.is_valid)
        if self.footprint is None:
            return filled
        return ClippedPixels(_Ready(filled), self.footprint).render(grid, dtype)


@dataclass(frozen=True, eq=False)
class _Ready:
    """Pixels that are already rendered."""

    pixels: Pixels

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        return self.pixels


@dataclass(frozen=True, eq=False)
class ReducedPixels:
    """One value computed from the values of several bands at a pixel.

    :param reduce: takes values and validity, both (bands, rows, columns), with at least one band,
        and returns values (rows, columns); a pixel is valid where any band is.
    """

    bands: tuple[Band, ...]
    kind: PixelType
    reduce: Callable[[Numbers, npt.NDArray[np.bool_]], Numbers]

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        values = np.empty((grid.height, grid.width), dtype=dtype)
        is_valid = np.empty((grid.height, grid.width), dtype=bool)
        for rows, strip in strips(grid, len(self.bands)):
            parts = [band.render(strip) for band in self.bands]
            valid = np.stack([part.is_valid for part in parts])
            stack = np.stack([working(part.values, self.kind) for part in parts])
            is_valid[rows] = valid.any(axis=0)
            with np.errstate(all="ignore"):  # for pixels that are valid in no band
                reduced = self.reduce(stack, valid)
            values[rows] = fit(reduced, self.kind).astype(dtype, copy=False)
        return Pixels(values, is_valid)


@dataclass(frozen=True, eq=False)
class MosaicPixels:
    """The last of several bands that is valid at a pixel."""

    bands: tuple[Band, ...]
    kind: PixelType

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        values = np.zeros((grid.height, grid.width), dtype=dtype)
        is_valid = np.zeros((grid.height, grid.width), dtype=bool)
        for band in reversed(self.bands):
            if is_valid.all():
                break
            pixels = band.render(grid)
            is_new = pixels.is_valid & ~is_valid
            values[is_new] = fit(pixels.values[is_new], self.kind)
            is_valid |= pixels.is_valid
        return Pixels(values, is_valid)


def strips(grid: PixelGrid, depth: int) -> Iterator[tuple[slice, PixelGrid]]:
    """Yield the rows of a grid in strips, small enough for ``depth`` bands in memory at once."""
    step = max(1, _PIXELS_PER_STRIP // max(1, grid.width * depth))
    for top in range(0, grid.height, step):
        rows = min(step, grid.height - top)
        corner = grid.projection.offset(0, top)
        yield slice(top, top + rows), PixelGrid(corner, grid.width, rows)


def shared_footprint(bands: Sequence[Band]) -> Footprint | None:
    """Return where all bands have pixels, in the projection of the first that is bounded."""
    bounded = [band.footprint for band in bands if band.footprint is not None]
    if not bounded:
        return None
    box = bounded[0].box
    for footprint in bounded[1:]:
        other = footprint.box_in(bounded[0].projection)
        box = box if other is None else box.intersection(other.snapped())
    return Footprint(bounded[0].projection, box)
