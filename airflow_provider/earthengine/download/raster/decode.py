"""A tile's body -> its pixels, decoded once, with every checksum verified.

GDAL decodes a damaged block to wrong pixels without an error (see :mod:`integrity`). A download of
many tiles would have to be decoded twice for it; here each block is inflated once, by ISA-L,
which compares the checksum. Files of another layout than Earth Engine's are left to GDAL.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from isal import isal_zlib
from rasterio.io import DatasetReader

from airflow_provider.earthengine.download.fields.params import NPY
from airflow_provider.earthengine.download.raster.integrity import (
    DEFLATE_NAMES,
    check_body,
    open_geotiff,
    open_npy,
    reading_errors_as_truncated,
)
from airflow_provider.earthengine.download.raster.stored_blocks import StoredBlock, stored_blocks
from airflow_provider.earthengine.exceptions import TruncatedBodyError

_READ_BYTE_COUNT = 256 << 10
_INFLATED_BYTE_COUNT = 1 << 20


@dataclass(frozen=True, eq=False)
class DecodedRaster:
    """A raster in memory.

    :param array: (bands, rows, columns) for a GeoTIFF; (rows, columns) of records, one field per
        band, for an NPY file.
    :param transform: affine terms a b c d e f; None for an array without georeferencing.
    :param crs: rasterio's; None if there is none.
    :param nodata: the file's tag.
    """

    array: npt.NDArray[Any]
    transform: tuple[float, float, float, float, float, float] | None = None
    crs: Any = None
    nodata: float | None = None

    @property
    def band_count(self) -> int:
        """The number of bands."""
        return len(self.array.dtype.names or self.array)

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.array.shape[-1])

    @property
    def height(self) -> int:
        """The number of rows."""
        return int(self.array.shape[-2])

    def band(self, position: int) -> npt.NDArray[Any]:
        """Return one band as (rows, columns); ``position`` is 0-based."""
        names = self.array.dtype.names
        band: npt.NDArray[Any] = self.array[names[position] if names else position]
        return band


class PixelBuffer:
    """Memory for the pixels of one raster after another.

    It is reused, because the system clears every new page, which costs a fifth of the decoding
    time; and it is mapped, because the C library would not return it to the system at the end.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return an uninitialised array; it invalidates the previous one."""
        count = math.prod(shape)
        if count * dtype.itemsize > len(self._memory):
            self._memory = mmap.mmap(-1, count * dtype.itemsize)
        return np.frombuffer(self._memory, dtype, count).reshape(shape)


def decode_body(
    path: Path, file_format: str, max_byte_count: int, buffer: PixelBuffer
) -> DecodedRaster:
    """Return the pixels of a body that is a single file.

    :param max_byte_count: the most bytes that its pixels can take.
    :param buffer: holds the pixels until it is used again.
    :raises TruncatedBodyError: if it is truncated or damaged; fetching it again may help.
    :raises RasterMismatchError: if it announces more pixels than it can have.
    """
    if file_format == NPY:
        return DecodedRaster(np.array(open_npy(path)))
    with (
        reading_errors_as_truncated("The GeoTIFF", path),
        open_geotiff(path, max_byte_count) as dataset,
    ):
        pixels = _inflate(path, dataset, buffer)
        if pixels is None:
            check_body(path, file_format, max_byte_count)
            pixels = dataset.read()
        a, b, c, d, e, f = tuple(dataset.transform)[:6]
        return DecodedRaster(pixels, (a, b, c, d, e, f), dataset.crs, dataset.nodatavals[0])


def _inflate(path: Path, dataset: DatasetReader, buffer: PixelBuffer) -> npt.NDArray[Any] | None:
    """Return (bands, rows, columns), or None if the file's layout differs from Earth Engine's.

    Source of the layout: real downloads of 2021 to 2026; see the emulator's README.
    """
    structure = dataset.tags(ns="IMAGE_STRUCTURE")
    height, width = dataset.block_shapes[0]
    dtype = np.dtype(dataset.dtypes[0])
    is_known = (
        structure.get("COMPRESSION") in DEFLATE_NAMES
        and (structure.get("INTERLEAVE") == "PIXEL" or dataset.count == 1)
        and "PREDICTOR" not in structure
        # Samples of 12 bits, for example, are packed; GDAL says so of the band.
        and "NBITS" not in dataset.tags(1, ns="IMAGE_STRUCTURE")
        and len(set(dataset.dtypes)) == 1
        and dataset.profile["tiled"]
    )
    if not is_known:
        return None
    pixels = buffer.take((dataset.count, dataset.height, dataset.width), dtype)
    blocks = list(stored_blocks(dataset))
    if len(blocks) != -(-dataset.height // height) * -(-dataset.width // width):
        return None
    with path.open("rb") as file:
        stored = dtype.newbyteorder(">" if file.read(2) == b"MM" else "<")
        for block in blocks:
            top, left = block.row * height, block.column * width
            row_byte_count = width * dataset.count * dtype.itemsize
            for first, content in _inflated_rows(file, block, row_byte_count, height):
                values = np.frombuffer(content, stored).reshape(-1, width, dataset.count)
                rows = slice(top + first, top + first + len(values))
                # Band by band: many bands at once take ten times as long.
                for band, target in enumerate(pixels[:, rows, left : left + width]):
                    target[...] = values[: target.shape[0], : target.shape[1], band]
    return pixels


def _inflated_rows(
    file: BinaryIO, block: StoredBlock, row_byte_count: int, row_count: int
) -> Iterator[tuple[int, bytes]]:
    """Yield the number of a row of a block, and the bytes of it and of some that follow.

    A block can have tens of megabytes; it is in memory nowhere as a whole.
    """
    inflater = isal_zlib.decompressobj()
    pieces = _pieces(file, block)
    count = max(1, _INFLATED_BYTE_COUNT // row_byte_count)
    packed = b""
    for first in range(0, row_count, count):
        missing = min(count, row_count - first) * row_byte_count
        parts: list[bytes] = []
        while missing:
            packed = packed or next(pieces, b"")
            inflated = inflater.decompress(packed, missing)
            if not packed and not inflated:
                raise _unlike(block)
            parts.append(inflated)
            missing -= len(inflated)
            packed = inflater.unconsumed_tail
        yield first, parts[0] if len(parts) == 1 else b"".join(parts)
    # What is left is its checksum, which the inflater compares.
    for rest in (packed, *pieces):
        if not inflater.eof and inflater.decompress(rest, 1):
            raise _unlike(block)
    if not inflater.eof:
        raise _unlike(block)


def _pieces(file: BinaryIO, block: StoredBlock) -> Iterator[bytes]:
    """Yield the stored bytes of a block."""
    file.seek(block.offset)
    for start in range(0, block.byte_count, _READ_BYTE_COUNT):
        yield file.read(min(_READ_BYTE_COUNT, block.byte_count - start))


def _unlike(block: StoredBlock) -> TruncatedBodyError:
    return TruncatedBodyError(
        f"The GeoTIFF's block at byte {block.offset:,} is truncated or too long."
    )
