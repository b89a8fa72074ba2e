"""Arrays -> COGs in memory, and what a COG must hold, computed independently of the writer."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.raster.cog_parts import SentCog
from airflow_provider.earthengine.download.raster.cog_tags import CogDescription
from airflow_provider.earthengine.download.raster.cog_writer import CogWriter

Array = npt.NDArray[Any]

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
BLOCK = 512
NORTH_UP = (30.0, 0.0, 300000.0, 0.0, -30.0, 9120000.0)


@dataclass
class CollectedParts:
    """A sink that keeps everything, with what it was sent in order."""

    parts: dict[int, bytes] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    whole: bytes | None = None

    def send_part(self, number: int, content: bytearray) -> None:
        assert number not in self.parts
        self.parts[number] = bytes(content)
        self.numbers.append(number)

    def send_whole(self, content: bytearray) -> None:
        assert self.whole is None
        self.whole = bytes(content)

    @property
    def file(self) -> bytes:
        """The object that the store would have."""
        if self.whole is not None:
            assert not self.parts
            return self.whole
        return b"".join(self.parts[number] for number in range(1, len(self.parts) + 1))


@dataclass(frozen=True)
class Tile:
    column: int
    row: int
    first_band: int
    width: int
    height: int
    band_count: int

    def of(self, pixels: Array) -> Array:
        """Return the tile's pixels of a whole raster's."""
        return pixels[
            self.first_band : self.first_band + self.band_count,
            self.row : self.row + self.height,
            self.column : self.column + self.width,
        ]


def tiles_of(pixels: Array, columns: int = 2, rows: int = 3, bands: int = 99) -> list[Tile]:
    """Cover a raster with tiles of so many blocks and bands."""
    band_count, height, width = pixels.shape
    return [
        Tile(
            column,
            row,
            band,
            min(columns * BLOCK, width - column),
            min(rows * BLOCK, height - row),
            min(bands, band_count - band),
        )
        for row in range(0, height, rows * BLOCK)
        for column in range(0, width, columns * BLOCK)
        for band in range(0, band_count, bands)
    ]


def description_of(pixels: Array, **facts: Any) -> CogDescription:
    """Describe a raster in UTM, north up, without nodata, unless told otherwise."""
    band_count, height, width = pixels.shape
    grid = PixelGrid("EPSG:32725", facts.pop("transform", NORTH_UP), width, height)
    names = facts.pop("band_names", tuple(f"B{index}" for index in range(1, band_count + 1)))
    return CogDescription(
        grid,
        facts.pop("crs", CRS.from_epsg(32725)),
        pixels.dtype.name,
        facts.pop("nodata", None),
        names,
        **facts,
    )


def write_cog(
    pixels: Array,
    directory: Path,
    compression: str = "deflate",
    *,
    tiles: Sequence[Tile] | None = None,
    threads: int = 1,
    sink: CollectedParts | None = None,
    **facts: Any,
) -> tuple[CollectedParts, SentCog]:
    """Write a raster, tile by tile; return what the sink has and what the writer says of it."""
    sink = sink or CollectedParts()
    writer = CogWriter(description_of(pixels, **facts), compression, directory, sink)
    try:
        with ThreadPoolExecutor(threads) as pool:
            for future in [
                pool.submit(
                    writer.write_tile, tile.column, tile.row, tile.first_band, tile.of(pixels)
                )
                for tile in (tiles_of(pixels) if tiles is None else tiles)
            ]:
                future.result()
        return sink, writer.finish()
    finally:
        writer.close()
        assert not list(directory.iterdir())


def shuffled(tiles: Sequence[Tile], seed: int) -> list[Tile]:
    """Return the tiles in another order, the same for the same seed."""
    return random.Random(seed).sample(tiles, len(tiles))


@contextmanager
def opened(file: bytes, level: int | None = None) -> Iterator[Any]:
    """Open a COG, or one of its overviews, as rasterio's dataset."""
    options = {} if level is None else {"overview_level": level}
    with MemoryFile(file, ext=".tif") as memory, rasterio.open(memory.name, **options) as dataset:
        yield dataset


def same_bits(left: Array, right: Array) -> bool:
    """Compare bit by bit: NaN equals itself only with the same payload, and -0.0 is not 0.0."""
    return left.dtype == right.dtype and left.tobytes() == right.tobytes()


@np.errstate(invalid="ignore")  # Any bits are drawn, and of a signalling NaN numpy warns.
def expected_half(pixels: Array, nodata: float | None = None) -> Array:
    """Halve (bands, rows, columns), one pixel after the other of each 2 x 2, in double precision.

    Floats are averaged over valid pixels, whole numbers are the upper left pixel's.
    """
    if pixels.dtype.kind != "f":
        return pixels[:, ::2, ::2]
    _, rows, columns = pixels.shape
    edges = ((0, 0), (0, rows % 2), (0, columns % 2))
    padded = np.pad(pixels.astype(np.float64), edges, constant_values=np.nan)
    padded[padded == -np.inf] = np.nan
    if nodata is not None:
        padded[padded == nodata] = np.nan
    four = np.stack([padded[:, y::2, x::2] for y in (0, 1) for x in (0, 1)])
    counts = (~np.isnan(four)).sum(axis=0)
    fill = np.nan if nodata is None else nodata
    shares = np.maximum(counts, 1) / 4  # Of a quarter each: the sum of huge numbers overflows.
    means = np.where(counts > 0, np.nansum(four / 4, axis=0) / shares, fill)
    return means.astype(pixels.dtype)
