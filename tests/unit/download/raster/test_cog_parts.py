"""The parts of a COG are what S3 takes, and the file is their bytes, whatever it compresses to."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.download.raster import cog_parts
from airflow_provider.earthengine.download.raster.block_spool import BlockSpool
from airflow_provider.earthengine.download.raster.cog_layout import CogLayout
from airflow_provider.earthengine.download.raster.cog_parts import (
    CogParts,
    PartPlan,
    cut,
    plan_parts,
)
from airflow_provider.earthengine.download.raster.cog_writer import CogWriter
from airflow_provider.earthengine.exceptions import PlanError
from tests.support.drawn import examples
from tests.unit.download.raster.written_cogs import (
    Array,
    CollectedParts,
    description_of,
    opened,
    same_bits,
    tiles_of,
    write_cog,
)

MEBIBYTE = 1 << 20
MIN_PART, MAX_PART, MAX_PARTS = 5 * MEBIBYTE, 5 << 30, 10_000


def assert_legal(sink: CollectedParts) -> None:
    """Check the parts by S3's rules: numbers without a gap, and 5 MiB in all but the last."""
    assert sorted(sink.parts) == list(range(1, len(sink.parts) + 1))
    sizes = [len(sink.parts[number]) for number in sorted(sink.parts)]
    assert all(size >= MIN_PART for size in sizes[:-1])
    assert max(sizes) < 40 * MEBIBYTE


def noise(band_count: int, height: int, width: int) -> Array:
    return np.random.default_rng(0).integers(0, 256, (band_count, height, width), "uint8")


def test_parts_are_sent_while_tiles_still_arrive(tmp_path: Path) -> None:
    pixels = noise(2, 4096, 5120)
    sink = CollectedParts()
    writer = CogWriter(description_of(pixels), "none", tmp_path, sink)
    sent = []
    for tile in tiles_of(pixels, columns=10, rows=1):
        writer.write_tile(tile.column, tile.row, tile.first_band, tile.of(pixels))
        sent.append(len(sink.parts))
    cog = writer.finish()
    writer.close()
    assert sent[0] == 0
    assert 0 < sent[3] < sent[-1] < cog.part_count
    assert 1 not in sink.numbers[: sent[-1]]
    assert_legal(sink)
    assert cog.part_count == len(sink.parts)
    assert cog.byte_count == len(sink.file)
    assert cog.sha256 == hashlib.sha256(sink.file).hexdigest()
    with opened(sink.file) as dataset:
        assert same_bits(dataset.read(), pixels)


def test_the_first_tiles_may_come_last(tmp_path: Path) -> None:
    pixels = noise(1, 6144, 6144)
    wanted, cog = write_cog(pixels, tmp_path, "none")
    got, again = write_cog(pixels, tmp_path, "none", tiles=tiles_of(pixels)[::-1], threads=2)
    assert again == cog
    assert got.parts == wanted.parts
    assert_legal(got)


@pytest.mark.slow
@pytest.mark.parametrize("height", [2560, 3072, 4096, 4608, 5120, 5632])
def test_a_file_of_any_length_is_cut_legally(height: int, tmp_path: Path) -> None:
    """From one that is sent whole to one whose first parts hold little of full resolution."""
    pixels = noise(1, height, 5120)
    sink, cog = write_cog(pixels, tmp_path, "none")
    assert (sink.whole is not None) == (cog.byte_count < 16 * MEBIBYTE)
    assert cog.part_count == len(sink.parts)
    assert_legal(sink) if sink.parts else None
    assert cog.sha256 == hashlib.sha256(sink.file).hexdigest()


def test_a_raster_that_compresses_to_nothing_is_not_filled_up(tmp_path: Path) -> None:
    sink, cog = write_cog(np.zeros((4, 6144, 6144), "uint8"), tmp_path)
    assert sink.whole is not None
    assert cog.byte_count < MEBIBYTE


def test_what_the_sink_raises_ends_the_cog(tmp_path: Path) -> None:
    class Refusing(CollectedParts):
        def send_part(self, number: int, content: bytearray) -> None:
            raise ConnectionError("refused")

    with pytest.raises(ConnectionError, match="refused"):
        write_cog(noise(1, 5120, 6144), tmp_path, "none", sink=Refusing())


def test_nobody_waits_for_the_digest_of_what_could_not_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digested = 0

    class SlowDigest:
        def update(self, _: object) -> None:
            nonlocal digested
            digested += 1
            time.sleep(0.05)

        def hexdigest(self) -> str:
            return ""

    class Refusing(CollectedParts):
        def send_part(self, number: int, content: bytearray) -> None:
            if number == 1:
                raise ConnectionError("refused")

    monkeypatch.setattr(cog_parts, "hashlib", SimpleNamespace(sha256=SlowDigest))
    with pytest.raises(ConnectionError, match="refused"):
        write_cog(noise(1, 5120, 6144), tmp_path, "none", sink=Refusing())
    assert digested < 120


@examples(400)
@given(full=st.integers(1, 12 << 40), share=st.floats(0, 0.4))
def test_any_plan_is_one_that_s3_takes(full: int, share: float) -> None:
    head = 1000 + int(full * share)
    plan = plan_parts(head, full)
    parts = plan.head_part_count + full // plan.part_byte_count + 1
    assert parts <= MAX_PARTS
    assert plan.part_byte_count >= MIN_PART
    # At its longest, with one block more than it was to hold.
    longest_head = head + plan.held_byte_count + 3 * MEBIBYTE
    assert longest_head / plan.head_part_count <= MAX_PART
    assert plan.held_byte_count / plan.head_part_count >= MIN_PART
    if full < 50 << 30:
        assert plan.part_byte_count == 8 * MEBIBYTE
        assert longest_head / plan.head_part_count <= 32 * MEBIBYTE


def test_what_no_upload_holds_is_not_begun() -> None:
    with pytest.raises(PlanError, match="10,000 parts of an upload"):
        plan_parts(8 << 40, 24 << 40)


def test_more_than_ten_thousand_parts_make_each_longer() -> None:
    hundred_gibibytes = 100 << 30
    plan = plan_parts(hundred_gibibytes // 3, hundred_gibibytes)
    assert 8 * MEBIBYTE < plan.part_byte_count < 16 * MEBIBYTE


@pytest.mark.slow
@pytest.mark.parametrize("plan", [PartPlan(1, 2 * MEBIBYTE), PartPlan(2, 9 * MEBIBYTE)])
@pytest.mark.parametrize("block_count", [3, 7, 30])
def test_a_file_that_is_sent_again_has_the_same_parts(
    plan: PartPlan, block_count: int, tmp_path: Path
) -> None:
    spool = BlockSpool(tmp_path / "blocks", CogLayout(512 * block_count, 512, 1, "float64"))
    first, again = CollectedParts(), CollectedParts()
    parts = CogParts(spool, plan, first)
    for level in range(spool.level_count):
        for number in range(spool.block_count(level)):
            spool.add(level, number, bytes([level, number]) * (MEBIBYTE >> level))
            parts.send_ready()
    sent = parts.finish(b"header")
    parts.send_again(b"header", again)
    spool.close()
    assert (again.whole, again.parts) == (first.whole, first.parts)
    assert hashlib.sha256(again.file).hexdigest() == sent.sha256


@examples(200)
@given(
    lengths=st.lists(st.integers(0, 50), min_size=1, max_size=30),
    part_count=st.integers(1, 12),
)
def test_cutting_keeps_every_byte_in_equal_parts(lengths: list[int], part_count: int) -> None:
    pieces = [bytes([index] * length) for index, length in enumerate(lengths)]
    parts = list(cut(pieces, sum(lengths), part_count))
    assert b"".join(parts) == b"".join(pieces)
    assert len(parts) == part_count
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_part_waits_for_every_block_before_it(tmp_path: Path) -> None:
    layout = CogLayout(512 * 6, 512, 1, "float64")
    spool = BlockSpool(tmp_path / "blocks", layout)
    sink = CollectedParts()
    parts = CogParts(spool, PartPlan(1, 4 * MEBIBYTE), sink)
    sent = []
    for number in (0, 1, 3, 5, 4, 2):
        spool.add(0, number, bytes([number]) * (3 * MEBIBYTE))
        parts.send_ready()
        sent.append(len(sink.parts))
    spool.close()
    assert sent == [0, 0, 0, 0, 0, 2]
    assert [part[4] for part in sink.parts.values()] == [2, 4]
