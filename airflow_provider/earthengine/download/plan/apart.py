"""Bands without pixels in the download: they are delivered masked, as long as another has some.

The image is empty only if no band has pixels there.
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
    """Return the description with ``is_apart`` set on each band without pixels in the download.

    :raises EmptyImageError: if no band has pixels there.
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
            f"The region does not intersect the image: band {first.id} has "
            f"{extents.get(first.id)}, requested are {first.grid}; if the region is written as "
            "latitude, longitude, swap them."
        )
    return replace(description, asked=replace(description.asked, bands=bands))


def warn_of_bands_apart(bands: tuple[BandInfo, ...]) -> Iterator[str]:
    """Yield a warning for each band without pixels in the download."""
    for band in bands:
        if band.is_apart:
            yield f"Band {band.id} has no pixels in the region; it is fully masked."


def place_bands(
    client: ValueComputer, image: Any, params: DownloadParams, bands: tuple[BandInfo, ...]
) -> tuple[Any, DownloadParams, tuple[BandInfo, ...]]:
    """Return image, parameters and bands, with pixels for bands of 0 x 0 px.

    With a file for each band, such a band gets the pixels that it would have if it continued beyond
    its edge, as Earth Engine reports them. In a common file, it gets those of the other bands.

    :param image: an ``ee.Image``.
    :raises DownloadParamsError: if the region masks some of the bands only.
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
    why = f"band {lost[0].id} has no pixels in the region"
    return *pin_pixels(image, params, placed, why), placed


def _placed(band: BandInfo, grids: Any) -> BandInfo:
    grid = grids[band.id]
    if grid is None or grid.is_empty:
        # Without a region, it is one pixel of the band's own lattice.
        grid = band.grid.window(0, 0, 1, 1) if band.grid else None
    return replace(band, grid=grid)
