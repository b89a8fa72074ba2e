"""Is a body complete and undamaged? Checks its kind, its length and every block's checksum.

Whether it holds the requested pixels is not checked here. GDAL stops reading a deflated block once
it has all its pixels, before the checksum that follows them: a damaged block decodes to wrong
pixels without an error. So the blocks' checksums are verified here.

A body may be malicious. What it announces (members, pixels, blocks) is compared with the most that
its download can have before any of it is unpacked.
"""

from __future__ import annotations

import errno
import logging
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import rasterio
from isal import isal_zlib
from rasterio._err import CPLE_BaseError  # What GDAL's own errors are; not public.
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from airflow_provider.earthengine.download.fields.params import NPY, ZIPPED_FORMATS
from airflow_provider.earthengine.download.raster.stored_blocks import (
    StoredBlock,
    stored_blocks,
)
from airflow_provider.earthengine.download.worker_limits import find_refusal
from airflow_provider.earthengine.exceptions import (
    RasterMismatchError,
    TruncatedBodyError,
)

CACHE_MEBIBYTES = 16
"""GDAL's cache of blocks, for the whole process; by default it is a twentieth of the memory."""

_MAGIC = {"zip": (b"PK\x03\x04",), "tif": (b"MM\x00*", b"II*\x00"), "npy": (b"\x93NUMPY",)}
_SHOWN_BYTE_COUNT = 40
# Of a zip: a thousand members, the most that Earth Engine sends, take a tenth of this.
_MAX_DIRECTORY_BYTE_COUNT = 2 << 20
_ZIP_COMPRESSIONS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_DIRECTORY_BYTE_COUNT = 5  # Its index in zipfile's end record.
_CHUNK_BYTE_COUNT = 1 << 20
# GDAL logs this each time it opens a file of Earth Engine with more than one band.
_KNOWN_NOTE = "Defining non-color channels as ExtraSamples"
# Pixels are counted with the predicted type, but a correct body may have a wider one.
_WIDEST_SAMPLE_BYTE_COUNT = 8
# "Adobe deflate" and its older code, which Earth Engine writes.
# Source: https://www.awaresystems.be/imaging/tiff/tifftags/compression.html, read 2026-11.
DEFLATE_NAMES = frozenset({"DEFLATE", "ADOBE_DEFLATE"})


def check_body(path: Path, file_format: str, max_byte_count: int) -> None:
    """Raise if the body is the wrong kind of file, truncated or damaged.

    :param max_byte_count: the most bytes that its pixels can take.
    :raises TruncatedBodyError: if it is any of these; fetching it again may help.
    :raises RasterMismatchError: if it unpacks to more than ``max_byte_count``.
    """
    kind = _kind_of(file_format)
    with path.open("rb") as file:
        head = file.read(_SHOWN_BYTE_COUNT)
    if not head.startswith(_MAGIC[kind]):
        raise TruncatedBodyError(
            f"The body is not a {kind} file: it starts with {head!r}.", kind=kind
        )
    if kind == "zip":
        with open_zip(path) as archive:
            _check_unpacked_byte_count(archive, max_byte_count)
            damaged = archive.testzip()
        if damaged:
            raise TruncatedBodyError(f"The zip's member {damaged!r} is damaged.")
    elif kind == "tif":
        with reading_errors_as_truncated("The GeoTIFF", path):
            _check_geotiff(path, max_byte_count)
    else:
        open_npy(path)  # Opening maps the whole array, which fails for a truncated file.


def _kind_of(file_format: str) -> str:
    if file_format in ZIPPED_FORMATS:
        return "zip"
    return "npy" if file_format == NPY else "tif"


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip of plain members, and translate what reading raises if it is damaged."""
    with reading_errors_as_truncated("The zip", path):
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.compress_type not in _ZIP_COMPRESSIONS or member.flag_bits & _ENCRYPTED:
                    raise TruncatedBodyError(
                        f"The zip's member {member.filename[:80]!r} is encrypted or compressed in "
                        "a way that Earth Engine does not use."
                    )
            yield archive


def _check_directory(path: Path) -> None:
    """Raise if the directory is a bomb: in memory it takes many times its length."""
    with path.open("rb") as file:
        # Private, but the only way to know before it is read; ZipFile calls it first, too.
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # private
    if end and end[_DIRECTORY_BYTE_COUNT] > _MAX_DIRECTORY_BYTE_COUNT:
        raise TruncatedBodyError(
            f"The zip's directory has {end[_DIRECTORY_BYTE_COUNT]:,} bytes, more than the "
            f"{_MAX_DIRECTORY_BYTE_COUNT:,} that any download needs; it is damaged."
        )


def _check_unpacked_byte_count(archive: zipfile.ZipFile, max_byte_count: int) -> None:
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > max_byte_count:
        raise RasterMismatchError(
            f"The zip unpacks to {unpacked:,} bytes, but its pixels can take at most "
            f"{max_byte_count:,}.",
            field="byte_count",
            wanted=max_byte_count,
            got=unpacked,
        )


@contextmanager
def reading_errors_as_truncated(what: str, path: Path) -> Iterator[None]:
    """Translate what the readers raise for damaged files into ``TruncatedBodyError``.

    :param path: the file; what the system refuses is no damage.
    :raises ScratchError: if the worker has no memory or open files left.
    :raises OSError: if the file cannot be opened.
    """
    try:
        yield
    except (  # type: ignore[misc]  # of isal_zlib.error, the stub says that it is no class
        zipfile.BadZipFile,
        zlib.error,
        isal_zlib.error,
        struct.error,
        RasterioError,
        CPLE_BaseError,
        EOFError,
        NotImplementedError,
        UnicodeDecodeError,
        OverflowError,
    ) as error:
        _raise_refusal(error, path)
        raise TruncatedBodyError(f"{what} cannot be decoded: {str(error)[:200]}.") from None
    except OSError as error:
        # A damaged offset may be impossible in any file; other errors are the disk's.
        if error.errno != errno.EINVAL:
            raise
        raise TruncatedBodyError(f"{what} has an impossible offset.") from None


def _raise_refusal(error: BaseException, path: Path) -> None:
    """Raise if a reader failed because of the worker, and not because of the file.

    GDAL does not say why it cannot open a file.
    """
    refusal = find_refusal(error)
    if refusal is not None:
        raise refusal from None
    with path.open("rb") as file:
        file.read(1)


def _check_header_length(path: Path) -> None:
    """Raise if the file is shorter than the header that it declares: NumPy allocates that first.

    Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, read 2026-11.
    """
    with path.open("rb") as file:
        _, version, length = file.read(6), file.read(2), file.read(4)
    has_long_header = version[:1] > b"\x01"
    if has_long_header and int.from_bytes(length, "little") > path.stat().st_size:
        raise TruncatedBodyError("The NPY file is shorter than its header.")


def open_npy(path: Path) -> npt.NDArray[Any]:
    """Open an NPY file; its pixels stay on disk until they are used."""
    _check_header_length(path)
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return array
    except (
        ValueError,
        OSError,
        EOFError,
        OverflowError,
        SyntaxError,
        TokenError,
        TypeError,
        RecursionError,
        MemoryError,
    ) as error:
        _raise_refusal(error, path)
        # The header is the repr of a dict, and declares its own length.
        raise TruncatedBodyError(f"The NPY file cannot be decoded: {str(error)[:200]}.") from None


class _KnownNotesFilter(logging.Filter):
    """Drop what GDAL logs for every file of Earth Engine."""

    def filter(self, record: logging.LogRecord) -> bool:
        return _KNOWN_NOTE not in record.getMessage()


_KNOWN_NOTES = _KnownNotesFilter()


def expect_pixel_coordinates() -> None:
    """Keep rasterio from warning that a raster is not georeferenced: one may be asked for.

    Pixels at their own columns and rows have the transform of a file without any. For the whole
    process: a filter of a block's would be seen by the other threads, and not always removed.
    """
    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)


def bound_block_cache() -> None:
    """Keep GDAL's cache of blocks small, where the user has not said otherwise.

    GDAL reads the variable when it caches its first block, in whichever thread that is, so that an
    option of one thread's would not do.
    """
    os.environ.setdefault("GDAL_CACHEMAX", str(CACHE_MEBIBYTES))


@contextmanager
def open_geotiff(path: Path, max_byte_count: int) -> Iterator[DatasetReader]:
    """Open a GeoTIFF, after checking that its pixels and blocks are not larger than possible.

    :param max_byte_count: the most bytes that the pixels can take, as predicted.
    :raises RasterMismatchError: if it announces more.
    """
    logging.getLogger("rasterio._env").addFilter(_KNOWN_NOTES)  # Adding it again has no effect.
    with rasterio.open(path, driver="GTiff") as dataset:
        widest = max(np.dtype(dtype).itemsize for dtype in dataset.dtypes)
        block = max(height * width for height, width in dataset.block_shapes)
        announced = max(dataset.width * dataset.height, block) * widest * dataset.count
        bound = max_byte_count * _WIDEST_SAMPLE_BYTE_COUNT
        if announced > bound:
            raise RasterMismatchError(
                f"The GeoTIFF announces {announced:,} bytes of pixels ({dataset.width} x "
                f"{dataset.height} px, {dataset.count} bands), but can have at most {bound:,}.",
                field="byte_count",
                wanted=bound,
                got=announced,
            )
        yield dataset


def _check_geotiff(path: Path, max_byte_count: int) -> None:
    with open_geotiff(path, max_byte_count) as dataset, path.open("rb") as file:
        for _, window in dataset.block_windows(1):
            dataset.read(window=window)
        if dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION") in DEFLATE_NAMES:
            bound = max_byte_count * _WIDEST_SAMPLE_BYTE_COUNT
            for block in stored_blocks(dataset):
                _check_block(file, block, bound)


def _check_block(file: BinaryIO, block: StoredBlock, bound: int) -> None:
    file.seek(block.offset)
    packed, unpacked = file.read(block.byte_count), 0
    inflater = isal_zlib.decompressobj()
    while packed and not inflater.eof and unpacked <= bound:
        unpacked += len(inflater.decompress(packed, _CHUNK_BYTE_COUNT))
        packed = inflater.unconsumed_tail
    if not inflater.eof:
        raise TruncatedBodyError(
            f"The GeoTIFF's block at byte {block.offset:,} is truncated or too long."
        )
