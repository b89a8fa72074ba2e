"""Blocks that come in pieces: whole once they are complete, and known by piece until then."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from airflow_provider.earthengine.download.raster.cog_layout import CogLayout
from airflow_provider.earthengine.download.raster.pending_blocks import BlockPlace, PendingBlocks

LAYOUT = CogLayout(900, 600, 2, "int16")
PIXELS = np.arange(512 * 512, dtype="int16").reshape(512, 512)


def quarter(top: int, left: int) -> dict[tuple[int, int], np.ndarray]:
    return {(top, left): PIXELS[top : top + 256, left : left + 256]}


def test_a_block_is_returned_by_the_piece_that_completes_it(tmp_path: Path) -> None:
    place = BlockPlace(0, 0, 0, 1)
    with closing(PendingBlocks(tmp_path / "pending", LAYOUT)) as pending:
        for top, left in ((256, 0), (0, 256), (256, 256)):
            assert pending.fill(place, quarter(top, left)) is None
        block = pending.fill(place, quarter(0, 0))
        assert list(pending.left_over()) == []
    np.testing.assert_array_equal(block, PIXELS)


def test_what_is_left_over_is_what_came_of_each_block(tmp_path: Path) -> None:
    one, two = BlockPlace(0, 0, 0, 0), BlockPlace(0, 0, 0, 1)
    with closing(PendingBlocks(tmp_path / "pending", LAYOUT)) as pending:
        pending.fill(one, quarter(0, 0))
        pending.fill(two, quarter(256, 0))
        pending.fill(one, quarter(0, 256))
        left = dict(pending.left_over())
        assert {place: sorted(pieces) for place, pieces in left.items()} == {
            one: [(0, 0), (0, 256)], two: [(256, 0)]
        }  # fmt: skip
        for pieces in left.values():
            for (top, start), pixels in pieces.items():
                np.testing.assert_array_equal(pixels, quarter(top, start)[top, start])


def test_the_space_of_a_complete_block_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "pending"
    with closing(PendingBlocks(path, LAYOUT)) as pending:
        for band in (0, 1):
            place = BlockPlace(0, 0, 0, band)
            for top, left in ((0, 0), (0, 256), (256, 0), (256, 256)):
                pending.fill(place, quarter(top, left))
        assert path.stat().st_size <= PIXELS.nbytes
