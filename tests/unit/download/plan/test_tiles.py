"""Tiles cover a raster exactly once, break no limit, and are hardly more than there must be."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider.earthengine.download.plan.cutting import cut_group, cut_tile
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo
from airflow_provider.earthengine.download.plan.tiles import (
    BandGroup,
    Tile,
    TileBudget,
)
from airflow_provider.earthengine.exceptions import PlanError, RequestTooLargeError
from tests.support.drawn import examples

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


MEBIBYTE = 1 << 20
# Bytes of a value and of its mask, as Earth Engine counts them.
COUNTED = {"uint8": 2, "int16": 3, "uint16": 3, "int32": 5, "float32": 5, "float64": 9}
SIDES = st.integers(1, 40_000) | st.integers(1, 3_000)


def counted(dtypes: list[str]) -> int:
    return sum(COUNTED[dtype] for dtype in dtypes)


def tiles_for_sides(width: int, height: int) -> int:
    """Return how many tiles there must be because no side may be longer than 32,768 pixels."""
    return ceil(width / 32_768) * ceil(height / 32_768)


def assert_are_whole_blocks(tiles: list[Tile], width: int, height: int) -> None:
    for tile in tiles:
        assert tile.column % 512 == tile.row % 512 == 0
        assert tile.width % 512 == 0 or tile.column + tile.width == width
        assert tile.height % 512 == 0 or tile.row + tile.height == height


def assert_are_parts_of_blocks(tiles: list[Tile]) -> None:
    for tile in tiles:
        assert tile.column // 512 == (tile.column + tile.width - 1) // 512
        assert tile.row // 512 == (tile.row + tile.height - 1) // 512


@examples(300)
@example(width=30_691, height=30_689, dtypes=["uint8"])
@example(width=30_873, height=30_794, dtypes=["uint8"])
@example(width=32_769, height=513, dtypes=["uint8", "int16"])
@given(
    width=SIDES,
    height=SIDES,
    dtypes=st.lists(st.sampled_from(sorted(COUNTED)), min_size=1, max_size=20),
)
def test_tiles_are_whole_blocks_that_cover_a_raster_once_and_hardly_more_than_there_must_be(
    width: int, height: int, dtypes: list[str]
) -> None:
    of = group(width, height, *dtypes)
    tiles = cut_group(0, of, TileBudget())
    assert_cover_once(tiles, whole(of))
    assert_are_whole_blocks(tiles, width, height)
    assert max(max(tile.width, tile.height) for tile in tiles) <= 32_768
    for tile in tiles:
        bands = dtypes[tile.first_band : tile.first_band + tile.band_count]
        assert tile.width * tile.height * counted(bands) <= 48 * MEBIBYTE
    blocks = ceil(width / 512) * ceil(height / 512)
    blocks_a_tile = 48 * MEBIBYTE // (512 * 512 * counted(dtypes))
    assert len(tiles) <= 1.25 * max(blocks / blocks_a_tile, tiles_for_sides(width, height)) + 1


@examples(100)
@example(width=902, height=2558, dtype="uint8", band_count=62)
@example(width=6658, height=851, dtype="int32", band_count=60)
@example(width=10_980, height=10_980, dtype="float64", band_count=64)
@given(
    width=SIDES,
    height=SIDES,
    dtype=st.sampled_from(sorted(COUNTED)),
    band_count=st.integers(1, 100),
)
def test_bands_of_one_type_take_at_most_twice_the_tiles_that_their_bytes_need(
    width: int, height: int, dtype: str, band_count: int
) -> None:
    of = group(width, height, *[dtype] * band_count)
    tiles = cut_group(0, of, TileBudget())
    assert_cover_once(tiles, whole(of))
    assert_are_whole_blocks(tiles, width, height)
    least = ceil(width * height * COUNTED[dtype] * band_count / (48 * MEBIBYTE))
    assert len(tiles) <= 2 * max(least, tiles_for_sides(width, height))


@pytest.mark.parametrize(
    ("side", "dtypes", "tile_count", "least"),
    [
        (30_691, ["uint8"], 38, 38),
        (10_980, ["uint16"] * 4, 30, 29),
        (10_980, ["uint16"] * 13, 116, 94),
        (7_681, ["uint16"] * 7, 25, 25),
        (10_980, ["float32"] * 24, 316, 288),
        (10_980, ["float64"] * 64, 1653, 1380),
        (300, ["float64"] * 64, 2, 2),
        (513, ["float64"] * 21, 1, 1),
    ],
)
def test_rasters_that_there_are_take_so_many_tiles(
    side: int, dtypes: list[str], tile_count: int, least: int
) -> None:
    assert least == ceil(side * side * counted(dtypes) / (48 * MEBIBYTE))
    assert len(cut_group(0, group(side, side, *dtypes), TileBudget())) == tile_count


@pytest.mark.slow
@examples(150)
@example(  # two blocks side by side, each higher than a side may be long
    width=2, height=101, column=511, row=0, dtypes=["uint16"], budget=TileBudget(20_000, 100, 1)
)
@given(
    width=st.integers(1, 3_000),
    height=st.integers(1, 3_000),
    column=st.integers(0, 5_000),
    row=st.integers(0, 5_000),
    dtypes=st.lists(st.sampled_from(["uint16", "float64"]), min_size=1, max_size=8),
    budget=st.builds(
        TileBudget,
        byte_count=st.integers(20_000, 20_000_000),
        side=st.integers(100, 10_000),
        band_count=st.integers(1, 8),
    ),
)
def test_what_is_cut_again_covers_what_it_was_cut_from_in_whole_blocks_or_parts_of_one(
    width: int, height: int, column: int, row: int, dtypes: list[str], budget: TileBudget
) -> None:
    of = group(10_000, 10_000, *dtypes)
    tile = Tile(0, 0, len(dtypes), column, row, width, height)
    pieces = cut_tile(tile, of, budget)
    assert_cover_once(pieces, tile)
    assert all(budget.holds(piece, of) for piece in pieces)
    for piece in pieces:
        ends = [
            (piece.column, column, column + width),
            (piece.column + piece.width, column, column + width),
            (piece.row, row, row + height),
            (piece.row + piece.height, row, row + height),
        ]
        if any(end % 512 and end not in (first, last) for end, first, last in ends):
            assert_are_parts_of_blocks([piece])


@pytest.mark.slow
def test_a_raster_of_one_pixel_by_any_number_is_cut_too() -> None:
    for width, height in ((2**31 - 1, 1), (1, 2**31 - 1)):
        tiles = cut_group(0, group(width, height, "uint8"), TileBudget())
        assert len(tiles) == 2**31 // 32_768
        assert sum(tile.width * tile.height for tile in tiles) == 2**31 - 1


def test_bands_of_one_type_part_before_a_block_does() -> None:
    of = group(1024, 1024, *["float64"] * 64)
    tiles = cut_group(0, of, TileBudget())
    assert {(tile.width, tile.height, tile.band_count) for tile in tiles} == {(512, 512, 16)}
    assert len(tiles) == 16


def test_bands_of_unlike_types_stay_together_in_parts_of_a_block() -> None:
    of = group(1024, 1024, *["float64", "float32"] * 32)
    tiles = cut_group(0, of, TileBudget())
    assert_cover_once(tiles, whole(of))
    assert {(tile.width, tile.height, tile.band_count) for tile in tiles} == {
        (512, 170, 64),
        (512, 171, 64),
    }


def test_bands_stay_together_until_a_strip_of_a_block_does_not_fit() -> None:
    of = group(600, 10, *["float64", "float32"] * 500)
    assert {t.band_count for t in cut_group(0, of, TileBudget())} == {1000}
    # 512 pixels of 9 and 5 bytes for each two of so many bands are a byte too many.
    small = TileBudget(byte_count=512 * 7 * 1000 - 1)
    assert sorted({t.band_count for t in cut_group(0, of, small)}) == [1, 999]
    many = group(600, 10, *["uint8"] * 1500)
    assert {t.band_count for t in cut_group(0, many, TileBudget())} == {750}


def test_a_pixel_that_fits_no_request_is_refused() -> None:
    with pytest.raises(PlanError, match=r"One pixel of 1 bands is 9 bytes, .* at most 8;"):
        cut_group(0, group(10, 10, "float64"), TileBudget(byte_count=8))


@examples(100)
@given(
    column=st.integers(0, 2_000),
    row=st.integers(0, 2_000),
    width=st.integers(1, 100) | st.integers(1, 10_000),
    height=st.integers(1, 100) | st.integers(1, 10_000),
)
def test_quarters_cover_their_tile(column: int, row: int, width: int, height: int) -> None:
    tile = Tile(0, 0, 1, column, row, width, height, depth=1)
    pieces = list(tile.quarters())
    assert_cover_once(pieces, tile)
    assert {piece.depth for piece in pieces} == {2}
    assert len(pieces) == min(width, 2) * min(height, 2)
    assert max(piece.width for piece in pieces) <= max(1, ceil(width * 2 / 3))
    assert max(piece.height for piece in pieces) <= max(1, ceil(height * 2 / 3))


def test_quarters_of_several_blocks_are_whole_blocks() -> None:
    pieces = Tile(0, 0, 1, 1024, 512, 3 * 512, 2 * 512).quarters()
    assert_are_whole_blocks(list(pieces), 5 * 512, 3 * 512)
    assert {(piece.width, piece.height) for piece in pieces} == {(512, 512), (1024, 512)}


def test_a_refusal_lowers_the_budget_by_its_own_numbers() -> None:
    of = group(1000, 1000, "uint16")
    budget, tile = TileBudget(), whole(of)

    def lowered(**facts: int) -> TileBudget:
        return budget.lowered(tile, of, RequestTooLargeError("Too large.", **facts))  # type: ignore[arg-type]  # facts

    # Counted as we do: its limit. Counted as twice as much: half of its limit is ours.
    assert lowered(byte_count=3_000_000, max_byte_count=1_500_000).byte_count == 1_500_000
    assert lowered(byte_count=6_000_000, max_byte_count=3_000_000).byte_count == 1_500_000
    assert lowered(max_side=256) == TileBudget(byte_count=3_000_000, side=256)
    # Counted as less than ours: all of its limit, and not more.
    assert lowered(byte_count=1_000_000, max_byte_count=900_000).byte_count == 900_000
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
