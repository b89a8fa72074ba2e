"""Image -> the image with the user's nodata value in masked pixels, so that valid zeros survive.

Earth Engine writes masked pixels of unsigned bands as 0, which is also a valid value. Here the
image is unmasked on the server, on the requested grid, and the value is written into the GeoTIFF's
tag afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo
from airflow_provider.earthengine.download.plan.pinning import pin_pixels
from airflow_provider.earthengine.download.plan.pixel_types import smallest_dtype
from airflow_provider.earthengine.exceptions import DownloadParamsError


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
    bands = tuple(replace(band, dtype=_widened(band, nodata)) for band in info.bands)
    image, pinned = pin_pixels(image, params, bands, "nodata is given")
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
