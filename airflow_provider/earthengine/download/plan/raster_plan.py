"""Image info and parameters -> the rasters of a download: their names, bands and grids."""

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
from airflow_provider.earthengine.download.plan.pixel_types import common_dtype
from airflow_provider.earthengine.download.plan.tiles import bytes_per_sample
from airflow_provider.earthengine.exceptions import PlanError

if TYPE_CHECKING:
    # It imports rasterio, and DAG files import this module on every parse.
    from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo

# Characters that have no special meaning in a URI or a path.
_NAMING_BAND_ID = re.compile(r"[\w()+@-][\w.()+@ -]{0,199}")

_ARRAY_SUFFIX = ".npy"


@dataclass(frozen=True)
class GridAsk:
    """What the user requested of a raster's grid; None where Earth Engine chooses.

    :param crs: for example "EPSG:32610".
    :param crs_transform: affine terms a b c d e f that the pixels lie on.
    :param dimensions: (width, height) in pixels.
    """

    crs: str | None = None
    crs_transform: tuple[float, ...] | None = None
    dimensions: tuple[int, ...] | None = None


@dataclass(frozen=True)
class RasterPlan:
    """One expected raster.

    :param suffix: what follows the base name in its object's key, for example ".B3.tif".
    :param bands: its bands, in order, with the dtypes and grids predicted for each on its own.
    :param ask: what the raster must match; everything else is a prediction.
    :param nodata: the value in masked pixels; None: Earth Engine's own.
    """

    suffix: str
    bands: tuple[BandInfo, ...]
    ask: GridAsk
    nodata: float | None = None

    @property
    def grid(self) -> PixelGrid | None:
        """The predicted grid; None if the bands' pixels differ and Earth Engine chooses."""
        return common_grid(self.bands)

    @property
    def crs(self) -> str | None:
        """The requested crs, or the one that all bands have; None for neither."""
        if self.ask.crs:
            return self.ask.crs
        names = {band.grid.crs for band in self.bands if band.grid}
        return names.pop() if len(names) == 1 else None

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The predicted dtype of each band; in a GeoTIFF, one dtype that holds them all."""
        own = tuple(band.dtype for band in self.bands)
        return own if self.suffix == _ARRAY_SUFFIX else (common_dtype(own),) * len(own)

    @property
    def byte_count(self) -> int:
        """The bytes of its values without mask bytes."""
        widest = max(map(bytes_per_sample, self.dtypes))
        grids = [band.grid for band in self.bands if band.grid]
        pixels = max((grid.width * grid.height for grid in grids), default=0)
        return pixels * widest * len(self.bands)


def plan_rasters(
    info: ImageInfo, params: DownloadParams, nodata: float | None
) -> tuple[RasterPlan, ...]:
    """Return one raster for all bands, or one per band, in the requested order.

    :param nodata: the value already in masked pixels; None: Earth Engine's own.
    :raises PlanError: if a band's name cannot be part of an object's key.
    """
    if params.file_format != ZIPPED_GEO_TIFF_PER_BAND:
        suffix = _ARRAY_SUFFIX if params.file_format == NPY else ".tif"
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
            f"Band {shown(band_id)} would be part of an object's name, but is not a valid one; "
            "rename it in the image (letters, digits, . _ - and blanks, at most 200), or use "
            "format GEO_TIFF, which has one file for all bands."
        )


def _ask_of(params: DownloadParams, band: BandParams | None) -> GridAsk:
    asked = params.band(band or BandParams(""))
    dimensions = asked.dimensions if len(asked.dimensions or ()) == 2 else None
    return GridAsk(asked.crs, asked.crs_transform, dimensions)


def common_grid(bands: Sequence[BandInfo]) -> PixelGrid | None:
    """Return the grid that contains all bands; None if they are not on one lattice of pixels."""
    grids = [band.grid for band in bands]

    def around(whole: PixelGrid | None, grid: PixelGrid | None) -> PixelGrid | None:
        return whole.around(grid) if whole and grid and whole != grid else whole and grid

    return reduce(around, grids)
