"""What the writer refuses, and what it takes of memory and disk while it works."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from airflow_provider.earthengine.download.raster.cog_writer import CogWriter
from airflow_provider.earthengine.exceptions import (
    PlanError,
    RasterMismatchError,
)
from tests.unit.download.raster.written_cogs import CollectedParts, description_of, tiles_of

ZEROS = np.zeros((2, 600, 700), "uint16")


class Dropped:
    """A sink that keeps nothing."""

    def send_part(self, number: int, content: bytearray) -> None: ...

    def send_whole(self, content: bytearray) -> None: ...


@pytest.mark.parametrize(
    ("column", "row", "first_band", "shape"),
    [
        (0, 0, 0, (2, 600, 701)),
        (1, 0, 0, (2, 600, 700)),
        (0, 1, 0, (2, 600, 700)),
        (0, 0, 1, (2, 600, 700)),
        (0, 0, -1, (1, 600, 700)),
        (0, 1024, 0, (2, 512, 512)),
        (512, 0, 0, (2, 0, 188)),
    ],
)
def test_a_tile_that_is_not_inside_the_raster_is_refused(
    column: int, row: int, first_band: int, shape: tuple[int, int, int], tmp_path: Path
) -> None:
    writer = CogWriter(description_of(ZEROS), "zstd", tmp_path, Dropped())
    with pytest.raises(ValueError, match="is not inside the COG"):
        writer.write_tile(column, row, first_band, np.zeros(shape, "uint16"))
    writer.close()


def test_a_tile_of_another_dtype_is_a_mismatch(tmp_path: Path) -> None:
    writer = CogWriter(description_of(ZEROS), "zstd", tmp_path, Dropped())
    with pytest.raises(RasterMismatchError) as raised:
        writer.write_tile(0, 0, 0, ZEROS.astype("int16"))
    writer.close()
    facts = raised.value.facts
    assert (facts["field"], facts["wanted"], facts["got"]) == ("dtype", "uint16", "int16")


def test_a_block_is_written_once(tmp_path: Path) -> None:
    writer = CogWriter(description_of(ZEROS), "zstd", tmp_path, Dropped())
    writer.write_tile(0, 0, 0, ZEROS)
    with pytest.raises(ValueError, match="written before"):
        writer.write_tile(512, 0, 1, ZEROS[1:, :512, 512:])
    writer.close()


def test_a_cog_with_a_hole_is_not_finished(tmp_path: Path) -> None:
    sink = CollectedParts()
    writer = CogWriter(description_of(ZEROS), "zstd", tmp_path, sink)
    writer.write_tile(0, 0, 0, ZEROS[:, :, :512])
    writer.write_tile(512, 0, 0, ZEROS[:1, :, 512:])
    with pytest.raises(ValueError, match="not written"):
        writer.finish()
    writer.close()
    assert sink.whole is None
    assert not sink.parts


@pytest.mark.slow
def test_what_cannot_be_written_is_refused_before_any_pixel(tmp_path: Path) -> None:
    with pytest.raises(PlanError):
        CogWriter(
            description_of(np.broadcast_to(ZEROS[:1, :1, :1], (8, 1 << 21, 1 << 21))),
            "none",
            tmp_path,
            Dropped(),
        )
    assert not list(tmp_path.iterdir())


def test_memory_holds_a_few_parts_of_a_long_raster(tmp_path: Path) -> None:
    row = np.arange(4096, dtype="uint8")
    pixels = np.broadcast_to(row, (4, 10_240, 4096))
    writer = CogWriter(description_of(pixels), "none", tmp_path, Dropped())
    tracemalloc.start()
    for tile in tiles_of(pixels):
        writer.write_tile(tile.column, tile.row, tile.first_band, tile.of(pixels))
    cog = writer.finish()
    writer.close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert cog.byte_count > 200 << 20
    assert peak < 60 << 20


def test_scratch_holds_what_is_stored_and_little_more(tmp_path: Path) -> None:
    pixels = np.zeros((2, 6144, 2048), "uint16")
    pixels[:] = np.random.default_rng(0).integers(0, 1 << 16, pixels.shape)
    writer = CogWriter(description_of(pixels), "deflate", tmp_path, Dropped())
    most = 0
    for tile in tiles_of(pixels, columns=1, rows=1):
        writer.write_tile(tile.column, tile.row, tile.first_band, tile.of(pixels))
        most = max(most, sum(path.stat().st_size for path in tmp_path.iterdir()))
    cog = writer.finish()
    writer.close()
    assert most <= cog.byte_count + pixels.nbytes / 8
