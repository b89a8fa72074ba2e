"""Pixels -> pictures: PNG and JPEG of one or three bands of bytes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from airflow_provider.earthengine.emulator.values.pixels import Pixels

PNG = "PNG"
JPEG = "JPEG"
AUTO = "AUTO_JPEG_PNG"
PICTURE_FORMATS = (PNG, JPEG, AUTO)


def write_picture(bands: Sequence[Pixels], file_format: str) -> tuple[bytes, str]:
    """Return a picture and its media type.

    Masked pixels are transparent in a PNG, which has an additional band only if there are any, and
    black in a JPEG. ``AUTO_JPEG_PNG`` is a JPEG if nothing is masked.
    Source: https://developers.google.com/earth-engine/reference/rest/v1/ImageFileFormat (2025-08).

    :param bands: one or three, of bytes.
    """
    is_valid = np.logical_and.reduce([band.is_valid for band in bands])
    samples = [np.where(is_valid, band.values, 0).astype(np.uint8) for band in bands]
    if file_format == AUTO:
        file_format = JPEG if is_valid.all() else PNG
    if file_format == PNG and not is_valid.all():
        samples.append(np.where(is_valid, 255, 0).astype(np.uint8))
    stack = np.stack(samples)
    count, height, width = stack.shape
    profile = {"driver": file_format, "count": count, "height": height, "width": width}
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(dtype="uint8", **profile) as dataset:
            dataset.write(stack)
        content = bytes(memory.getbuffer())
    return content, "image/png" if file_format == PNG else "image/jpeg"
