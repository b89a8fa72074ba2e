"""The facts of a raster that was read, and the checks against what was requested and predicted.

A raster that misses an explicit request (crs, crs_transform, dimensions) fails. Deviations from
predictions (the grid that Earth Engine chose, the dtype) are reported as warnings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.errors import CRSError

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
    """

    path: Path
    plan: RasterPlan
    grid: PixelGrid | None
    bands: tuple[BandFacts, ...]
    warnings: tuple[str, ...]

    def as_cog(self) -> RasterFacts:
        """Return what is so of the COG: its masked pixels may hold another value."""
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
        # An infinite value is data, and no number that JSON can hold.
        values = _chosen(values, np.isfinite(values)) if values.dtype.kind == "f" else values
        if not values.size:
            return
        self._finite += values.size
        self._low = min(self._low, float(values.min()))
        self._high = max(self._high, float(values.max()))
        with np.errstate(over="ignore"):
            self._sum += float(values.sum(dtype="float64"))

    def merge(self, other: StatisticsGatherer) -> None:
        """Add all pixels of another gatherer."""
        self.pixel_count += other.pixel_count
        self._valid += other._valid
        self._finite += other._finite
        self._low, self._high = min(self._low, other._low), max(self._high, other._high)
        self._sum += other._sum

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


def check_asks(plan: RasterPlan, grid: PixelGrid, crs: Any) -> None:
    """Raise if the raster is not what was explicitly requested.

    :param crs: rasterio's, of the grid.
    :raises RasterMismatchError: if its crs, transform or dimensions differ from the request.
    """
    asked = crs_named(plan.ask.crs)
    if asked and crs != asked:
        raise mismatch("crs", plan.ask.crs, grid.crs)
    if plan.ask.crs_transform and not grid.is_on_lattice_of(plan.ask.crs_transform):
        raise mismatch("crs_transform", list(plan.ask.crs_transform), list(grid.transform))
    if plan.ask.dimensions and plan.ask.dimensions != (grid.width, grid.height):
        raise mismatch("dimensions", plan.ask.dimensions, (grid.width, grid.height))
    # Together they fix the first pixel; without dimensions, the region does.
    if plan.ask.crs_transform and plan.ask.dimensions:
        a, b, c, d, e, f = plan.ask.crs_transform
        if not grid.is_close_to(replace(grid, transform=(a, b, c, d, e, f))):
            raise mismatch("crs_transform", list(plan.ask.crs_transform), list(grid.transform))


def crs_named(name: str | None) -> Any:
    """Return rasterio's crs of that name; None if PROJ does not know the name."""
    try:
        return CRS.from_user_input(name) if name else None
    except CRSError:
        return None


def unmet_predictions(
    plan: RasterPlan, grid: PixelGrid | None, bands: tuple[BandFacts, ...]
) -> tuple[str, ...]:
    """Return the deviations from the predictions, one sentence each."""
    warnings = []
    if plan.ask.crs and not crs_named(plan.ask.crs):
        warnings.append(f"PROJ does not know {plan.ask.crs}, so the crs could not be verified.")
    if plan.grid and grid and not (grid.is_close_to(plan.grid) and grid.crs == plan.grid.crs):
        warnings.append(f"The grid is {grid}, but {plan.grid} was predicted.")
    for band, predicted in zip(bands, plan.bands, strict=True):
        if band.dtype != predicted.dtype:
            warnings.append(f"Band {band.id} is {band.dtype}, but {predicted.dtype} was predicted.")
    return tuple(warnings)


def mismatch(field: str, wanted: object, got: object) -> RasterMismatchError:
    """Return the error for a raster that is not what was requested."""
    return RasterMismatchError(
        f"Earth Engine sent a raster whose {field} is {got}, but {wanted} was requested.",
        field=field,
        wanted=wanted,
        got=got,
    )


def name_of_crs(crs: Any) -> str:
    """Return "EPSG:n" if there is a code, else WKT, else ""."""
    if not crs:
        return ""
    code = crs.to_epsg(confidence_threshold=100)
    return f"EPSG:{code}" if code else str(crs.to_wkt())
