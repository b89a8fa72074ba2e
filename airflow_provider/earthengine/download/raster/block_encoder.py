"""The pixels of one block -> its bytes in the file: predictor, then compression.

numpy, ISA-L and zstd release the interpreter lock, so that threads encode side by side.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from airflow_provider.earthengine.download.fields.layout import DEFLATE, NONE, ZSTD
from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# TIFF's numbers.
# Source: https://gdal.org/en/stable/drivers/raster/gtiff.html, and libtiff's tiff.h; read 2026-11.
NO_PREDICTOR, HORIZONTAL_PREDICTOR, FLOAT_PREDICTOR = 1, 2, 3
NONE_CODE, DEFLATE_CODE, ZSTD_CODE = 1, 8, 50000
_COMPRESSION_CODES = {NONE: NONE_CODE, DEFLATE: DEFLATE_CODE, ZSTD: ZSTD_CODE}

# Measured on noise, Landsat pixels and elevation: higher levels take longer and gain nothing.
# ISA-L's level 2 makes elevation 2 % shorter for 10 % more time.
_WHOLE_NUMBER_LEVEL, _FLOAT_LEVEL, _ZSTD_LEVEL = 1, 2, 1

_of_thread = threading.local()

# The predictor stays unless a sample is clearly shorter without it.
_WORTH_LEAVING_OUT = 0.95


def _deflate(content: memoryview, is_float: bool) -> bytes:
    return isal_zlib.compress(content, _FLOAT_LEVEL if is_float else _WHOLE_NUMBER_LEVEL)


def _zstd(content: memoryview, _: bool) -> bytes:
    # A new one for each block would get, and clear, megabytes of memory each time.
    compressor = getattr(_of_thread, "zstd", None)
    if compressor is None:
        compressor = _of_thread.zstd = zstd.ZstdCompressor(_ZSTD_LEVEL)
    return compressor.compress(content, zstd.ZstdCompressor.FLUSH_FRAME)


def _none(content: memoryview, _: bool) -> bytes:
    return content.tobytes()


_CODECS: dict[str, Callable[[memoryview, bool], bytes]] = {
    DEFLATE: _deflate, ZSTD: _zstd, NONE: _none,
}  # fmt: skip


class BlockEncoder:
    """Encodes the blocks of one raster, from any thread.

    :param compression: one of ``layout.COMPRESSIONS``.
    :param dtype: numpy's name of the bands' type.
    :param sample: typical pixels, (rows, columns) of each band, to find out whether the predictor
        helps. Classes and quantised numbers, which have few distinct values, can take several
        times as long with one. Without a sample, the predictor is used.
    """

    def __init__(
        self, compression: str, dtype: str, sample: Sequence[npt.NDArray[Any]] | None = None
    ) -> None:
        self.compression = _COMPRESSION_CODES[compression]
        self._compress = _CODECS[compression]
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._is_float = self._dtype.kind == "f"
        usual = FLOAT_PREDICTOR if self._is_float else HORIZONTAL_PREDICTOR
        self.predictor = NO_PREDICTOR if compression == NONE else usual
        if sample is not None and compression != NONE:
            without, with_one = (self._sampled_byte_count(sample, p) for p in (NO_PREDICTOR, usual))
            if without < _WORTH_LEAVING_OUT * with_one:
                self.predictor = NO_PREDICTOR

    def encode(self, pixels: npt.NDArray[Any]) -> bytes:
        """Return the bytes of a block.

        :param pixels: (rows, columns) of one band. Blocks at the edges are filled up with zeros,
            which readers ignore.
        """
        return self._encode(pixels, self.predictor)

    def _encode(self, pixels: npt.NDArray[Any], predictor: int) -> bytes:
        pixels = self._whole(pixels.astype(self._dtype, copy=False))
        if predictor == HORIZONTAL_PREDICTOR:
            content = self._differences(pixels)
        elif predictor == FLOAT_PREDICTOR:
            content = self._byte_plane_differences(pixels)
        else:
            content = np.ascontiguousarray(pixels)
        return self._compress(content.data, self._is_float)

    def _sampled_byte_count(self, sample: Sequence[npt.NDArray[Any]], predictor: int) -> int:
        """Return the length of a block from the middle of the first, middle and last band."""
        bands, (rows, columns) = len(sample), sample[0].shape
        top, left = max(0, rows - BLOCK_SIDE) // 2, max(0, columns - BLOCK_SIDE) // 2
        return sum(
            len(self._encode(sample[band][top:, left:][:BLOCK_SIDE, :BLOCK_SIDE], predictor))
            for band in sorted({0, bands // 2, bands - 1})
        )

    def _whole(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if pixels.shape == (BLOCK_SIDE, BLOCK_SIDE):
            return pixels
        whole = np.zeros((BLOCK_SIDE, BLOCK_SIDE), self._dtype)
        whole[: pixels.shape[0], : pixels.shape[1]] = pixels
        return whole

    def _differences(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return each pixel minus its left neighbour, wrapping around (TIFF's predictor 2)."""
        differences = np.empty((BLOCK_SIDE, BLOCK_SIDE), self._dtype)
        differences[:, 0] = pixels[:, 0]
        np.subtract(pixels[:, 1:], pixels[:, :-1], out=differences[:, 1:])
        return differences

    def _byte_plane_differences(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the differences of each row's bytes, sorted from highest to lowest byte.

        Source of TIFF's predictor 3: Adobe Photoshop TIFF Technical Note 3 (2005),
        http://chriscox.org/TIFFTN3d1.pdf, read 2026-11.
        """
        size = self._dtype.itemsize
        planes = np.empty((BLOCK_SIDE, size, BLOCK_SIDE), np.uint8)
        if pixels.strides[-1] != size:  # Only pixels that follow each other are viewed as bytes.
            pixels = np.ascontiguousarray(pixels)
        lowest_first = pixels.view(np.uint8).reshape(BLOCK_SIDE, BLOCK_SIDE, size)
        planes[...] = lowest_first[:, :, ::-1].transpose(0, 2, 1)
        rows = planes.reshape(BLOCK_SIDE, size * BLOCK_SIDE)
        differences = np.empty_like(rows)
        differences[:, 0] = rows[:, 0]
        np.subtract(rows[:, 1:], rows[:, :-1], out=differences[:, 1:])
        return differences
