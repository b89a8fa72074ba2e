"""Is a body whole? Its kind, its length and its checksums, to the last block.

What it should show is not looked at here. GDAL stops reading a deflated block once it has all its
pixels, before the checksum behind them: a damaged block decodes to wrong pixels without an error.
So the blocks' checksums are verified here.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from airflow_provider.earthengine.download.params import NPY, ZIPPED_FORMATS
from airflow_provider.earthengine.exceptions import TruncatedBodyError

_MAGIC = {"zip": (b"PK\x03\x04",), "tif": (b"MM\x00*", b"II*\x00"), "npy": (b"\x93NUMPY",)}
_SHOWN_BYTE_COUNT = 40
# "Adobe deflate" and its older code, which Earth Engine writes.
# Source: https://www.awaresystems.be/imaging/tiff/tifftags/compression.html, read 2026-11.
_DEFLATE_NAMES = frozenset({"DEFLATE", "ADOBE_DEFLATE"})


def check_body(path: Path, file_format: str) -> None:
    """Raise if the body is not whole: wrong kind of file, cut, or damaged.

    :raises TruncatedBodyError: fetching it again may help.
    """
    kind = _kind_of(file_format)
    with path.open("rb") as file:
        head = file.read(_SHOWN_BYTE_COUNT)
    if not head.startswith(_MAGIC[kind]):
        raise TruncatedBodyError(
            f"The body is not a {kind} file: it begins with {head!r}.", kind=kind
        )
    if kind == "zip":
        with open_zip(path) as archive, reading_errors_as_truncated("The zip"):
            damaged = archive.testzip()
        if damaged:
            raise TruncatedBodyError(f"The zip's member {damaged!r} is damaged.")
    elif kind == "tif":
        with reading_errors_as_truncated("The GeoTIFF"):
            _check_geotiff(path)


def _kind_of(file_format: str) -> str:
    if file_format in ZIPPED_FORMATS:
        return "zip"
    return "npy" if file_format == NPY else "tif"


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip; what reading it raises for damage is translated."""
    with reading_errors_as_truncated("The zip"), zipfile.ZipFile(path) as archive:
        yield archive


@contextmanager
def reading_errors_as_truncated(what: str) -> Iterator[None]:
    """Turn what the readers raise for damaged files into our error."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        RasterioError,
        EOFError,
        NotImplementedError,
        UnicodeDecodeError,
    ) as error:
        raise TruncatedBodyError(f"{what} does not decode: {error}.") from None


def _check_geotiff(path: Path) -> None:
    with rasterio.open(path, driver="GTiff") as dataset, path.open("rb") as file:
        for _, window in dataset.block_windows(1):
            dataset.read(window=window)
        if dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION") in _DEFLATE_NAMES:
            for offset, byte_count in _blocks(dataset):
                _check_block(file, offset, byte_count)


def _blocks(dataset: DatasetReader) -> Iterator[tuple[int, int]]:
    """Yield (offset, length) in bytes of every block of the file."""
    interleaved = dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL"
    for band in [1] if interleaved else dataset.indexes:
        for (row, column), _ in dataset.block_windows(band):
            place = f"{column}_{row}"
            offset = dataset.get_tag_item(f"BLOCK_OFFSET_{place}", "TIFF", bidx=band)
            byte_count = dataset.get_tag_item(f"BLOCK_SIZE_{place}", "TIFF", bidx=band)
            if offset and byte_count:  # A block without pixels may be left out of the file.
                yield int(offset), int(byte_count)


def _check_block(file: BinaryIO, offset: int, byte_count: int) -> None:
    file.seek(offset)
    inflater = zlib.decompressobj()
    inflater.decompress(file.read(byte_count))
    if not inflater.eof:
        raise TruncatedBodyError(f"The GeoTIFF's block at byte {offset:,} is cut.")
