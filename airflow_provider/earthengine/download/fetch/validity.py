"""Do the fetched rasters have a valid pixel?

Earth Engine writes masked pixels of some types as a value that valid pixels can have too, such as
0. If all pixels have that value, Earth Engine is asked about the mask, so that valid pixels are
never taken for masked ones.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

import numpy as np

from airflow_provider.earthengine.download.client import ValueComputer
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.plan.clipping import clip_to_region
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.raster.facts import BandFacts, RasterFacts
from airflow_provider.earthengine.download.transport.answers import reading_answer
from airflow_provider.earthengine.exceptions import PermanentError

log = logging.getLogger(__name__)

_ALL_PIXELS = 1e13
# In pixels: the rectangle ends within the outer pixels, so that their neighbours do not count.
_INSET = 0.25
_NAMES_SHOWN = 20


class Validity(Enum):
    """What the fetched pixels of a band show about its mask.

    UNKNOWN: all have one value that masked and valid pixels can have.
    """

    SOME_VALID = "some valid"
    ALL_MASKED = "all masked"
    UNKNOWN = "unknown"


def mark_masked(
    client: ValueComputer, image: Any, params: DownloadParams, rasters: Sequence[RasterFacts]
) -> tuple[RasterFacts, ...]:
    """Return the rasters, with ``is_all_masked`` set on those without a valid pixel.

    :param image: the fetched ``ee.Image``.
    :param params: those that it was fetched with.
    """
    return tuple(_mark(client, image, params, raster) for raster in rasters)


def _mark(
    client: ValueComputer, image: Any, params: DownloadParams, raster: RasterFacts
) -> RasterFacts:
    found = {band.id: judge_band(band, raster.plan.nodata) for band in raster.bands}
    if Validity.SOME_VALID in found.values():
        return raster
    unknown = [band_id for band_id, validity in found.items() if validity is Validity.UNKNOWN]
    answers = _ask_mask(client, image, params, unknown, raster) if unknown else {}
    names = ", ".join(unknown[:_NAMES_SHOWN])
    if answers is None:
        warning = (
            f"All pixels of band {names} have the value of masked pixels, and it is unknown "
            "whether any is valid; nodata distinguishes them."
        )
    elif any(answers.values()):
        warning = (
            f"All pixels of band {names} have the value of masked pixels, but some are valid; "
            "nodata distinguishes them."
        )
    else:
        names = ", ".join([band.id for band in raster.bands][:_NAMES_SHOWN])
        warning = f"No pixel of band {names} is valid; all are masked."
        return replace(raster, is_all_masked=True, warnings=(*raster.warnings, warning))
    return replace(raster, warnings=(*raster.warnings, warning))


def judge_band(band: BandFacts, nodata: float | None) -> Validity:
    """Return what a band's pixels show about its mask.

    :param nodata: the user's value for masked pixels; None for Earth Engine's own.
    """
    statistics = band.statistics
    is_valid = statistics.valid_percent > 0
    if nodata is not None:
        return Validity.SOME_VALID if is_valid else Validity.ALL_MASKED
    dtype = np.dtype(band.dtype)
    if not is_valid:
        # In floats, masked pixels are no numbers; in integers, they have the least value or 0.
        return Validity.ALL_MASKED if dtype.kind == "f" else Validity.UNKNOWN
    least = np.iinfo(dtype).min if dtype.kind in "iu" else 0
    is_one_value = statistics.minimum == statistics.maximum
    is_hiding = is_one_value and statistics.minimum in (0, least)
    return Validity.UNKNOWN if is_hiding else Validity.SOME_VALID


def _ask_mask(
    client: ValueComputer,
    image: Any,
    params: DownloadParams,
    band_ids: Sequence[str],
    raster: RasterFacts,
) -> dict[str, bool] | None:
    """Return for each band whether any pixel of the raster is valid; None if it is unknown."""
    import ee

    grid = raster.plan.grid or raster.grid
    if grid is None or not grid.crs:
        return None
    try:
        mask = clip_to_region(image, params).select(list(band_ids)).mask()
        answer = client.compute_value(
            mask.reduceRegion(
                reducer=ee.Reducer.anyNonZero(),
                geometry=_inside_of(grid),
                crs=grid.crs,
                crsTransform=list(grid.transform),
                maxPixels=_ALL_PIXELS,
            )
        )
    except PermanentError as error:
        # For example, the computation takes too long.
        log.warning("Earth Engine could not reduce the mask: %s", error)
        return None
    with reading_answer("a mask"):
        found = Foreign(answer, "the mask")
        return {
            band_id: not value.is_absent and value.number() > 0
            for band_id in band_ids
            for value in [found.at(band_id)]
        }


def _inside_of(grid: PixelGrid) -> Any:
    import ee

    corners = [_INSET, _INSET, grid.width - _INSET, grid.height - _INSET]
    projection = ee.Projection(grid.crs, list(grid.transform))
    return ee.Geometry.Rectangle(corners, projection, False)
