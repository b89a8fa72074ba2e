"""Pixels -> GeoTIFF, byte for byte as the real service writes it.

Measured on files that the real service sent between 2021-11 and 2026-08, among them
https://github.com/enpotech/mapgen (images/multi_band.tif and three zips): classic big-endian TIFF,
one directory, 256 x 256 blocks of interleaved samples, zlib at level 9, and nothing else: no
predictor, no band descriptions, no overviews. GDAL's own driver cannot write this layout.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.io import MemoryFile

from airflow_provider.earthengine.emulator.values.projections import is_geographic, named_in_files

BLOCK = 256
# The code that Adobe's 8 replaced; readers accept both.
OLD_DEFLATE = 32946
_SHORT, _LONG, _RATIONAL, _ASCII, _DOUBLE = 3, 4, 5, 2, 12
_SAMPLE_FORMAT = {"u": 1, "i": 2, "f": 3}
_PIXEL_IS_AREA = (1025, 0, 1, 1)
# The directory of the GeoTIFF keys, their numbers and their texts.
_GEO_KEYS = (34735, 34736, 34737)
_BYTE_COUNTS = {_SHORT: 2, _ASCII: 1, _DOUBLE: 8}


@dataclass(frozen=True)
class _Tag:
    """One directory entry; ``data`` is its packed value."""

    number: int
    type: int
    count: int
    data: bytes


# The real service's compression level.
DEFLATE_LEVEL = 9
# At this level only runs of one byte are compressed, such as the padding of blocks at the edges:
# noise has no other repetitions. It takes a third of the time of zlib's level 1.
RUNS_ONLY = 1


def write_geotiff(
    samples: npt.NDArray[np.generic],
    transform: Affine,
    crs: str,
    nodata: float | None,
    level: int = DEFLATE_LEVEL,
) -> bytes:
    """Return a GeoTIFF.

    :param samples: (rows, columns, bands).
    :param crs: a code or WKT.
    :param nodata: the value of masked pixels for the nodata tag; None for no tag.
    :param level: 9 for the real service's bytes; lower is faster.
    """
    blocks = _compressed_blocks(samples, level)
    head = _tags(samples, transform, crs, nodata)
    # The directory's size does not depend on the offsets in it, so it is laid out twice.
    offsets = [0] * len(blocks)
    start = len(_directory(head, blocks, offsets))
    for number, block in enumerate(blocks):
        offsets[number] = start
        start += len(block)
    return b"".join([_directory(head, blocks, offsets), *blocks])


def _compressed_blocks(samples: npt.NDArray[np.generic], level: int) -> list[bytes]:
    """Return the blocks row by row; those at the edges are padded with zeros.

    One thread per processor compresses them, because zlib releases the GIL.
    """
    height, width, count = samples.shape
    big_endian = samples.dtype.newbyteorder(">")

    def compress(corner: tuple[int, int]) -> bytes:
        top, left = corner
        part = samples[top : top + BLOCK, left : left + BLOCK]
        if part.shape[:2] == (BLOCK, BLOCK):
            return _deflated(part.astype(big_endian), level)
        block = np.zeros((BLOCK, BLOCK, count), dtype=big_endian)
        block[: part.shape[0], : part.shape[1]] = part
        return _deflated(block, level)

    corners = [(top, left) for top in range(0, height, BLOCK) for left in range(0, width, BLOCK)]
    with ThreadPoolExecutor(min(len(corners), os.cpu_count() or 1)) as pool:
        return list(pool.map(compress, corners))


def _deflated(block: npt.NDArray[np.generic], level: int) -> bytes:
    strategy = zlib.Z_RLE if level == RUNS_ONLY else zlib.Z_DEFAULT_STRATEGY
    deflate = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    return deflate.compress(block.reshape(-1).view(np.uint8).data) + deflate.flush()


def _tags(
    samples: npt.NDArray[np.generic], transform: Affine, crs: str, nodata: float | None
) -> list[_Tag]:
    """Return the entries except those for the positions of blocks, in ascending order."""
    height, width, count = samples.shape
    dtype = samples.dtype
    tags = [
        _shorts(256, width),
        _shorts(257, height),
        _shorts(258, *[dtype.itemsize * 8] * count),
        _shorts(259, OLD_DEFLATE),
        _shorts(262, _photometric(dtype, count)),
        _shorts(277, count),
        _Tag(282, _RATIONAL, 1, struct.pack(">II", 1, 1)),
        _Tag(283, _RATIONAL, 1, struct.pack(">II", 1, 1)),
        _shorts(296, 1),
        _shorts(322, BLOCK),
        _shorts(323, BLOCK),
    ]
    if dtype != np.uint8:
        tags.append(_shorts(339, *[_SAMPLE_FORMAT[dtype.kind]] * count))
    a, b, c, d, e, f = list(transform)[:6]
    matrix = (a, b, 0, c, d, e, 0, f, 0, 0, 0, 0, 0, 0, 0, 1)
    tags.append(_Tag(34264, _DOUBLE, 16, struct.pack(">16d", *matrix)))
    tags += _geo_keys(crs)
    if nodata is not None:
        text = f"{float(nodata)}".replace("-inf", "-Infinity").encode() + b"\0"
        tags.append(_Tag(42113, _ASCII, len(text), text))
    return tags


def _photometric(dtype: np.dtype[np.generic], count: int) -> int:
    """Return 2 (red, green, blue) for three bands of uint16, as observed; 1 (grey) otherwise."""
    return 2 if count == 3 and dtype == np.uint16 else 1


def _geo_keys(crs: str) -> list[_Tag]:
    if not crs.startswith("EPSG:"):
        return list(_keys_without_code(crs))
    code = int(crs.removeprefix("EPSG:"))
    model, key = (2, 2048) if is_geographic(crs) else (1, 3072)
    keys = (1, 1, 2, 3, 1024, 0, 1, model, *_PIXEL_IS_AREA, key, 0, 1, code)
    return [_shorts(_GEO_KEYS[0], *keys)]


@lru_cache(maxsize=64)
def _keys_without_code(crs: str) -> tuple[_Tag, ...]:
    """Return the keys of a CRS without a code, as GDAL writes them."""
    profile = {"driver": "GTiff", "width": 1, "height": 1, "count": 1, "dtype": "uint8",
               "transform": Affine.translation(1, 1), "endianness": "BIG"}  # fmt: skip
    with MemoryFile() as file:
        with file.open(**profile, crs=named_in_files(crs)):
            pass
        content = bytes(file.getbuffer())
    (start,) = struct.unpack_from(">I", content, 4)
    (count,) = struct.unpack_from(">H", content, start)
    tags = []
    for place in range(start + 2, start + 2 + 12 * count, 12):
        number, kind, length = struct.unpack_from(">HHI", content, place)
        if number in _GEO_KEYS:
            # None is short enough to be stored in its entry.
            (offset,) = struct.unpack_from(">I", content, place + 8)
            size = length * _BYTE_COUNTS[kind]
            tags.append(_Tag(number, kind, length, content[offset : offset + size]))
    return tuple(tags)


def _shorts(number: int, *values: int) -> _Tag:
    return _Tag(number, _SHORT, len(values), struct.pack(f">{len(values)}H", *values))


def _longs(number: int, values: Sequence[int]) -> _Tag:
    return _Tag(number, _LONG, len(values), struct.pack(f">{len(values)}I", *values))


def _directory(head: list[_Tag], blocks: list[bytes], offsets: list[int]) -> bytes:
    """Return the header, the directory and the values that do not fit into it.

    Each of these values begins at a multiple of four bytes, and the first block begins right behind
    the last of them.
    """
    places = [_longs(324, offsets), _longs(325, [len(block) for block in blocks])]
    tags = sorted([*head, *places], key=lambda tag: tag.number)
    entries = bytearray(struct.pack(">2sHIH", b"MM", 42, 8, len(tags)))
    outside = bytearray()
    directory_end = len(entries) + 12 * len(tags) + 4
    gap = b"\0" * (-directory_end % 4)
    start = directory_end + len(gap)
    for tag in tags:
        if len(tag.data) > 4:
            outside += b"\0" * (-len(outside) % 4)
            place = struct.pack(">I", start + len(outside))
            outside += tag.data
        else:
            place = tag.data.ljust(4, b"\0")
        entries += struct.pack(">HHI", tag.number, tag.type, tag.count) + place
    return bytes(entries + b"\0\0\0\0" + gap + outside)
