"""Tiles of pixels, in any order -> the encoded blocks of a COG and of its overviews, on disk.

The thread that brings a tile encodes its blocks, and makes overviews while the pixels are in
memory. All of a COG can be written so, or some whole rows of its blocks: then those blocks of
overviews that lie in these rows alone are made, and the pieces of the others are left over, for
whoever has the other rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.download.raster.block_decoder import decode_block
from airflow_provider.earthengine.download.raster.block_encoder import BlockEncoder
from airflow_provider.earthengine.download.raster.block_spool import BlockSpool
from airflow_provider.earthengine.download.raster.cog_header import CogHeader
from airflow_provider.earthengine.download.raster.cog_layout import (
    LEADER_BYTE_COUNT,
    TRAILER_BYTE_COUNT,
    CogLayout,
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
    Pieces,
)


class CogBlocks:
    """The blocks of one COG. Whoever creates it closes it, which removes its files.

    :param compression: one of ``layout.COMPRESSIONS``.
    :param directory: where its files go; one COG at a time uses a directory.
    :param sample: some of its pixels, see :class:`BlockEncoder`.
    :raises PlanError: if a GeoTIFF cannot hold it.
    :raises OSError: if the disk is full; the methods raise it too.
    """

    def __init__(
        self,
        description: CogDescription,
        compression: str,
        directory: Path,
        sample: Sequence[npt.NDArray[Any]] | None = None,
    ) -> None:
        self._encoder = BlockEncoder(compression, description.dtype, sample)
        self._nodata = nodata_of_cog(description.dtype, description.nodata)
        grid = description.grid
        self.layout = CogLayout(
            grid.width, grid.height, len(description.band_names), description.dtype
        )
        self.header = CogHeader(
            self.layout, tags_of(description), self._encoder.compression, self._encoder.predictor
        )
        self.spool = BlockSpool(directory / "cog.blocks", self.layout)
        self._pending = PendingBlocks(directory / "cog.quarters", self.layout)

    def write_tile(self, column: int, row: int, first_band: int, pixels: npt.NDArray[Any]) -> None:
        """Write some bands of a tile, from any thread.

        :param column: the left edge; ``row`` is the top. Where they are no multiples of 512, pieces
            of blocks wait on disk for the rest.
        :param first_band: counts from 0.
        :param pixels: (bands, rows, columns); the memory may be reused afterwards.
        :raises RasterMismatchError: if their dtype is not the raster's.
        """
        self._check(column, row, first_band, pixels)
        pixels = pixels.astype(self.layout.dtype, copy=False)  # In native byte order.
        height, width = pixels.shape[1:]
        for above, places in _blocks_in(column, row, width, height).items():
            for band, band_pixels in enumerate(pixels, start=first_band):
                halves = {}
                for place in (replace(each, band=band) for each in places):
                    block = self._pending.fill(place, _piece_of(place, column, row, band_pixels))
                    if block is not None:
                        stored = as_stored(block, self._nodata)
                        halves[place.start_above] = self._write_block(place, stored)
                if halves:
                    self.write_overviews(replace(above, band=band), halves)

    def write_overviews(self, place: BlockPlace, halves: Pieces) -> None:
        """Write pieces of an overview's block, and the overview blocks that they complete."""
        while place.level < len(self.layout.levels):
            block = self._pending.fill(place, halves)
            if block is None:
                return
            halves = {place.start_above: self._write_block(place, block)}
            place = place.above

    def left_over(self) -> Iterator[tuple[BlockPlace, Pieces]]:
        """Yield the pieces of each block that lacks pixels."""
        return self._pending.left_over()

    def read_smallest(self, band: int) -> npt.NDArray[Any] | None:
        """Return a band of the smallest level, which is one block; None if it is not here.

        :param band: counts from 0.
        """
        level = len(self.layout.levels) - 1
        number = self.spool.number_of(level, 0, 0, band)
        if not self.spool.has(level, number):
            return None
        (record,) = self.spool.records(level, number, number + 1)
        rows, columns = self.layout.levels[level].block_shape(0, 0)
        content = record[LEADER_BYTE_COUNT:-TRAILER_BYTE_COUNT]
        encoder = self._encoder
        pixels = decode_block(content, self.layout.dtype, encoder.compression, encoder.predictor)
        return pixels[:rows, :columns]

    def finish(self) -> None:
        """Remove what only incomplete blocks need."""
        self._pending.close()

    def close(self) -> None:
        """Remove the files."""
        self.spool.close()
        self._pending.close()

    def _check(self, column: int, row: int, first_band: int, pixels: npt.NDArray[Any]) -> None:
        bands, height, width = pixels.shape
        layout = self.layout
        if pixels.dtype.name != layout.dtype:
            raise mismatch("dtype", layout.dtype, pixels.dtype.name)
        is_inside = (
            0 <= column < column + width <= layout.width
            and 0 <= row < row + height <= layout.height
            and 0 <= first_band < first_band + bands <= layout.band_count
        )
        if not is_inside:
            raise ValueError(
                f"A tile of {width} x {height} px at column {column}, row {row} with {bands} bands "
                f"from band {first_band} is not inside the COG."
            )

    def _write_block(self, place: BlockPlace, block: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Store a block of any level; return its half."""
        number = self.spool.number_of(place.level, place.column, place.row, place.band)
        self.spool.add(place.level, number, self._encoder.encode(block))
        return halve(block, self._nodata)


def _blocks_in(
    column: int, row: int, width: int, height: int
) -> dict[BlockPlace, list[BlockPlace]]:
    """Return the blocks that an extent of pixels meets, grouped by the overview block above."""
    groups: dict[BlockPlace, list[BlockPlace]] = {}
    for block_row in range(row // BLOCK_SIDE, -(-(row + height) // BLOCK_SIDE)):
        for block_column in range(column // BLOCK_SIDE, -(-(column + width) // BLOCK_SIDE)):
            place = BlockPlace(0, block_column, block_row, 0)
            groups.setdefault(place.above, []).append(place)
    return groups


def _piece_of(place: BlockPlace, column: int, row: int, pixels: npt.NDArray[Any]) -> Pieces:
    """Return what a tile has of a block.

    :param column: of the tile's first pixel; so is ``row``.
    :param pixels: the tile's, of the block's band.
    """
    top, left = place.row * BLOCK_SIDE - row, place.column * BLOCK_SIDE - column
    first_row, first_column = max(top, 0), max(left, 0)
    piece = pixels[first_row : top + BLOCK_SIDE, first_column : left + BLOCK_SIDE]
    return {(first_row - top, first_column - left): piece}
