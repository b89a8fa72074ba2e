"""Image -> the image with the user's nodata value in masked pixels, so that valid zeros survive.

Earth Engine writes masked pixels of unsigned bands as 0, which is also a valid value. Here the
image is unmasked on the server, on the requested grid, and the value is written into the GeoTIFF's
tag afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow_provider.earthengine.download.fields.params import (
    ZIPPED_GEO_TIFF_PER_BAND,
    BandParams,
    DownloadParams,
)
from airflow_provider.earthengine.download.plan.clipping import clip_to_region
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo
from airflow_provider.earthengine.download.plan.pixel_types import smallest_dtype
from airflow_provider.earthengine.exceptions import DownloadParamsError, PlanError


def fill_masked(
    image: Any, params: DownloadParams, info: ImageInfo, nodata: float
) -> tuple[Any, DownloadParams, ImageInfo]:
    """Return the unmasked image, the parameters that pin its grid, and its description.

    :param image: an ``ee.Image``.
    :param info: of the image with ``params`` applied; its grid is kept.
    :param nodata: for masked pixels, and for pixels outside the image.
    :raises DownloadParamsError: if a band cannot hold the value, or the region would mask only some
        of the bands.
    :raises PlanError: if an image has no bounds, or bands that share a file have different grids.
    """
    image = clip_to_region(image, params)
    bands = tuple(replace(band, dtype=_widened(band, nodata)) for band in info.bands)
    pinned = replace(params, region=None, crs=None, crs_transform=None, dimensions=None, scale=None)
    if params.file_format == ZIPPED_GEO_TIFF_PER_BAND:
        pinned = replace(pinned, bands=tuple(_pin(band.id, band.grid) for band in bands))
    else:
        grid = _common_grid(bands)
        everything = _pin("", grid)
        pinned = replace(
            pinned,
            crs=everything.crs,
            crs_transform=everything.crs_transform,
            dimensions=everything.dimensions,
        )
    filled = image.unmask(nodata, sameFootprint=False)
    return filled, pinned, replace(info, bands=bands)


def _widened(band: BandInfo, nodata: float) -> str:
    """Return the dtype that Earth Engine promotes the band to so that it holds the value."""
    if band.dtype.startswith("float"):
        # To Earth Engine a constant with decimals is a double, and so is a band combined with it.
        return band.dtype if nodata == int(nodata) else "float64"
    if nodata != int(nodata):
        raise DownloadParamsError(
            f"nodata is {nodata}, but band {band.id} holds whole numbers; write a whole number.",
            field="nodata",
        )
    low, high = band.value_range
    return smallest_dtype(min(low, int(nodata)), max(high, int(nodata)))


def _common_grid(bands: tuple[BandInfo, ...]) -> PixelGrid | None:
    grids = {band.grid for band in bands}
    if len(grids) > 1:
        raise PlanError(
            "nodata is given, but the bands of one file have different grids; set scale or crs, or "
            "use format ZIPPED_GEO_TIFF_PER_BAND."
        )
    return grids.pop()


def _pin(band_id: str, grid: PixelGrid | None) -> BandParams:
    if grid is None:
        raise PlanError(
            "nodata is given, but the image has no bounds, so the pixels to fill are unlimited; "
            "set region with scale, or crs, crs_transform and dimensions."
        )
    return BandParams(band_id, grid.crs, grid.transform, (grid.width, grid.height))
