"""One raster on one grid -> the tiles that cover it exactly once, each small enough for a request.

Arithmetic only: pixel extents are half-open, columns count from the left and rows from the top of
the grid that Earth Engine reported. Earth Engine's rule of which bytes count is here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from airflow_provider.earthengine.download.fields.download_limits import DownloadLimits
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.exceptions import PlanError, RequestTooLargeError
from airflow_provider.earthengine.limits import (
    MASK_BYTES_PER_SAMPLE,
    MAX_BANDS,
    TILE_BYTE_COUNT,
    TILE_SIDE,
)

if TYPE_CHECKING:
    # It imports rasterio, and DAG files import this module on every parse.
    from airflow_provider.earthengine.download.plan.image_info import BandInfo

BLOCK_SIDE = 512
"""Tiles start at multiples of it, so that each fills whole columns of the file's blocks."""

# How often a tile that Earth Engine cannot compute is cut into four.
MAX_SPLIT_DEPTH = 3
# If aligned tiles take more than this factor of the minimum of requests, try other widths.
_WORTH_ALIGNING = 1.05
_COLUMN_COUNTS_TRIED = 64

_BYTES_PER_SAMPLE = {
    "uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "uint32": 4, "int32": 4, "float32": 4,
    "float64": 8,
}  # fmt: skip


@dataclass(frozen=True)
class TileBudget:
    """The limits of one tile.

    :param byte_count: as Earth Engine accounts it, mask bytes included.
    :param side: pixels along one side.
    :param band_count: bands in one request.
    """

    byte_count: int = TILE_BYTE_COUNT
    side: int = TILE_SIDE
    band_count: int = MAX_BANDS

    @classmethod
    def within(cls, limits: DownloadLimits) -> TileBudget:
        """Return the budget that a download's limits leave."""
        return cls(limits.tile_byte_count) if limits.tile_byte_count else cls()

    def holds(self, tile: Tile, group: BandGroup) -> bool:
        """Return whether the tile is within the budget."""
        return (
            tile.byte_count_of(group) <= self.byte_count
            and max(tile.width, tile.height) <= self.side
            and tile.band_count <= self.band_count
        )

    def lowered(self, tile: Tile, group: BandGroup, refusal: RequestTooLargeError) -> TileBudget:
        """Return the budget that is left after Earth Engine refused a tile, by its own numbers."""
        byte_count = tile.byte_count_of(group)
        most, counted = (refusal.facts.get(name) for name in ("max_byte_count", "byte_count"))
        side = refusal.facts.get("max_side") or self.side
        if most and counted:
            # Earth Engine may count more bytes per pixel than expected here.
            byte_count = most * byte_count // max(counted, byte_count)
        elif side >= max(tile.width, tile.height):
            byte_count //= 2  # The wording has changed: all that is known is that it is too large.
        return replace(
            self, byte_count=min(self.byte_count, max(1, byte_count)), side=min(self.side, side)
        )


@dataclass(frozen=True)
class BandGroup:
    """Bands on one grid that are fetched together.

    :param places: each band's target: (index of the raster, 1-based index of its band).
    """

    bands: tuple[BandInfo, ...]
    grid: PixelGrid
    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Tile:
    """One request's piece of a group: pixels from (column, row), and bands from ``first_band``.

    :param group: the index of the group.
    :param first_band: 0-based index among the bands of the group.
    :param depth: how often it was cut because Earth Engine could not compute it whole.
    """

    group: int
    first_band: int
    band_count: int
    column: int
    row: int
    width: int
    height: int
    depth: int = 0

    @property
    def name(self) -> str:
        """The tile's position and size; the same for the same pixels of the same bands."""
        last = self.first_band + self.band_count
        return (
            f"{self.group}-{self.first_band}-{last}-{self.column}-{self.row}-"
            f"{self.width}x{self.height}"
        )

    def bands_of(self, group: BandGroup) -> tuple[BandInfo, ...]:
        """Return the tile's bands, in order."""
        return group.bands[self.first_band : self.first_band + self.band_count]

    def grid_of(self, group: BandGroup) -> PixelGrid:
        """Return the grid of the tile's pixels."""
        return group.grid.window(self.column, self.row, self.width, self.height)

    def byte_count_of(self, group: BandGroup) -> int:
        """Return the tile's size as Earth Engine accounts it."""
        return self.width * self.height * bytes_per_pixel(self.bands_of(group))

    def quarters(self) -> tuple[Tile, ...]:
        """Return the tile cut into four, or into two if it is one pixel wide or high."""
        left, top = ceil(self.width / 2), ceil(self.height / 2)
        columns = [(0, left), (left, self.width - left)]
        rows = [(0, top), (top, self.height - top)]
        return tuple(
            replace(
                self, column=self.column + x, row=self.row + y, width=width, height=height,
                depth=self.depth + 1,
            )
            for y, height in rows if height
            for x, width in columns if width
        )  # fmt: skip

    def __str__(self) -> str:
        """Return the tile for logs and errors."""
        return f"{self.width} x {self.height} px at column {self.column}, row {self.row}"


def bytes_per_pixel(bands: Sequence[BandInfo]) -> int:
    """Return the bytes of all bands of one pixel, mask bytes included, as Earth Engine counts."""
    return sum(
        bytes_per_sample(band.dtype) + MASK_BYTES_PER_SAMPLE for band in bands
    )  # fmt: skip


def bytes_per_sample(dtype: str) -> int:
    """Return the size of one value, without its mask byte."""
    return _BYTES_PER_SAMPLE[dtype]


def cut_group(index: int, group: BandGroup, budget: TileBudget) -> list[Tile]:
    """Return tiles that cover every pixel of every band of the group exactly once, row by row.

    :raises PlanError: if not even one pixel of one band fits.
    """
    whole = Tile(index, 0, len(group.bands), 0, 0, group.grid.width, group.grid.height)
    return cut_tile(whole, group, budget)


def cut_tile(tile: Tile, group: BandGroup, budget: TileBudget) -> list[Tile]:
    """Return tiles within the budget that cover ``tile`` exactly once, row by row.

    All bands stay together as long as a strip of one block row, 512 pixels, fits for all of them.
    """
    tiles: list[Tile] = []
    for first, count in _band_slices(tile, group, budget):
        part = replace(tile, first_band=first, band_count=count)
        tiles += _cut_extent(part, bytes_per_pixel(part.bands_of(group)), budget)
    return sorted(tiles, key=lambda each: (each.row, each.column, each.first_band))


def _band_slices(tile: Tile, group: BandGroup, budget: TileBudget) -> Iterator[tuple[int, int]]:
    strip = min(BLOCK_SIDE, tile.width)
    first, end = tile.first_band, tile.first_band + tile.band_count
    while first < end:
        count = byte_count = 0
        for band in group.bands[first : min(end, first + budget.band_count)]:
            byte_count += strip * bytes_per_pixel([band])
            if count and byte_count > budget.byte_count:
                break
            count += 1
        yield first, count
        first += count


@dataclass(frozen=True)
class _Column:
    """A column of ``count`` tiles, each at most ``height`` rows."""

    start: int
    width: int
    height: int
    count: int


def _cut_extent(tile: Tile, pixel_byte_count: int, budget: TileBudget) -> list[Tile]:
    """Return the pieces of a tile whose bands are fixed: fewest requests, then widest pieces."""
    pixels = budget.byte_count // pixel_byte_count
    if pixels == 0:
        raise PlanError(
            f"One pixel of {tile.band_count} bands is {pixel_byte_count:,} bytes, but a request "
            f"has at most {budget.byte_count:,}; request fewer bands."
        )
    columns = _fewest_requests(tile, pixels, budget.side)
    return [
        replace(
            tile,
            column=tile.column + column.start,
            width=column.width,
            row=tile.row + top,
            height=min(column.height, tile.height - top),
        )
        for column in columns
        for top in range(0, tile.height, column.height)
    ]


def _fewest_requests(tile: Tile, pixels: int, side: int) -> list[_Column]:
    """Return columns of tiles of at most ``pixels``, with edges on blocks where that is cheap.

    Pieces of a tile that starts between two blocks stay on the lattice of the whole raster.
    """
    to_block_edge = -tile.column % BLOCK_SIDE
    aligned = _fewest_of_step(tile, pixels, side, BLOCK_SIDE, to_block_edge)
    least = ceil(tile.width * tile.height / pixels)
    if aligned and _request_count(aligned) <= _WORTH_ALIGNING * least:
        return aligned
    unaligned = _fewest_of_step(tile, pixels, side, 1, 0)
    return min((each for each in (aligned, unaligned) if each), key=_request_count)


def _fewest_of_step(
    tile: Tile, pixels: int, side: int, step: int, lead: int
) -> list[_Column] | None:
    """Return the best columns whose widths are multiples of ``step``; None if none is legal.

    :param lead: pixels to the first edge that a column may start at.
    """
    steps = ceil(max(tile.width - lead, 1) / step)
    fewest = ceil(tile.width / min(side, max(pixels, 1)))
    best: list[_Column] | None = None
    for count in range(max(1, fewest), min(steps, fewest + _COLUMN_COUNTS_TRIED) + 1):
        columns = _columns(tile, ceil(steps / count) * step, lead, pixels, side)
        if columns and (best is None or _request_count(columns) < _request_count(best)):
            best = columns
    return best


def _columns(tile: Tile, width: int, lead: int, pixels: int, side: int) -> list[_Column] | None:
    columns = []
    start = 0
    while start < tile.width:
        end = min(tile.width, start + width if start else (lead or 0) + width)
        rows = min(side, pixels // (end - start))
        if rows == 0 or end - start > side:
            return None
        count = ceil(tile.height / rows)
        # Tiles of similar heights take similar times.
        columns.append(_Column(start, end - start, ceil(tile.height / count), count))
        start = end
    return columns


def _request_count(columns: list[_Column]) -> int:
    return sum(column.count for column in columns)
