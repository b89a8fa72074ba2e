"""Where blocks are in a COG follows from the lengths of their records, and from what is unused."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider.earthengine.download.raster.block_spool import BlockSpool
from airflow_provider.earthengine.download.raster.cog_layout import CogLayout

# 2 x 1 blocks of two bands, and an overview of one block of each.
LAYOUT = CogLayout(1000, 500, 2, "uint8")
START = 4096
# A record has its length before it, and repeats its last bytes.
LEADER, TRAILER = 4, 4


@pytest.mark.parametrize("gaps", [{}, {1: 100, 3: 7}], ids=["no gaps", "gaps"])
def test_blocks_follow_each_other_smallest_level_first(
    gaps: dict[int, int], tmp_path: Path
) -> None:
    contents = {
        level: [bytes([level, number]) * (10 + 3 * number + 50 * level) for number in range(count)]
        for level, count in ((1, 2), (0, 4))
    }
    file, expected = b"", {}
    for level in (1, 0):
        for number, content in enumerate(contents[level]):
            file += b"-" * (gaps.get(number, 0) if level == 0 else 0)
            expected[level, number] = START + len(file) + LEADER
            file += len(content).to_bytes(LEADER, "little") + content + content[-TRAILER:]
    with closing(BlockSpool(tmp_path / "spool", LAYOUT)) as spool:
        for level, blocks in contents.items():
            for number, content in enumerate(blocks):
                spool.add(level, number, content)
        places = spool.places_in_cog(START, gaps)
    for level, found in enumerate(places):
        # By band, and then by place; the file has all bands of a place together.
        by_band = [number for band in (0, 1) for number in range(band, len(contents[level]), 2)]
        assert list(found.offsets) == [expected[level, number] for number in by_band]
        assert list(found.byte_counts) == [len(contents[level][number]) for number in by_band]
