"""A published raster -> a picture of three of its bands."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.rasters import open_raster

# Black is the first of these percentiles of the pixels. White is brighter than the second, since
# clouds would otherwise leave the ground in the dark.
_DARK, _BRIGHT, _GAIN = 1, 75, 1.6


def draw_picture(
    uri: str, path: Path, indexes: tuple[int, ...] = (1, 2, 3), enlarged: int = 1
) -> None:
    """Write a PNG of three bands, or of one in grey; masked pixels are transparent.

    :param uri: ``s3://`` URI of a GeoTIFF.
    :param indexes: the 1-based numbers of the bands in red, green and blue, or of one.
    :param enlarged: how many pixels of the picture one pixel becomes, in each direction.
    """
    import numpy as np
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with open_raster(uri) as raster:
        pixels = raster.read(list(indexes), masked=True)
    is_valid = ~np.ma.getmaskarray(pixels).any(axis=0)
    values = pixels.filled(0).astype("float32")
    shown: Any = values[:, is_valid] if is_valid.any() else values
    # One range for all bands keeps colours as they are.
    low, bright = np.percentile(shown, (_DARK, _BRIGHT))
    high = low + max(bright - low, 1e-6) * _GAIN
    scaled = np.interp(values, (low, high), (0, 255))
    layers = [*scaled, is_valid * 255.0]
    picture = np.rint(np.stack(layers)).astype("uint8")
    picture = picture.repeat(enlarged, axis=1).repeat(enlarged, axis=2)
    count, height, width = picture.shape
    with warnings.catch_warnings():
        # A PNG has no place on Earth.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="PNG", count=count, width=width, height=height, dtype="uint8"
        ) as file:
            file.write(picture)
