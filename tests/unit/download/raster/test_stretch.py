"""A stretch of a COG is the same bytes, however it is cut and read."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest

from airflow_provider.earthengine.download.raster.stretch import Stretch

# Records of 0 to 999 bytes, in another order on disk than in the file.
RANDOM = random.Random(7)
RECORDS = [RANDOM.randbytes(RANDOM.randrange(1_000)) for _ in range(40)]
ORDER = RANDOM.sample(range(len(RECORDS)), len(RECORDS))
DISK = b"".join(RECORDS[number] for number in ORDER)
PLACES = {
    number: sum(len(RECORDS[each]) for each in ORDER[:index]) for index, number in enumerate(ORDER)
}
HEAD, ZEROS = RANDOM.randbytes(77), bytes(501)
WHOLE = HEAD + b"".join(RECORDS) + ZEROS


@pytest.fixture
def stretch() -> Stretch:
    return Stretch(
        lambda place, byte_count: DISK[place : place + byte_count],
        HEAD,
        np.array([PLACES[number] for number in range(len(RECORDS))]),
        np.array([len(record) for record in RECORDS]),
        len(WHOLE),
    )


@pytest.mark.parametrize("part_count", [1, 2, 3, 7, 100])
def test_parts_are_all_bytes_in_their_order(stretch: Stretch, part_count: int) -> None:
    parts = [stretch.open(*bounds).read() for bounds in stretch.cut(part_count)]
    assert b"".join(parts) == WHOLE
    assert len(parts) == part_count
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("start", [0, 76, 77, 78, 5_000, len(WHOLE) - 501, len(WHOLE) - 1])
def test_a_part_can_be_sent_again_from_any_place(stretch: Stretch, start: int) -> None:
    """As the S3 client does: it asks how long a body is, and goes back."""
    part = stretch.open(start, len(WHOLE))
    assert part.seek(0, io.SEEK_END) == len(WHOLE) - start
    for _ in range(2):
        part.seek(0)
        assert part.tell() == 0
        assert part.read() == WHOLE[start:]
    part.seek(1)
    assert part.read(10) == WHOLE[start + 1 : start + 11]


def test_without_records_there_are_head_and_zeros() -> None:
    nothing = np.zeros(0, np.int64)
    stretch = Stretch(lambda *_: b"", b"head", nothing, nothing, 10)
    assert stretch.open(0, 10).read() == b"head" + bytes(6)
