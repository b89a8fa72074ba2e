"""Levels, blocks and bounds of a COG, from its shape alone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.download.raster.cog_layout import CogLayout
from airflow_provider.earthengine.exceptions import PlanError


@pytest.mark.parametrize(
    ("width", "height", "sizes"),
    [
        (1, 1, [(1, 1)]),
        (512, 512, [(512, 512)]),
        (513, 1, [(513, 1), (257, 1)]),
        (1025, 511, [(1025, 511), (513, 256), (257, 128)]),
        (3000, 5000, [(3000, 5000), (1500, 2500), (750, 1250), (375, 625), (188, 313)]),
    ],
)
def test_sides_are_halved_until_one_block_holds_the_raster(
    width: int, height: int, sizes: list[tuple[int, int]]
) -> None:
    levels = CogLayout(width, height, 3, "uint8").levels
    assert [(level.width, level.height) for level in levels] == sizes


@given(width=st.integers(1, 200_000), height=st.integers(1, 200_000))
def test_each_block_of_an_overview_is_made_of_four_at_most_below(width: int, height: int) -> None:
    levels = CogLayout(width, height, 1, "uint8").levels
    for below, above in pairwise(levels):
        assert above.blocks_across == (below.blocks_across + 1) // 2
        assert above.blocks_down == (below.blocks_down + 1) // 2
    assert levels[-1].block_count == 1


def test_overviews_are_a_third_of_the_full_resolution_at_most() -> None:
    layout = CogLayout(65_536, 65_536, 64, "float64")
    full, *overviews = (layout.max_byte_count(level) for level in range(len(layout.levels)))
    assert full >= 65_536**2 * 64 * 8
    assert sum(overviews) <= full / 3


@pytest.mark.parametrize(
    ("width", "height", "band_count"),
    [(1 << 31, 1, 1), (1, 1 << 31, 1), (1 << 24, 1 << 24, 3)],
)
def test_more_than_a_geotiff_holds_is_refused(width: int, height: int, band_count: int) -> None:
    with pytest.raises(PlanError, match="at most 2,147,483,647"):
        CogLayout(width, height, band_count, "uint8")
