"""The committed page says what the matrix checks, and the matrix is whole."""

from __future__ import annotations

import re

from airflow_provider.earthengine.emulator.faults import DAMAGES, Damage
from tests.reliability import earthengine_cells, s3_cells
from tests.reliability.reliability_page import PAGE, PARTS, filled
from tests.reliability.s3_proxy import OPERATIONS
from tests.reliability.workplace import FORMATS


def test_the_page_has_the_tables_of_the_matrix() -> None:
    page = PAGE.read_text(encoding="utf-8")
    hint = "run `make reliability-page`, look at the difference, commit it"
    assert page == filled(page), hint


def test_the_figures_are_of_a_run_of_every_part_in_which_all_passed() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("<!-- figures: begin -->")[2]
    table = text.partition("<!-- figures: end -->")[0]
    rows = re.findall(r"^\| (.+) \| (\d+) \| (\d+) \| [\d.]+ s \|$", table, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(PARTS.values())
    assert [name for name, tests, passed in rows if tests != passed or tests == "0"] == []


def test_no_two_cells_have_one_name() -> None:
    cells = [*earthengine_cells.earthengine_cells(), *s3_cells.s3_cells()]
    assert len({cell.id for cell in cells}) == len(cells)


def test_every_fault_meets_every_stage_in_every_format() -> None:
    """What can happen to any answer of Earth Engine is not left out anywhere."""
    found = {
        (cell.fault_name, cell.stage.name, cell.file_format)
        for cell in earthengine_cells.earthengine_cells()
    }
    for fault in (*earthengine_cells.STATUSES, *earthengine_cells.WIRE):
        for stage in earthengine_cells.STAGES:
            assert {(fault, stage.name, each) for each in FORMATS} <= found
    damages = {
        fault.what for fault in earthengine_cells.FAULTS.values() if isinstance(fault, Damage)
    }
    assert damages == DAMAGES


def test_every_operation_of_the_store_is_a_stage() -> None:
    # The ninth, AbortMultipartUpload, is only sent after another failed.
    stages = {stage.operation for stage in s3_cells.STAGES}
    assert stages == OPERATIONS - {"AbortMultipartUpload"}
