"""Bands that do not meet what is downloaded: they are delivered masked, as long as another meets.

Nothing is there to download only where no band meets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from airflow_provider.earthengine.download.client import ValueComputer
from airflow_provider.earthengine.download.fields.params import (
    ZIPPED_GEO_TIFF_PER_BAND,
    DownloadParams,
)
from airflow_provider.earthengine.download.plan.describe import Description, describe_image
from airflow_provider.earthengine.download.plan.image_info import BandInfo
from airflow_provider.earthengine.download.plan.overlap import may_meet
from airflow_provider.earthengine.download.plan.pinning import pin_pixels
from airflow_provider.earthengine.download.plan.raster_plan import common_grid
from airflow_provider.earthengine.exceptions import EmptyImageError


def mark_apart(description: Description) -> Description:
    """Return the description in which the bands that are known to lie apart say so.

    :raises EmptyImageError: no band meets what is to be downloaded.
    """
    extents = {band.id: band.grid for band in description.whole.bands}
    bands = tuple(
        replace(
            band, is_apart=band.grid is not None and not may_meet(band.grid, extents.get(band.id))
        )
        for band in description.asked.bands
    )
    if all(band.is_apart for band in bands):
        first = bands[0]
        raise EmptyImageError(
            f"The region does not meet the image: band {first.id} has pixels at "
            f"{extents.get(first.id)}, and {first.grid} were asked for; if the region is written "
            "as latitude, longitude, swap them."
        )
    return replace(description, asked=replace(description.asked, bands=bands))


def warn_of_bands_apart(bands: tuple[BandInfo, ...]) -> Iterator[str]:
    """Yield a sentence for each band that lies apart."""
    for band in bands:
        if band.is_apart:
            yield f"Band {band.id} has no pixels where the download is; all of it is masked."


def place_bands(
    client: ValueComputer, image: Any, params: DownloadParams, bands: tuple[BandInfo, ...]
) -> tuple[Any, DownloadParams, tuple[BandInfo, ...]]:
    """Return image, parameters and bands such that also a band of 0 x 0 pixels can be delivered.

    Where each band has a file, that of such a band has the pixels that it would have if the band
    went on beyond its edge; Earth Engine says which these are. In one file they are the others'.

    :param image: an ``ee.Image``.
    :raises DownloadParamsError: when the region would mask some bands and some not.
    """
    lost = [band for band in bands if band.grid is not None and band.grid.is_empty]
    if not lost:
        return image, params, bands
    if params.file_format != ZIPPED_GEO_TIFF_PER_BAND:
        others = [band for band in bands if band not in lost]
        grid = common_grid(others) or others[0].grid
        return image, params, tuple(replace(b, grid=grid) if b in lost else b for b in bands)
    endless = describe_image(client, image.unmask(0, sameFootprint=False), params).asked
    grids = {band.id: band.grid for band in endless.bands}
    placed = tuple(_placed(band, grids) if band in lost else band for band in bands)
    why = f"Band {lost[0].id} does not meet the region"
    return *pin_pixels(image, params, placed, why), placed


def _placed(band: BandInfo, grids: Any) -> BandInfo:
    grid = grids[band.id]
    if grid is None or grid.is_empty:
        # There is no region to say it, so it is one pixel of the band's own.
        grid = band.grid.window(0, 0, 1, 1) if band.grid else None
    return replace(band, grid=grid)
