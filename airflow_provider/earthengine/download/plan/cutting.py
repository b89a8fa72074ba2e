"""One raster on one grid -> the tiles that cover it exactly once, each small enough for a request.

The rule: a tile is whole blocks of the resulting file (at the raster's edges, the rest of them), so
that each block comes from one tile. Tiles form shelves, one below the other, each as wide as the
raster. Among all shelves that are flat enough, the planner takes those with the fewest tiles. All
bands stay together, but bands of one type are split if that saves a fifth of the tiles. If a single
block exceeds a request and its bands cannot be split, a tile is a part of one block.

The bound: if a request carries P whole blocks of all bands, a raster of w x h blocks takes at most
1.25 x w x h / P + 1 tiles. This was computed for all P up to 96, the most within Earth Engine's
limit, and all rasters of up to 130 x 80 blocks; larger rasters repeat the same shelves. Bands of
one type take at most twice as many tiles as their bytes need, and usually less than 1.1 times as
many. Where the limit of 32,768 pixels along a side requires more tiles than the bytes do, both
bounds refer to that number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from math import ceil

from airflow_provider.earthengine.download.plan.tiles import (
    BLOCK_SIDE,
    BandGroup,
    Tile,
    TileBudget,
    bytes_per_pixel,
)
from airflow_provider.earthengine.exceptions import PlanError

# The resulting file grows by whole shelves, so they must be flat: at most this many rows of blocks,
# unless a shelf has few blocks or is a single tile.
_FLAT_SHELF_ROWS = 8
_SMALL_SHELF_BLOCKS = 512
# A raster with more rows of blocks starts with shelves of one height, which saves time.
_MOST_ROWS_SEARCHED = 512
# Bands are split if this share of the requests, or less, remains.
_WORTH_SPLITTING = 0.8
# Requests of this many blocks use their budget so well that more splits save nothing.
_MANY_BLOCKS = 8


def cut_group(index: int, group: BandGroup, budget: TileBudget) -> list[Tile]:
    """Return tiles that cover every pixel of every band of the group exactly once, row by row.

    :raises PlanError: when not even one pixel of one band fits.
    """
    whole = Tile(index, 0, len(group.bands), 0, 0, group.grid.width, group.grid.height)
    return cut_tile(whole, group, budget)


def cut_tile(tile: Tile, group: BandGroup, budget: TileBudget) -> list[Tile]:
    """Return tiles within the budget that cover ``tile`` exactly once, row by row.

    The blocks are those of the group's grid, even if the tile starts or ends within one.

    :raises PlanError: when not even one pixel of one band fits.
    """
    ways = [
        [piece for part in parts for piece in _cut_extent(part, group, budget)]
        for parts in _ways_to_split(tile, group, budget)
    ]
    fewest = min(map(len, ways))
    tiles = next(way for way in ways if _WORTH_SPLITTING * len(way) <= fewest)
    return sorted(tiles, key=lambda each: (each.row, each.column, each.first_band))


def _ways_to_split(tile: Tile, group: BandGroup, budget: TileBudget) -> list[list[Tile]]:
    """Return the ways to split a tile's bands, the one with the fewest parts first."""
    bands = tile.bands_of(group)
    columns, rows = _axes(tile)
    block_byte_count = bytes_per_pixel(bands[:1]) * columns.largest * rows.largest
    # Earth Engine promotes the bands of a request to one type, which could differ between parts.
    if len({band.dtype for band in bands}) > 1 or block_byte_count > budget.byte_count:
        return [list(_fewest_parts(tile, group, budget))]
    most = (
        min(budget.band_count, budget.byte_count // (block_byte_count * blocks))
        for blocks in range(1, _MANY_BLOCKS + 1)
    )
    counts = sorted({ceil(tile.band_count / each) for each in most if each})
    return [_even_parts(tile, count) for count in counts]


def _even_parts(tile: Tile, count: int) -> list[Tile]:
    return [
        replace(tile, first_band=tile.first_band + first, band_count=end - first)
        for first, end in evenly(tile.band_count, count)
    ]


def _fewest_parts(tile: Tile, group: BandGroup, budget: TileBudget) -> Iterator[Tile]:
    """Split bands only if one row of a block exceeds the budget with all of them."""
    strip = min(BLOCK_SIDE, tile.width)
    first, end = tile.first_band, tile.first_band + tile.band_count
    while first < end:
        count = byte_count = 0
        for band in group.bands[first : min(end, first + budget.band_count)]:
            byte_count += strip * bytes_per_pixel([band])
            if count and byte_count > budget.byte_count:
                break
            count += 1
        yield replace(tile, first_band=first, band_count=count)
        first += count


@dataclass(frozen=True)
class _Blocks:
    """The blocks of a tile along one axis; the first and the last may be incomplete.

    :param start: pixels from the raster's edge to the tile's first.
    :param length: the tile's pixels.
    """

    start: int
    length: int

    @property
    def count(self) -> int:
        """The number of blocks."""
        return ceil((self.start + self.length) / BLOCK_SIDE) - self.start // BLOCK_SIDE

    @property
    def largest(self) -> int:
        """The pixels of the largest block."""
        if self.count > 2:
            return BLOCK_SIDE
        return max(self.between(index, index + 1) for index in range(self.count))

    def edge(self, index: int) -> int:
        """Return how many pixels are before a block; ``index == count`` means all of them."""
        edge = (self.start // BLOCK_SIDE + index) * BLOCK_SIDE - self.start
        return min(max(edge, 0), self.length)

    def between(self, first: int, end: int) -> int:
        """Return the pixels of the blocks from ``first`` to before ``end``."""
        return self.edge(end) - self.edge(first)

    def parts_within(self, most: int) -> int:
        """Return into how many parts of at most ``most`` pixels to cut; 0 if a block has more."""
        if self.length <= most:
            return 1
        if self.largest > most:
            return 0
        blocks = max(1, most // BLOCK_SIDE)
        whole, over = divmod(self.count, blocks)
        # An incomplete last block may fit with those before it.
        fits = whole and over == 1 and self.between(self.count - 1 - blocks, self.count) <= most
        return whole + (over > 0) - bool(fits)


def _axes(tile: Tile) -> tuple[_Blocks, _Blocks]:
    return _Blocks(tile.column, tile.width), _Blocks(tile.row, tile.height)


def _cut_extent(tile: Tile, group: BandGroup, budget: TileBudget) -> Iterator[Tile]:
    """Yield the pieces of a tile whose bands stay together."""
    pixel_byte_count = bytes_per_pixel(tile.bands_of(group))
    pixels = budget.byte_count // pixel_byte_count
    if pixels == 0:
        raise PlanError(
            f"One pixel of {tile.band_count} bands is {pixel_byte_count:,} bytes, but a request "
            f"has at most {budget.byte_count:,}; request fewer bands."
        )
    columns, rows = _axes(tile)
    for first, end in pairwise(_shelves(columns, rows, pixels, budget.side)):
        height = rows.between(first, end)
        across = _across(columns, height, pixels, budget.side) or columns.count
        for left, right in evenly(columns.count, across):
            piece = replace(
                tile,
                column=tile.column + columns.edge(left),
                row=tile.row + rows.edge(first),
                width=columns.between(left, right),
                height=height,
            )
            yield from _cut_block(piece, pixels, budget.side)


def _cut_block(piece: Tile, pixels: int, side: int) -> Iterator[Tile]:
    """Yield the piece itself if it fits; otherwise it is one block: yield equal parts."""
    across = ceil(piece.width / min(side, pixels))
    down = ceil(piece.height / min(side, pixels // ceil(piece.width / across)))
    for top, bottom in evenly(piece.height, down):
        for left, right in evenly(piece.width, across):
            yield replace(
                piece,
                column=piece.column + left,
                row=piece.row + top,
                width=right - left,
                height=bottom - top,
            )


def _across(columns: _Blocks, height: int, pixels: int, side: int) -> int:
    """Return into how many tiles to cut a shelf; 0 if not even one of its blocks fits."""
    return columns.parts_within(min(side, pixels // height)) if height <= side else 0


@lru_cache(maxsize=64)  # Most parts of the bands have the same size.
def _shelves(columns: _Blocks, rows: _Blocks, pixels: int, side: int) -> tuple[int, ...]:
    """Return where shelves start and end, in rows of blocks: fewest tiles, then flattest shelves.

    If not even one block fits, each row is a shelf.
    """

    @cache
    def across(height: int) -> int:
        return _across(columns, height, pixels, side)

    def is_allowed(row_count: int, tiles: int) -> bool:
        is_flat = row_count <= _FLAT_SHELF_ROWS or row_count * columns.count <= _SMALL_SHELF_BLOCKS
        return tiles == 1 or (tiles > 1 and is_flat)

    if not across(rows.largest):
        return tuple(range(rows.count + 1))
    above = _repeated(rows.count, lambda count: across(count * BLOCK_SIDE), is_allowed)
    # For the rows above each edge: tiles, unevenness, start of the last shelf.
    best = {above[-1]: (0, 0, 0)}
    for end in range(above[-1] + 1, rows.count + 1):
        ways = []
        for first in range(end - 1, above[-1] - 1, -1):
            tiles = across(rows.between(first, end))
            if not is_allowed(end - first, tiles):
                break
            ways.append((best[first][0] + tiles, best[first][1] + (end - first) ** 2, first))
        best[end] = min(ways)
    edges = [rows.count]
    while edges[-1] > above[-1]:
        edges.append(best[edges[-1]][2])
    return (*above[:-1], *reversed(edges))


def _repeated(
    row_count: int, across: Callable[[int], int], is_allowed: Callable[[int, int], bool]
) -> list[int]:
    """Return the edges of the shelves of one height that a very high raster starts with."""
    if row_count <= _MOST_ROWS_SEARCHED:
        return [0]
    heights = [each for each in range(1, _MOST_ROWS_SEARCHED) if is_allowed(each, across(each))]
    height = min(heights, key=lambda each: across(each) / each)
    return list(range(0, row_count - _MOST_ROWS_SEARCHED + height, height))


def evenly(total: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each of ``count`` equal parts."""
    return pairwise(total * index // count for index in range(count + 1))
