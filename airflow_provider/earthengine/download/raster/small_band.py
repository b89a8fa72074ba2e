"""A band of a file that has no overviews -> few of its pixels, for a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio

from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.download.raster.facts import RasterFacts
from airflow_provider.earthengine.download.raster.integrity import open_npy

_ARRAY_SUFFIX = ".npy"


def read_small_band(raster: RasterFacts, band: int) -> npt.NDArray[np.generic]:
    """Return at most 512 x 512 pixels of a band: every second one, or third, and so on.

    :param band: counts from 0.
    """
    if raster.plan.suffix == _ARRAY_SUFFIX:
        array = open_npy(raster.path)
        return _thinned(array[(array.dtype.names or ())[band]])
    with rasterio.open(raster.path, driver="GTiff") as dataset:
        # One request's answer: 48 MiB at most. GDAL would choose other pixels.
        return _thinned(dataset.read(band + 1))


def _thinned(pixels: npt.NDArray[Any]) -> npt.NDArray[np.generic]:
    step = -(-max(pixels.shape) // BLOCK_SIDE)
    thinned: npt.NDArray[np.generic] = np.array(pixels[::step, ::step])
    return thinned
