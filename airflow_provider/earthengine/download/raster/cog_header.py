"""The header of a COG: everything before its first block.

It consists of the signature, GDAL's ghost area, one directory per level with its short values, and
the lists of block offsets and lengths. The lists come last, so that a reader's first request gets
all directories.
Source: https://gdal.org/en/stable/drivers/raster/cog.html#low-level, read 2026-11.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.download.raster.cog_layout import CogLayout, Level
from airflow_provider.earthengine.download.raster.cog_tags import Tag, tags_of_overviews

MAX_CLASSIC_BYTE_COUNT = (1 << 32) - 1
"""A longer file is a BigTIFF: offsets of a classic one have 32 bits."""

_SHORT, _LONG, _LONG8 = 3, 4, 16
_LISTED_BYTE_COUNT = 8 + 4  # Of a block: its offset and its length, in a BigTIFF.
_NEW_SUBFILE_TYPE, _IMAGE_WIDTH, _IMAGE_LENGTH = 254, 256, 257
_COMPRESSION, _PLANAR_CONFIGURATION, _PREDICTOR = 259, 284, 317
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_BYTE_COUNTS = 322, 323, 324, 325
_REDUCED_RESOLUTION = 1
_PIXEL_INTERLEAVED, _BAND_SEPARATE = 1, 2


@dataclass(frozen=True, eq=False)
class BlockPlaces:
    """Where the blocks of a level are, in TIFF's order: all blocks of the first band come first.

    :param offsets: bytes from the start of the file.
    """

    offsets: npt.NDArray[np.int64]
    byte_counts: npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Form:
    """How numbers are written: all that differs between classic TIFF and BigTIFF."""

    signature: bytes
    entry_count: str
    entry: str
    offset: str
    offset_type: int

    @property
    def inline_byte_count(self) -> int:
        return struct.calcsize(self.offset)


_CLASSIC = _Form(b"II*\0" + struct.pack("<I", 0), "<H", "<HHI", "<I", _LONG)
_BIG = _Form(b"II+\0" + struct.pack("<HHQ", 8, 0, 0), "<Q", "<HHQ", "<Q", _LONG8)


@dataclass(frozen=True)
class CogHeader:
    """The header of one COG. Its length does not depend on the places of the blocks.

    :param tags: of the full resolution, except those that this class adds.
    :param compression: TIFF's code; ``predictor`` is one too.
    """

    layout: CogLayout
    tags: tuple[Tag, ...]
    compression: int
    predictor: int

    @property
    def max_byte_count(self) -> int:
        """The maximum length, computed without listing every block."""
        nothing = np.zeros(0, np.int64)
        levels = self.layout.levels
        lists = sum(level.block_count * self.layout.band_count for level in levels)
        directories = self._written(_BIG, [BlockPlaces(nothing, nothing)] * len(levels))
        return len(directories) + lists * _LISTED_BYTE_COUNT + len(levels)

    def byte_count(self, blocks_byte_count: int) -> int:
        """Return the length.

        :param blocks_byte_count: the length of all that follows; a long file is a BigTIFF.
        """
        return len(self._written(self._form(blocks_byte_count), self._nowhere()))

    def written(self, places: Sequence[BlockPlaces], blocks_byte_count: int) -> bytes:
        """Return the bytes.

        :param places: of each level, the full resolution first.
        """
        return self._written(self._form(blocks_byte_count), places)

    def _form(self, blocks_byte_count: int) -> _Form:
        classic = len(self._written(_CLASSIC, self._nowhere()))
        return _CLASSIC if classic + blocks_byte_count <= MAX_CLASSIC_BYTE_COUNT else _BIG

    def _nowhere(self) -> list[BlockPlaces]:
        nothing = [
            np.zeros(level.block_count * self.layout.band_count, np.int64)
            for level in self.layout.levels
        ]
        return [BlockPlaces(zeros, zeros) for zeros in nothing]

    def _written(self, form: _Form, places: Sequence[BlockPlaces]) -> bytes:
        content = bytearray(form.signature + _ghost_area(self.layout.band_count))
        _pad(content)
        link = len(form.signature) - form.inline_byte_count
        lists: list[tuple[int, bytes]] = []
        for number, (level, blocks) in enumerate(zip(self.layout.levels, places, strict=True)):
            struct.pack_into(form.offset, content, link, len(content))
            tags = self._directory(form, number, level, blocks)
            link = _append_directory(content, form, tags, lists)
        for place, value in lists:
            struct.pack_into(form.offset, content, place, len(content))
            content += value
            _pad(content)
        return bytes(content)

    def _directory(self, form: _Form, number: int, level: Level, blocks: BlockPlaces) -> list[Tag]:
        is_overview = number > 0
        planar = _BAND_SEPARATE if self.layout.band_count > 1 else _PIXEL_INTERLEAVED
        return sorted(
            [
                *(tags_of_overviews(self.tags) if is_overview else self.tags),
                *([_tag(_NEW_SUBFILE_TYPE, _LONG, [_REDUCED_RESOLUTION])] if is_overview else []),
                _tag(_IMAGE_WIDTH, _LONG, [level.width]),
                _tag(_IMAGE_LENGTH, _LONG, [level.height]),
                _tag(_COMPRESSION, _SHORT, [self.compression]),
                _tag(_PLANAR_CONFIGURATION, _SHORT, [planar]),
                *([_tag(_PREDICTOR, _SHORT, [self.predictor])] if self.predictor > 1 else []),
                _tag(_TILE_WIDTH, _SHORT, [BLOCK_SIDE]),
                _tag(_TILE_LENGTH, _SHORT, [BLOCK_SIDE]),
                _tag(_TILE_OFFSETS, form.offset_type, blocks.offsets),
                _tag(_TILE_BYTE_COUNTS, _LONG, blocks.byte_counts),
            ],
            key=lambda tag: tag.code,
        )


def _append_directory(
    content: bytearray, form: _Form, tags: list[Tag], lists: list[tuple[int, bytes]]
) -> int:
    """Append a directory and its short values; return where the link to the next one is.

    :param lists: receives the long values, which are written later, and where their offsets go.
    """
    entry_byte_count = struct.calcsize(form.entry) + form.inline_byte_count
    start = len(content) + struct.calcsize(form.entry_count)
    link = start + len(tags) * entry_byte_count
    values = link + form.inline_byte_count
    content += struct.pack(form.entry_count, len(tags)) + bytes(values - start)
    for number, tag in enumerate(tags):
        place = start + number * entry_byte_count
        struct.pack_into(form.entry, content, place, tag.code, tag.type, tag.count)
        place += struct.calcsize(form.entry)
        if len(tag.value) <= form.inline_byte_count:
            content[place : place + len(tag.value)] = tag.value
        elif tag.code in (_TILE_OFFSETS, _TILE_BYTE_COUNTS):
            lists.append((place, tag.value))
        else:
            struct.pack_into(form.offset, content, place, len(content))
            content += tag.value
            _pad(content)
    return link


def _tag(code: int, type_: int, values: Any) -> Tag:
    kind = {_SHORT: "<u2", _LONG: "<u4", _LONG8: "<u8"}[type_]
    return Tag(code, type_, len(values), np.asarray(values).astype(kind).tobytes())


def _pad(content: bytearray) -> None:
    """Make the next value begin at an even offset, as TIFF requires."""
    content += bytes(len(content) % 2)


def _ghost_area(band_count: int) -> bytes:
    """Return GDAL's description of the order of the file. The writer keeps each of its promises.

    The space at the end leaves room for the YES that GDAL writes when it edits the file.
    """
    promises = (
        "LAYOUT=IFDS_BEFORE_DATA\n"
        "BLOCK_ORDER=ROW_MAJOR\n"
        "BLOCK_LEADER=SIZE_AS_UINT4\n"
        "BLOCK_TRAILER=LAST_4_BYTES_REPEATED\n"
        + ("INTERLEAVE=TILE\n" if band_count > 1 else "")
        + "KNOWN_INCOMPATIBLE_EDITION=NO\n "
    )
    return f"GDAL_STRUCTURAL_METADATA_SIZE={len(promises):06} bytes\n{promises}".encode("ascii")
