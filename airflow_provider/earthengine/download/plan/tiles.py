"""A tile, the piece of a raster that one request fetches, and its limits.

Arithmetic only: pixel extents are half-open, columns count from the left and rows from the top of
the grid that Earth Engine reported. Earth Engine's rule of which bytes count is here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from airflow_provider.earthengine.download.fields.download_limits import DownloadLimits
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.exceptions import RequestTooLargeError
from airflow_provider.earthengine.limits import (
    MASK_BYTES_PER_SAMPLE,
    MAX_BANDS,
    MAX_GRID_SIDE,
    MAX_REQUEST_BYTE_COUNT,
)

if TYPE_CHECKING:
    # It imports rasterio, and DAG files import this module on every parse.
    from airflow_provider.earthengine.download.plan.image_info import BandInfo

BLOCK_SIDE = 512
"""Pixels along one side of a block of the files that are made; tiles are whole blocks."""

# How often a tile that Earth Engine cannot compute is cut into four.
MAX_SPLIT_DEPTH = 3

_BYTES_PER_SAMPLE = {
    "uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "uint32": 4, "int32": 4, "float32": 4,
    "float64": 8,
}  # fmt: skip


@dataclass(frozen=True)
class TileBudget:
    """The limits of one tile; by default, those of Earth Engine for a request.

    The documentation of ``ee.Image.getDownloadURL`` still states less: 32 MB, 10,000 pixels along a
    side. Should that apply, Earth Engine refuses the first tiles and names its limits, and the
    remaining tiles are cut again. Source:
    https://developers.google.com/earth-engine/apidocs/ee-image-getdownloadurl, read 2025-08.

    :param byte_count: as Earth Engine accounts it, mask bytes included.
    :param side: pixels along one side.
    :param band_count: bands in one request.
    """

    byte_count: int = MAX_REQUEST_BYTE_COUNT
    side: int = MAX_GRID_SIDE
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
        """Return the tile cut into four, or into two if it is one pixel wide or high.

        Cuts are between blocks unless the pieces would differ too much.
        """
        left, top = _middle(self.column, self.width), _middle(self.row, self.height)
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


def _middle(start: int, length: int) -> int:
    """Return after how many pixels to cut an extent that starts at ``start`` in two."""
    middle = ceil(length / 2)
    edge = round((start + middle) / BLOCK_SIDE) * BLOCK_SIDE - start
    return edge if max(edge, length - edge) * 3 <= length * 2 else middle


def bytes_per_pixel(bands: Sequence[BandInfo]) -> int:
    """Return the bytes of all bands of one pixel, mask bytes included, as Earth Engine counts."""
    return sum(
        bytes_per_sample(band.dtype) + MASK_BYTES_PER_SAMPLE for band in bands
    )  # fmt: skip


def bytes_per_sample(dtype: str) -> int:
    """Return the size of one value, without its mask byte."""
    return _BYTES_PER_SAMPLE[dtype]
