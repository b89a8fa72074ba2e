"""Tiles of pixels, in any order -> a COG that is sent in parts while tiles still arrive.

Blocks are encoded by the thread that brings their tile, and wait on disk; overviews are made of
tiles while they are in memory. The bytes of the file depend on the pixels only, not on the order of
tiles or threads. What is sent stays on disk until the end, for the digest of the whole file, which
begins with what is known last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.download.raster.block_encoder import BlockEncoder
from airflow_provider.earthengine.download.raster.block_spool import BlockSpool
from airflow_provider.earthengine.download.raster.cog_header import BlockPlaces, CogHeader
from airflow_provider.earthengine.download.raster.cog_layout import CogLayout
from airflow_provider.earthengine.download.raster.cog_parts import (
    PART_BYTE_COUNT,
    WHOLE_BYTE_COUNT,
    FullResolutionParts,
    PartSink,
    cut,
    plan_parts,
)
from airflow_provider.earthengine.download.raster.cog_tags import CogDescription, tags_of
from airflow_provider.earthengine.download.raster.facts import mismatch
from airflow_provider.earthengine.download.raster.masked_pixels import (
    as_stored,
    halve,
    nodata_of_cog,
)
from airflow_provider.earthengine.download.raster.pending_blocks import (
    BlockPlace,
    PendingBlocks,
    Quarters,
)


@dataclass(frozen=True)
class SentCog:
    """A COG, all of which its sink has.

    :param sha256: of the file, hexadecimal.
    :param part_count: 0 if it was sent whole.
    """

    byte_count: int
    sha256: str
    part_count: int


class CogWriter:
    """Writes one COG; whoever made it closes it, which removes what it has in scratch.

    :param compression: one of ``layout.COMPRESSIONS`` but LZW.
    :param directory: for its files, which have names of their own.
    :raises DownloadParamsError: for a compression that is not offered.
    :raises PlanError: if it is larger than a GeoTIFF, or an upload, can be.
    :raises ScratchError: if there is no room; so do the methods.
    """

    def __init__(
        self, description: CogDescription, compression: str, directory: Path, sink: PartSink
    ) -> None:
        self._description = description
        self._encoder = BlockEncoder(compression, description.dtype)
        self._nodata = nodata_of_cog(description.dtype, description.nodata)
        grid = description.grid
        self._layout = CogLayout(
            grid.width,
            grid.height,
            len(description.band_names),
            description.dtype,
            self._encoder.max_byte_count,
        )
        levels = range(len(self._layout.levels))
        head = self._header().byte_count + sum(map(self._layout.max_byte_count, levels[1:]))
        self._plan = plan_parts(head, self._layout.max_byte_count(0))
        self._sink = sink
        self._spool = BlockSpool(directory / "cog.blocks", self._layout)
        self._pending = PendingBlocks(directory / "cog.quarters", self._layout)
        self._parts = FullResolutionParts(self._spool, self._plan, sink)

    def write_tile(self, column: int, row: int, first_band: int, pixels: npt.NDArray[Any]) -> None:
        """Write the pixels of some bands, from any thread, and send the parts that they complete.

        :param column: of the left edge, a multiple of 512; ``row``, of the top, is one too. The
            tile ends at another, or with the raster.
        :param first_band: counts from 0.
        :param pixels: (bands, rows, columns); they are not needed any more afterwards.
        :raises RasterMismatchError: if their type is not that of the raster.
        """
        self._check(column, row, first_band, pixels)
        height, width = pixels.shape[1:]
        for band, band_pixels in enumerate(pixels, start=first_band):
            groups: dict[BlockPlace, list[BlockPlace]] = {}
            for block_row in range(row // BLOCK_SIDE, -(-(row + height) // BLOCK_SIDE)):
                for block_column in range(column // BLOCK_SIDE, -(-(column + width) // BLOCK_SIDE)):
                    place = BlockPlace(0, block_column, block_row, band)
                    groups.setdefault(place.above, []).append(place)
            for above, places in groups.items():
                quarters = {}
                for place in places:
                    top, left = place.row * BLOCK_SIDE - row, place.column * BLOCK_SIDE - column
                    block = band_pixels[top : top + BLOCK_SIDE, left : left + BLOCK_SIDE]
                    block = as_stored(block, self._nodata)
                    quarters[place.quarter] = self._write_block(place, block)
                self._write_overviews(above, quarters)
        self._parts.send_ready()

    def finish(self, band_tags: tuple[Mapping[str, str], ...] = ()) -> SentCog:
        """Send what is left of the COG once all tiles are written.

        :param band_tags: what became known of the bands meanwhile, for example their statistics.
        """
        if not self._spool.is_complete():
            raise ValueError("The COG lacks tiles that were not written.")
        header = self._header(band_tags)
        places, byte_count = self._places(header.byte_count)
        held_count = self._parts.finish()
        block_count = self._spool.block_count(0)
        sent_byte_count = self._spool.byte_count_of(0, held_count, block_count)
        is_whole = not self._parts.sent_count and byte_count < WHOLE_BYTE_COUNT
        if is_whole:
            part_count = 1
        elif self._parts.sent_count:
            part_count = self._plan.head_part_count
        else:
            part_count = byte_count // PART_BYTE_COUNT
        pieces = self._first_bytes(header.written(places), held_count)
        digest = hashlib.sha256()
        for number, part in enumerate(cut(pieces, byte_count - sent_byte_count, part_count), 1):
            if is_whole:
                self._sink.send_whole(part)
            else:
                self._sink.send_part(number, part)
            digest.update(part)
        for record in self._spool.records(0, held_count, block_count):
            digest.update(record)
        count = 0 if is_whole else part_count + self._parts.sent_count
        return SentCog(byte_count, digest.hexdigest(), count)

    def close(self) -> None:
        """Remove what is in scratch."""
        self._spool.close()
        self._pending.close()

    def _check(self, column: int, row: int, first_band: int, pixels: npt.NDArray[Any]) -> None:
        bands, height, width = pixels.shape
        layout = self._layout
        if pixels.dtype.name != layout.dtype:
            raise mismatch("dtype", layout.dtype, pixels.dtype.name)
        is_aligned = all(
            start % BLOCK_SIDE == 0
            and (end % BLOCK_SIDE == 0 or end == side)
            and 0 <= start < end <= side
            for start, end, side in (
                (column, column + width, layout.width),
                (row, row + height, layout.height),
            )
        )
        if not is_aligned or not 0 <= first_band < first_band + bands <= layout.band_count:
            raise ValueError(
                f"A tile of {width} x {height} px at column {column}, row {row} and of {bands} "
                f"bands from {first_band} is not one of whole blocks."
            )

    def _write_block(self, place: BlockPlace, block: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Keep a block of any level; return its half."""
        number = self._spool.number_of(place.level, place.column, place.row, place.band)
        self._spool.add(place.level, number, self._encoder.encode(block))
        return halve(block, self._nodata)

    def _write_overviews(self, place: BlockPlace, quarters: Quarters) -> None:
        """Keep quarters of an overview's block, and each block of overviews that they complete."""
        while place.level < len(self._layout.levels):
            block = self._pending.fill(place, quarters)
            if block is None:
                return
            quarters = {place.quarter: self._write_block(place, block)}
            place = place.above

    def _header(self, band_tags: tuple[Mapping[str, str], ...] = ()) -> CogHeader:
        tags = tags_of(replace(self._description, band_tags=band_tags))
        return CogHeader(self._layout, tags, self._encoder.compression, self._encoder.predictor)

    def _places(self, header_byte_count: int) -> tuple[list[BlockPlaces], int]:
        """Return where the blocks of each level are, and where the last one ends."""
        places: dict[int, BlockPlaces] = {}
        start = header_byte_count
        for level in reversed(range(len(self._layout.levels))):
            places[level] = self._spool.places_in_cog(level, start)
            start += self._spool.byte_count_of(level, 0, self._spool.block_count(level))
        return [places[level] for level in sorted(places)], start

    def _first_bytes(self, header: bytes, held_count: int) -> Iterator[bytes]:
        """Yield header, overviews from the smallest to the largest, and blocks that were held."""
        yield header
        for level in range(len(self._layout.levels) - 1, 0, -1):
            yield from self._spool.records(level, 0, self._spool.block_count(level))
        yield from self._spool.records(0, 0, held_count)
