"""The rasters that a download is to bring: names, bands and grids, before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from airflow_provider.earthengine.download.fields.params import (
    NPY,
    ZIPPED_GEO_TIFF_PER_BAND,
    BandParams,
    DownloadParams,
)
from airflow_provider.earthengine.download.fields.values import shown
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.tiles import bytes_per_sample
from airflow_provider.earthengine.exceptions import PlanError

if TYPE_CHECKING:
    # It imports rasterio, and DAG files import this module on every parse.
    from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo

# What a key may hold without meaning something else in a URI or a path.
_NAMING_BAND_ID = re.compile(r"[\w()+@-][\w.()+@ -]{0,199}")


@dataclass(frozen=True)
class GridAsk:
    """What the user said of a raster's grid; None where it is left to Earth Engine.

    :param crs: for example "EPSG:32610".
    :param crs_transform: affine terms a b c d e f that the pixels lie on.
    :param dimensions: (width, height) in pixels.
    """

    crs: str | None = None
    crs_transform: tuple[float, ...] | None = None
    dimensions: tuple[int, ...] | None = None


@dataclass(frozen=True)
class RasterPlan:
    """One raster to come.

    :param suffix: what its object's name has behind the base name, for example ".B3.tif".
    :param bands: its bands, in order, with the dtypes and grids that are predicted.
    :param ask: what must be so; everything else is a prediction.
    :param nodata: the value that was put into masked pixels; None: Earth Engine's own.
    """

    suffix: str
    bands: tuple[BandInfo, ...]
    ask: GridAsk
    nodata: float | None = None

    @property
    def grid(self) -> PixelGrid | None:
        """The predicted grid; None where the bands' pixels are unlike and Earth Engine chooses."""
        return common_grid(self.bands)

    @property
    def byte_count(self) -> int:
        """Its values without mask bytes, in a file that gives each band the widest type's bytes."""
        widest = max(bytes_per_sample(band.dtype) for band in self.bands)
        grids = [band.grid for band in self.bands if band.grid]
        pixels = max((grid.width * grid.height for grid in grids), default=0)
        return pixels * widest * len(self.bands)


def plan_rasters(
    info: ImageInfo, params: DownloadParams, nodata: float | None
) -> tuple[RasterPlan, ...]:
    """Return what comes out: a raster for all bands, or one a band; in the order asked for.

    :param nodata: the value that is in masked pixels already; None: Earth Engine's own.
    :raises PlanError: for a band whose name cannot be part of an object's.
    """
    if params.file_format != ZIPPED_GEO_TIFF_PER_BAND:
        suffix = ".npy" if params.file_format == NPY else ".tif"
        return (RasterPlan(suffix, info.bands, _ask_of(params, None), nodata),)
    for band in info.bands:
        _check_band_id(band.id)
    asked = {band.id: band for band in params.bands}
    return tuple(
        RasterPlan(f".{band.id}.tif", (band,), _ask_of(params, asked.get(band.id)), nodata)
        for band in info.bands
    )


def _check_band_id(band_id: str) -> None:
    if not _NAMING_BAND_ID.fullmatch(band_id) or ".." in band_id:
        raise PlanError(
            f"Band {shown(band_id)} would become part of an object's name, and is none; rename it "
            "in the image (letters, digits, . _ - and blanks, at most 200), or take format "
            "GEO_TIFF, which has one file for all bands."
        )


def _ask_of(params: DownloadParams, band: BandParams | None) -> GridAsk:
    asked = params.band(band or BandParams(""))
    dimensions = asked.dimensions if len(asked.dimensions or ()) == 2 else None
    return GridAsk(asked.crs, asked.crs_transform, dimensions)


def common_grid(bands: Sequence[BandInfo]) -> PixelGrid | None:
    """Return the grid that holds all bands; None where they are not on one lattice of pixels."""
    grids = [band.grid for band in bands]

    def around(whole: PixelGrid | None, grid: PixelGrid | None) -> PixelGrid | None:
        return whole.around(grid) if whole and grid and whole != grid else whole and grid

    return reduce(around, grids)
