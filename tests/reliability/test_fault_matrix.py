"""Every fault at every stage in every format ends as it shall, and leaves nothing behind."""

from __future__ import annotations

import time

import pytest

from tests.reliability.cells import Cell
from tests.reliability.earthengine_cells import UNDETECTABLE, earthengine_cells
from tests.reliability.s3_cells import left_uploads, s3_cells, writes_item
from tests.reliability.workplace import (
    STORED,
    Workplace,
    assert_item_is_true,
    assert_right_bytes,
)

pytestmark = pytest.mark.slow

# Of a machine that may be busy; each wait for what stays silent is a second here, minutes in use.
CELL_SECONDS = 60.0
EARTH_ENGINE = earthengine_cells()
S3 = s3_cells()


@pytest.mark.parametrize("cell", EARTH_ENGINE, ids=lambda cell: cell.id)
def test_a_fault_of_earth_engine_ends_as_it_shall(workplace: Workplace, cell: Cell) -> None:
    before = workplace.begin()
    started = time.monotonic()
    with workplace.emulator.fault(
        cell.stage.operation, cell.fault, times=cell.times, skip=cell.stage.skip  # type: ignore[arg-type]  # one of the emulator's
    ):  # fmt: skip
        outcome = workplace.attempt(cell.file_format)
    assert outcome == cell.expected
    assert time.monotonic() - started < CELL_SECONDS
    objects = workplace.objects()
    assert_item_is_true(objects)
    assert workplace.open_upload_count() == 0
    workplace.assert_nothing_is_left(before)
    if outcome != STORED:
        assert objects == {}
        assert workplace.attempt(cell.file_format) == STORED
    if (cell.fault_name, cell.file_format) not in UNDETECTABLE or cell.stage.name != "get pixels":
        assert_right_bytes(workplace.objects(), cell.file_format)


@pytest.mark.parametrize("cell", S3, ids=lambda cell: cell.id)
def test_a_fault_of_the_store_ends_as_it_shall(workplace: Workplace, cell: Cell) -> None:
    if cell.stage.replaces:
        workplace.put_older_download(cell.file_format)
    before = workplace.begin(keep_session=True)
    started = time.monotonic()
    with workplace.proxy.fault(
        cell.stage.operation, cell.fault, times=cell.times, skip=cell.stage.skip, sticks=True  # type: ignore[arg-type]  # one of the proxy's
    ):  # fmt: skip
        outcome = workplace.attempt(cell.file_format)
    assert outcome == cell.expected
    assert time.monotonic() - started < CELL_SECONDS
    objects = workplace.objects()
    assert_item_is_true(objects)
    assert workplace.open_upload_count() in left_uploads(cell)
    workplace.assert_nothing_is_left(before, keep_session=True)
    if outcome != STORED:
        is_new = workplace.has_item_of_now(cell.file_format)
        assert is_new == writes_item(cell)
        assert workplace.has_older_item(cell.file_format) == cell.stage.replaces
        assert workplace.attempt(cell.file_format) == STORED
    assert_right_bytes(workplace.objects(), cell.file_format)
