"""Tiles of pixels, in any order -> a COG that is sent in parts while tiles still arrive.

Blocks are encoded by the thread that brings their tile, and wait on disk; overviews are made of
tiles while they are in memory. The bytes of the file depend on the pixels only, not on the order of
tiles or threads. What is sent stays on disk until the end, for the digest of the whole file, which
begins with what is known last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.download.raster.block_encoder import BlockEncoder
from airflow_provider.earthengine.download.raster.block_spool import BlockSpool
from airflow_provider.earthengine.download.raster.cog_header import CogHeader
from airflow_provider.earthengine.download.raster.cog_layout import CogLayout
from airflow_provider.earthengine.download.raster.cog_parts import (
    CogParts,
    PartSink,
    SentCog,
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


class CogWriter:
    """Writes one COG; whoever made it closes it, which removes what it has in scratch.

    :param compression: one of ``layout.COMPRESSIONS`` but LZW.
    :param directory: for its files, which have names of their own.
    :param sample: (bands, rows, columns) of its pixels, see :class:`BlockEncoder`.
    :raises DownloadParamsError: for a compression that is not offered.
    :raises PlanError: if it is larger than a GeoTIFF, or an upload, can be.
    :raises ScratchError: if there is no room; so do the methods.
    """

    def __init__(
        self,
        description: CogDescription,
        compression: str,
        directory: Path,
        sink: PartSink,
        sample: npt.NDArray[Any] | None = None,
    ) -> None:
        self._description = description
        self._encoder = BlockEncoder(compression, description.dtype, sample)
        self._nodata = nodata_of_cog(description.dtype, description.nodata)
        grid = description.grid
        self._layout = CogLayout(
            grid.width, grid.height, len(description.band_names), description.dtype
        )
        full, *overviews = map(self._layout.max_byte_count, range(len(self._layout.levels)))
        plan = plan_parts(self._header().max_byte_count + sum(overviews), full)
        self._spool = BlockSpool(directory / "cog.blocks", self._layout)
        self._pending = PendingBlocks(directory / "cog.quarters", self._layout)
        self._parts = CogParts(self._spool, plan, sink)

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
        for above, places in _quarters_in(column, row, width, height).items():
            for band, band_pixels in enumerate(pixels, start=first_band):
                quarters = {}
                for place in places:
                    top, left = place.row * BLOCK_SIDE - row, place.column * BLOCK_SIDE - column
                    block = band_pixels[top : top + BLOCK_SIDE, left : left + BLOCK_SIDE]
                    block = as_stored(block, self._nodata)
                    quarters[place.quarter] = self._write_block(replace(place, band=band), block)
                self._write_overviews(replace(above, band=band), quarters)
        self._parts.send_ready()

    def finish(self, band_tags: tuple[Mapping[str, str], ...] = ()) -> SentCog:
        """Send what is left of the COG once all tiles are written.

        :param band_tags: what became known of the bands meanwhile, for example their statistics.
        """
        if not self._spool.is_complete():
            raise ValueError("The COG lacks tiles that were not written.")
        header = self._header(band_tags)
        start = header.byte_count(self._spool.byte_count)
        places = self._spool.places_in_cog(start)
        return self._parts.finish(header.written(places, self._spool.byte_count))

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


def _quarters_in(
    column: int, row: int, width: int, height: int
) -> dict[BlockPlace, list[BlockPlace]]:
    """Return the blocks in an extent of pixels, by the block above that they are quarters of."""
    groups: dict[BlockPlace, list[BlockPlace]] = {}
    for block_row in range(row // BLOCK_SIDE, -(-(row + height) // BLOCK_SIDE)):
        for block_column in range(column // BLOCK_SIDE, -(-(column + width) // BLOCK_SIDE)):
            place = BlockPlace(0, block_column, block_row, 0)
            groups.setdefault(place.above, []).append(place)
    return groups
