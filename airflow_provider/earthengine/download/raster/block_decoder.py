"""The bytes of one block of a COG -> its pixels: the opposite of :mod:`block_encoder`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.download.raster.block_encoder import (
    DEFLATE_CODE,
    FLOAT_PREDICTOR,
    HORIZONTAL_PREDICTOR,
    NONE_CODE,
    ZSTD_CODE,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_CODECS: dict[int, Callable[[bytes | memoryview], bytes]] = {
    NONE_CODE: bytes, DEFLATE_CODE: isal_zlib.decompress, ZSTD_CODE: zstd.decompress,
}  # fmt: skip


def decode_block(
    content: bytes | memoryview, dtype: str, compression: int, predictor: int
) -> npt.NDArray[np.generic]:
    """Return the 512 x 512 pixels of a block, those included that fill it up at the edges.

    :param dtype: numpy's name of the bands' type.
    :param compression: TIFF's code; ``predictor`` is one too.
    """
    stored = np.dtype(dtype).newbyteorder("<")
    inflated = _CODECS[compression](content)
    if predictor == FLOAT_PREDICTOR:
        pixels = _from_byte_planes(inflated, stored)
    else:
        pixels = np.frombuffer(inflated, stored).reshape(BLOCK_SIDE, BLOCK_SIDE)
        if predictor == HORIZONTAL_PREDICTOR:
            # Sums wrap around, as the differences did.
            pixels = np.cumsum(pixels, axis=1, dtype=stored.newbyteorder("="))
    return pixels.astype(stored.newbyteorder("="), copy=False)


def _from_byte_planes(inflated: bytes, stored: np.dtype[Any]) -> npt.NDArray[Any]:
    size = stored.itemsize
    rows = np.frombuffer(inflated, np.uint8).reshape(BLOCK_SIDE, size * BLOCK_SIDE)
    planes = np.cumsum(rows, axis=1, dtype=np.uint8).reshape(BLOCK_SIDE, size, BLOCK_SIDE)
    lowest_first = np.ascontiguousarray(planes.transpose(0, 2, 1)[:, :, ::-1])
    return lowest_first.reshape(BLOCK_SIDE, size * BLOCK_SIDE).view(stored)
