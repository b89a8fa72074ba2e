"""The levels of a COG, their blocks, and the maximum length of the file.

Arithmetic only: all of it is known before the first pixel. A block holds 512 x 512 pixels of one
band, and the blocks of all bands at one place follow each other (GDAL's INTERLEAVE=TILE). A reader
of three out of thirteen bands fetches three blocks, a reader of all bands finds them in one range,
and no block holds more than 2 MiB of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.exceptions import PlanError

HALF_SIDE = BLOCK_SIDE // 2
"""The side that a block takes up in the next overview."""

LEADER_BYTE_COUNT = TRAILER_BYTE_COUNT = 4
"""Before each block its length, behind it its last bytes again: readers notice edits by them.

Source: https://gdal.org/en/stable/drivers/raster/cog.html#tile-data-leader-and-trailer, read
2026-11.
"""

# The share that zstd may add to noise; ISA-L adds less.
# Source: ZSTD_COMPRESSBOUND in https://facebook.github.io/zstd/zstd_manual.html, read 2026-11.
_NOISE_SHARE = 256
# GDAL counts the pixels along a side in 31 bits, and libtiff the blocks of a file.
_MAX_COUNT = (1 << 31) - 1


@dataclass(frozen=True)
class Level:
    """The full resolution or an overview, in pixels."""

    width: int
    height: int

    @property
    def blocks_across(self) -> int:
        """The number of columns of blocks."""
        return -(-self.width // BLOCK_SIDE)

    @property
    def blocks_down(self) -> int:
        """The number of rows of blocks."""
        return -(-self.height // BLOCK_SIDE)

    @property
    def block_count(self) -> int:
        """How many blocks a band has."""
        return self.blocks_across * self.blocks_down

    def halved(self) -> Level:
        """Return the next overview. An odd last column or row becomes one of its own."""
        return Level(-(-self.width // 2), -(-self.height // 2))

    def block_shape(self, column: int, row: int) -> tuple[int, int]:
        """Return the rows and columns of pixels in a block; fewer at the edges of the raster.

        :param column: of the block, in blocks; so is ``row``.
        """
        return (
            min(BLOCK_SIDE, self.height - row * BLOCK_SIDE),
            min(BLOCK_SIDE, self.width - column * BLOCK_SIDE),
        )


@dataclass(frozen=True)
class CogLayout:
    """The shape of a COG.

    :param dtype: numpy's name of the bands' type.
    :raises PlanError: if no GeoTIFF holds so many pixels or blocks.
    """

    width: int
    height: int
    band_count: int
    dtype: str

    def __post_init__(self) -> None:
        most = max(self.width, self.height, self.levels[0].block_count * self.band_count)
        if most > _MAX_COUNT:
            raise PlanError(
                f"A GeoTIFF has at most {_MAX_COUNT:,} pixels along a side and as many blocks; "
                f"{self.width} x {self.height} px of {self.band_count} bands are more. Use a "
                "coarser scale, fewer bands or a smaller region."
            )

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The full resolution first, then overviews until one fits into a block."""
        levels = [Level(self.width, self.height)]
        while max(levels[-1].width, levels[-1].height) > BLOCK_SIDE:
            levels.append(levels[-1].halved())
        return tuple(levels)

    @property
    def max_record_byte_count(self) -> int:
        """The maximum length of a block with its leader: noise gets a little longer than raw."""
        raw = BLOCK_SIDE * BLOCK_SIDE * np.dtype(self.dtype).itemsize
        return raw + raw // _NOISE_SHARE + LEADER_BYTE_COUNT + TRAILER_BYTE_COUNT

    def max_byte_count(self, level: int) -> int:
        """Return the maximum length of a level's blocks."""
        return self.levels[level].block_count * self.band_count * self.max_record_byte_count
