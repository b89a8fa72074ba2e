"""The facts of a raster that was read, and the statistics of its bands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.raster.masked_pixels import is_valid, nodata_of_cog
from airflow_provider.earthengine.exceptions import RasterMismatchError

_CACHED_BYTE_COUNT = 256 << 10

_Figures = tuple[int, int, float, float, float]  # Valid and finite pixels, sum, minimum, maximum.
_NONE: _Figures = (0, 0, 0.0, math.inf, -math.inf)


@dataclass(frozen=True)
class BandStatistics:
    """Statistics of a band's valid pixels; None if none of them is a finite number."""

    minimum: float | None
    maximum: float | None
    mean: float | None
    valid_percent: float


@dataclass(frozen=True)
class BandFacts:
    """One band, as read."""

    id: str
    dtype: str
    nodata: float | None
    statistics: BandStatistics


@dataclass(frozen=True)
class RasterFacts:
    """One verified raster on disk.

    :param path: the file, in scratch.
    :param plan: what it was checked against.
    :param grid: as read; for NPY, which has none, as predicted.
    :param warnings: deviations from the predictions, one sentence each.
    :param is_all_masked: whether certainly no pixel of any band is valid.
    """

    path: Path
    plan: RasterPlan
    grid: PixelGrid | None
    bands: tuple[BandFacts, ...]
    warnings: tuple[str, ...]
    is_all_masked: bool = False

    def as_cog(self) -> RasterFacts:
        """Return the facts of the COG, whose masked pixels may hold another value."""
        bands = (
            replace(band, nodata=nodata_of_cog(band.dtype, band.nodata)) for band in self.bands
        )
        return replace(self, bands=tuple(bands))


class StatisticsGatherer:
    """Statistics of a band whose pixels are added in pieces, in any order.

    :param nodata: the value of masked pixels; None for none.
    """

    def __init__(self, nodata: float | None) -> None:
        self.nodata = nodata
        self.pixel_count = 0
        self._valid = self._finite = 0
        self._sum = 0.0
        self._low, self._high = math.inf, -math.inf

    def add(self, values: npt.NDArray[Any]) -> None:
        """Add pixels, (rows, columns)."""
        # Each pass over a few rows finds them in the processor's cache.
        count = max(1, _CACHED_BYTE_COUNT // max(1, values[:1].nbytes))
        of_type = _of_floats if values.dtype.kind == "f" else _of_whole_numbers
        for first in range(0, len(values), count):
            rows = values[first : first + count]
            self.add_figures((rows.size, *of_type(rows, self.nodata)))

    @property
    def figures(self) -> tuple[float, ...]:
        """What was gathered: counts of pixels, valid and finite ones, sum, minimum, maximum."""
        return self.pixel_count, self._valid, self._finite, self._sum, self._low, self._high

    def add_figures(self, figures: Sequence[float]) -> None:
        """Add what another gatherer, maybe of another process, has gathered."""
        pixels, valid, finite, total, low, high = figures
        self.pixel_count += int(pixels)
        self._valid += int(valid)
        self._finite += int(finite)
        self._low, self._high = min(self._low, low), max(self._high, high)
        self._sum += total

    def merge(self, other: StatisticsGatherer) -> None:
        """Add all pixels of another gatherer."""
        self.add_figures(other.figures)

    def statistics(self) -> BandStatistics:
        """Return the statistics of all that was added."""
        percent = 100.0 * self._valid / self.pixel_count if self._valid else 0.0
        if not self._finite:
            return BandStatistics(None, None, None, percent)
        # The sum of huge values may overflow.
        mean = self._sum / self._finite if math.isfinite(self._sum) else None
        return BandStatistics(self._low, self._high, mean, percent)


def _of_whole_numbers(values: npt.NDArray[Any], nodata: float | None) -> _Figures:
    low, high = int(values.min()), int(values.max())
    total = int(values.sum())  # Exact, in 64 bits.
    if nodata is None or not low <= nodata <= high or nodata % 1:
        return values.size, values.size, float(total), float(low), float(high)
    masked = int(nodata)
    is_masked = values == masked
    masked_count = int(np.count_nonzero(is_masked))
    count = values.size - masked_count
    if not count:
        return _NONE
    # The distance to the masked value wraps around: that of masked pixels is the largest.
    unsigned = values.view(values.dtype.str.replace("i", "u"))
    end = unsigned.dtype.type(masked % 2 ** (8 * values.dtype.itemsize))
    if masked == low:
        low += 1 + int((unsigned - end - 1).min())
    elif masked == high:
        high -= 1 + int((end - unsigned - 1).min())
    return count, count, float(total - masked * masked_count), float(low), float(high)


def _of_floats(values: npt.NDArray[Any], nodata: float | None) -> _Figures:
    # A sum is finite only if all numbers are; a value that masks needs a look at each of them.
    total = _sum(values) if nodata is None or not math.isfinite(nodata) else math.nan
    count = values.size
    if not math.isfinite(total):
        values = _chosen(values, is_valid(values, nodata))
        count = values.size
        # Infinity is data, but JSON cannot hold it.
        values = _chosen(values, np.isfinite(values))
        total = _sum(values)
    if not values.size:
        return count, *_NONE[1:]
    return count, values.size, total, float(values.min()), float(values.max())


def _sum(values: npt.NDArray[Any]) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(values.sum(dtype="float64"))


def _chosen(values: npt.NDArray[Any], is_chosen: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    return values if is_chosen.all() else values[is_chosen]


def unmet_dtypes(plan: RasterPlan, bands: tuple[BandFacts, ...]) -> tuple[str, ...]:
    """Return the deviations from the predicted dtypes, one sentence each."""
    return tuple(
        f"Band {band.id} is {band.dtype}, but {predicted} was predicted."
        for band, predicted in zip(bands, plan.dtypes, strict=True)
        if band.dtype != predicted
    )


def mismatch(field: str, wanted: object, got: object) -> RasterMismatchError:
    """Return the error for a raster that is not what was requested."""
    return RasterMismatchError(
        f"Earth Engine sent a raster whose {field} is {got}, but {wanted} was requested.",
        field=field,
        wanted=wanted,
        got=got,
    )
