"""Tiles cover a raster exactly once, break no limit, and are hardly more than there must be."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo
from airflow_provider.earthengine.download.plan.tiles import (
    BandGroup,
    Tile,
    TileBudget,
    bytes_per_pixel,
    cut_group,
    cut_tile,
)
from airflow_provider.earthengine.exceptions import PlanError, RequestTooLargeError

DTYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64")
TRANSFORM = (10.0, 0.0, 499980.0, 0.0, -10.0, 4200000.0)


def group(width: int, height: int, *dtypes: str) -> BandGroup:
    grid = PixelGrid("EPSG:32610", TRANSFORM, width, height)
    bands = tuple(BandInfo(f"b{index}", dtype, grid) for index, dtype in enumerate(dtypes))
    return BandGroup(bands, grid, tuple((0, index + 1) for index in range(len(bands))))


def whole(of: BandGroup) -> Tile:
    return Tile(0, 0, len(of.bands), 0, 0, of.grid.width, of.grid.height)


def assert_cover_once(tiles: list[Tile], extent: Tile) -> None:
    """Compare with the extent by corners: counting every pixel of a large one takes long."""
    assert sum(t.width * t.height * t.band_count for t in tiles) == (
        extent.width * extent.height * extent.band_count
    )
    columns = sorted({t.column for t in tiles} | {t.column + t.width for t in tiles})
    rows = sorted({t.row for t in tiles} | {t.row + t.height for t in tiles})
    assert (columns[0], columns[-1]) == (extent.column, extent.column + extent.width)
    assert (rows[0], rows[-1]) == (extent.row, extent.row + extent.height)
    bands = sorted({(t.first_band, t.band_count) for t in tiles})
    for first, count in bands:
        cells = np.zeros((len(rows) - 1, len(columns) - 1), dtype=int)
        for tile in tiles:
            if (tile.first_band, tile.band_count) == (first, count):
                top, bottom = rows.index(tile.row), rows.index(tile.row + tile.height)
                left, right = columns.index(tile.column), columns.index(tile.column + tile.width)
                cells[top:bottom, left:right] += 1
        assert (cells == 1).all()
    assert [first for first, _ in bands] == list(
        np.cumsum([extent.first_band, *(count for _, count in bands)])[:-1]
    )


@settings(max_examples=1000)
@given(
    width=st.integers(1, 40_000),
    height=st.integers(1, 40_000),
    dtypes=st.lists(st.sampled_from(DTYPES), min_size=1, max_size=20),
)
def test_tiles_cover_a_raster_once_within_the_budget_and_near_the_minimum(
    width: int, height: int, dtypes: list[str]
) -> None:
    of, budget = group(width, height, *dtypes), TileBudget()
    tiles = cut_group(0, of, budget)
    assert_cover_once(tiles, whole(of))
    assert all(budget.holds(tile, of) for tile in tiles)
    least = max(
        ceil(width * height * bytes_per_pixel(of.bands) / budget.byte_count),
        ceil(width / budget.side) * ceil(height / budget.side),
    )
    assert len(tiles) <= max(1.05 * least, least + 1)


@settings(max_examples=300)
@given(
    width=st.integers(1, 3_000),
    height=st.integers(1, 3_000),
    column=st.integers(0, 5_000),
    row=st.integers(0, 5_000),
    bands=st.integers(1, 8),
    budget=st.builds(
        TileBudget,
        byte_count=st.integers(20_000, 1_000_000),
        side=st.integers(100, 10_000),
        band_count=st.integers(1, 8),
    ),
)
def test_what_is_cut_again_covers_what_it_was_cut_from(
    width: int, height: int, column: int, row: int, bands: int, budget: TileBudget
) -> None:
    of = group(10_000, 10_000, *["uint16"] * bands)
    tile = Tile(0, 0, bands, column, row, width, height)
    pieces = cut_tile(tile, of, budget)
    assert_cover_once(pieces, tile)
    assert all(budget.holds(piece, of) for piece in pieces)


def test_columns_begin_where_blocks_begin() -> None:
    of = group(10_980, 10_980, *["uint16"] * 4)
    tiles = cut_group(0, of, TileBudget())
    assert {tile.column % 512 for tile in tiles} == {0}
    assert len(tiles) == 45


def test_bands_stay_together_until_a_strip_of_a_block_does_not_fit() -> None:
    of = group(600, 10, *["float64"] * 1000)
    assert {t.band_count for t in cut_group(0, of, TileBudget())} == {1000}
    # 512 pixels of 9 bytes for each of so many bands are a byte too many.
    small = TileBudget(byte_count=512 * 9 * 1000 - 1)
    assert sorted({t.band_count for t in cut_group(0, of, small)}) == [1, 999]
    many = group(600, 10, *["uint8"] * 1500)
    assert {t.band_count for t in cut_group(0, many, TileBudget())} == {1024, 476}


def test_a_pixel_that_fits_no_request_is_refused() -> None:
    with pytest.raises(PlanError, match=r"One pixel of 1 bands is 9 bytes, .* at most 8;"):
        cut_group(0, group(10, 10, "float64"), TileBudget(byte_count=8))


@given(width=st.integers(1, 100), height=st.integers(1, 100))
def test_quarters_cover_their_tile(width: int, height: int) -> None:
    tile = Tile(0, 0, 1, 7, 9, width, height, depth=1)
    pieces = list(tile.quarters())
    assert_cover_once(pieces, tile)
    assert {piece.depth for piece in pieces} == {2}
    assert len(pieces) == min(width, 2) * min(height, 2)


def test_a_refusal_lowers_the_budget_by_its_own_numbers() -> None:
    of = group(1000, 1000, "uint16")
    budget, tile = TileBudget(), whole(of)

    def lowered(**facts: int) -> TileBudget:
        return budget.lowered(tile, of, RequestTooLargeError("Too large.", **facts))  # type: ignore[arg-type]  # facts

    # Counted as we do: its limit. Counted as twice as much: half of its limit is ours.
    assert lowered(byte_count=3_000_000, max_byte_count=1_500_000).byte_count == 1_500_000
    assert lowered(byte_count=6_000_000, max_byte_count=3_000_000).byte_count == 1_500_000
    assert lowered(max_side=256) == TileBudget(byte_count=3_000_000, side=256)
    # Without numbers, half of what was refused.
    assert lowered().byte_count == 1_500_000


def test_a_tiles_grid_is_where_its_pixels_are() -> None:
    turned = PixelGrid("EPSG:32610", (8.0, 3.0, 520000.0, 3.0, -8.0, 4180000.0), 300, 200)
    window = turned.window(10, 20, 30, 40)
    assert (window.width, window.height) == (30, 40)
    assert window.corner(0, 0) == turned.corner(10, 20)
    assert window.corner(5, 6) == turned.corner(15, 26)


def test_a_grid_around_two_is_on_their_lattice() -> None:
    grid = PixelGrid("EPSG:32610", TRANSFORM, 100, 100)
    other = grid.window(-10, 50, 20, 200)
    assert grid.around(other) == grid.window(-10, 0, 110, 250)
    assert other.around(grid) == grid.window(-10, 0, 110, 250)
    shifted = PixelGrid("EPSG:32610", (10.0, 0.0, 499985.0, 0.0, -10.0, 4200000.0), 10, 10)
    assert grid.around(shifted) is None
