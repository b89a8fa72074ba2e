"""Three bands, or one -> a small picture: stretched between percentiles, transparent where masked.

Three bands are shown in red, green and blue, one in the colors of viridis.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from airflow_provider.earthengine.download.raster.masked_pixels import is_valid

MAX_BYTE_COUNT = 36 << 10
"""In base64, 48 KiB, which leaves room for the rest of an XCom of 64 KiB."""
_PERCENTILES = (2, 98)
# Where all pixels have one value, it is shown as the middle.
_MIDDLE = 0.5
# A fifth of viridis each, from dark to bright. Source: https://bids.github.io/colormap, CC0, read
# 2026-11.
_RAMP = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_LOSSY_QUALITIES = (80, 60)


@dataclass(frozen=True, eq=False)
class SmallBand:
    """Some pixels of a band.

    :param nodata: the value of masked pixels; None for none.
    """

    pixels: npt.NDArray[Any]
    nodata: float | None


@dataclass(frozen=True)
class Quicklook:
    """A picture in a file of at most :data:`MAX_BYTE_COUNT`.

    :param extension: of the file, without a dot.
    """

    content: bytes
    media_type: str
    extension: str
    width: int
    height: int


def draw_quicklook(bands: Sequence[SmallBand], is_all_masked: bool = False) -> Quicklook:
    """Return the picture, as PNG if that is small enough, else as WebP or with fewer pixels.

    :param bands: red, green and blue, of one shape; or one.
    :param is_all_masked: whether it is known that no pixel is valid, whatever their values.
    """
    colored = color_bands(bands, is_all_masked)
    while True:
        for quicklook in _encodings(colored):
            if len(quicklook.content) <= MAX_BYTE_COUNT:
                return quicklook
        colored = colored[:, ::2, ::2]


def color_bands(bands: Sequence[SmallBand], is_all_masked: bool = False) -> npt.NDArray[np.uint8]:
    """Return red, green, blue and opacity as (4, rows, columns)."""
    valid = np.logical_and.reduce([is_valid(band.pixels, band.nodata) for band in bands])
    if is_all_masked:
        valid = np.zeros_like(valid)
    shares = [_stretch(band.pixels, valid) for band in bands]
    if len(shares) == 1:
        stops = np.linspace(0, 1, len(_RAMP))
        layers = [np.interp(shares[0], stops, color) for color in zip(*_RAMP, strict=True)]
    else:
        layers = [share * 255 for share in shares]
    shown = [np.where(valid, np.rint(layer), 0) for layer in layers]
    return np.stack([*shown, valid * 255]).astype(np.uint8)


def _stretch(pixels: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return where each pixel is between the percentiles of the valid ones, from 0 to 1."""
    # Halves, whose differences are finite.
    halves = np.where(valid, pixels, 0).astype(np.float64) / 2
    finite = halves[valid & np.isfinite(halves)]
    low, high = np.percentile(finite, _PERCENTILES) if finite.size else (0.0, 0.0)
    if not high > low:
        return np.full(halves.shape, _MIDDLE)
    shares: npt.NDArray[np.float64] = (np.clip(halves, low, high) - low) / (high - low)
    return shares


def _encodings(colored: npt.NDArray[np.uint8]) -> Iterator[Quicklook]:
    """Yield the picture in files that lose more and more of it."""
    yield _encode(colored, "PNG", "png")
    for quality in _LOSSY_QUALITIES:
        yield _encode(colored, "WEBP", "webp", QUALITY=quality)


def _encode(
    colored: npt.NDArray[np.uint8], driver: str, extension: str, **options: int
) -> Quicklook:
    count, height, width = colored.shape
    with warnings.catch_warnings():
        # A picture has no place on Earth.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(ext=extension) as file:
            with file.open(
                driver=driver, count=count, width=width, height=height, dtype="uint8", **options
            ) as dataset:
                dataset.write(colored)
            content = bytes(file.getbuffer())
    return Quicklook(content, f"image/{extension}", extension, width, height)
