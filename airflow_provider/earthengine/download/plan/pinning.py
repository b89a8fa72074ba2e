"""Requests that name each pixel, if the user's own parameters cannot be sent as they are."""

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
from airflow_provider.earthengine.download.plan.image_info import BandInfo
from airflow_provider.earthengine.exceptions import PlanError


def pin_pixels(
    image: Any, params: DownloadParams, bands: tuple[BandInfo, ...], why: str
) -> tuple[Any, DownloadParams]:
    """Return the image, masked outside of the region, and parameters that name its pixels.

    :param image: an ``ee.Image``.
    :param why: the reason, for errors.
    :raises DownloadParamsError: if the region masks some of the bands only.
    :raises PlanError: if the bands of one file have different grids, or no bounds.
    """
    image = clip_to_region(image, params)
    pinned = replace(params, region=None, crs=None, crs_transform=None, dimensions=None, scale=None)
    if params.file_format == ZIPPED_GEO_TIFF_PER_BAND:
        each = tuple(_pin(band.id, band.grid, why) for band in bands)
        return image, replace(pinned, bands=each)
    everything = _pin("", _common_grid(bands, why), why)
    return image, replace(
        pinned,
        crs=everything.crs,
        crs_transform=everything.crs_transform,
        dimensions=everything.dimensions,
    )


def _common_grid(bands: tuple[BandInfo, ...], why: str) -> PixelGrid | None:
    grids = {band.grid for band in bands}
    if len(grids) > 1:
        raise PlanError(
            f"{why}, but the bands of one file have different grids; set scale or crs, or use "
            "format ZIPPED_GEO_TIFF_PER_BAND."
        )
    return grids.pop()


def _pin(band_id: str, grid: PixelGrid | None, why: str) -> BandParams:
    if grid is None:
        raise PlanError(
            f"{why}, but the image has no bounds, so the pixels to fill are unlimited; set region "
            "with scale, or crs, crs_transform and dimensions."
        )
    return BandParams(band_id, grid.crs, grid.transform, (grid.width, grid.height))
