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
        """Add pixels."""
        self.pixel_count += values.size
        values = _chosen(values, is_valid(values, self.nodata))
        self._valid += values.size
        # Infinity is data, but JSON cannot hold it.
        values = _chosen(values, np.isfinite(values)) if values.dtype.kind == "f" else values
        if not values.size:
            return
        self._finite += values.size
        self._low = min(self._low, float(values.min()))
        self._high = max(self._high, float(values.max()))
        with np.errstate(over="ignore"):
            self._sum += float(values.sum(dtype="float64"))

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
