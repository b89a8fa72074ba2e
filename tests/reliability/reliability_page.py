"""The tables of docs/reliability.md: the cells of the fault matrix, and the figures of a run.

``make reliability-page`` writes the current matrix into the page, and the figures of the last
``make test-slow``, if there was one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.reliability import model_page
from tests.reliability.cells import ALWAYS, ONCE, Cell
from tests.reliability.earthengine_cells import earthengine_cells
from tests.reliability.s3_cells import s3_cells
from tests.reliability.workplace import FORMATS, STORED

_PROJECT = Path(__file__).parent.parent.parent
PAGE = _PROJECT / "docs" / "reliability.md"
REPORT = _PROJECT / "build" / "test-slow.xml"
"""The JUnit report of ``make test-slow``."""
FIGURES = "figures"
# The name of a row of the figures, by the test's module.
PARTS = {
    "test_fault_matrix": "fault matrix",
    "test_crash_stages": "task killed with SIGKILL, at every stage",
    "test_crash_races": "16 attempts at once; an old attempt beside its retry",
    "test_crash_stack": "under a scheduler: supervisor killed, task marked as failed",
    "test_s3_faults": "S3 server killed with SIGKILL",
    "test_hostile_bodies": "5,000 randomly damaged bodies",
    "test_secrets_endurance": "1,000 downloads in one process",
}
_NAMES = dict(zip(FORMATS, ("GeoTIFF", "per band", "NPY"), strict=True))
_BEGIN, _END = "<!-- {}: begin -->", "<!-- {}: end -->"


def tables() -> dict[str, str]:
    """Return the text between each pair of marks."""
    earth_engine, s3 = earthengine_cells(), s3_cells()
    return {
        "counts": _counts(earth_engine, s3),
        "earth-engine": _table(earth_engine),
        "object-store": _table(s3),
    }


def filled(page: str) -> str:
    """Return the page with the tables of the current matrix."""
    for name, text in tables().items():
        page = replaced(page, name, text)
    return page


def replaced(page: str, name: str, text: str) -> str:
    """Return the page with this text between the marks of this name."""
    head, rest = page.split(_BEGIN.format(name))
    _, tail = rest.split(_END.format(name))
    return f"{head}{_BEGIN.format(name)}\n{text}\n{_END.format(name)}{tail}"


@dataclass(frozen=True)
class SlowTest:
    """One test of a run.

    :param part: its module's name.
    :param facts: the properties that it recorded.
    """

    part: str
    has_passed: bool
    seconds: float
    facts: dict[str, str]


def read_report(report: Path) -> Iterator[SlowTest]:
    """Yield the tests of a JUnit report that belong to one of the parts."""
    for case in ElementTree.parse(report).iter("testcase"):
        part = case.attrib["classname"].rpartition(".")[2]
        facts = {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
        ended_badly = {child.tag for child in case} & {"failure", "error", "skipped"}
        if part in PARTS:
            yield SlowTest(part, not ended_badly, float(case.attrib["time"]), facts)


def figures(report: Path) -> str:
    """Return what a run of the slow tests counted and measured."""
    tests = list(read_report(report))
    lines = ["| part | tests | passed | longest |", "|---|---|---|---|"]
    for part, name in PARTS.items():
        found = [test for test in tests if test.part == part]
        passed = sum(test.has_passed for test in found)
        longest = max((test.seconds for test in found), default=0.0)
        lines.append(f"| {name} | {len(found)} | {passed} | {longest:.1f} s |")
    facts = [f"- {name}: {fact}" for test in tests for name, fact in test.facts.items()]
    return "\n".join([*lines, *(["", *facts] if facts else [])])


def _counts(*sides: list[Cell]) -> str:
    lines = ["| side | faults | stages | cells |", "|---|---|---|---|"]
    for cells in sides:
        faults = {cell.fault_name for cell in cells}
        stages = {cell.stage.name for cell in cells}
        lines.append(f"| {cells[0].side} | {len(faults)} | {len(stages)} | {len(cells)} |")
    return "\n".join(lines)


def _table(cells: list[Cell]) -> str:
    stages = list(dict.fromkeys(cell.stage.name for cell in cells))
    lines = [_row("fault", stages), "|---" * (len(stages) + 1) + "|"]
    for fault in dict.fromkeys(cell.fault_name for cell in cells):
        found = [[c for c in cells if (c.fault_name, c.stage.name) == (fault, s)] for s in stages]
        lines.append(_row(fault, [_outcome(each) for each in found]))
    return "\n".join(lines)


def _row(first: str, rest: list[str]) -> str:
    return f"| {' | '.join([first, *rest])} |"


def _outcome(cells: list[Cell]) -> str:
    """Return the outcome of a fault at a stage, by format where formats differ."""
    texts: dict[str, list[str]] = {}
    always = [_short(cell.expected) for cell in cells if cell.mode == ALWAYS]
    for cell in cells:
        if cell.mode == ONCE:
            text = " / ".join([_short(cell.expected), *always[:1]])
            texts.setdefault(text, []).append(_NAMES[cell.file_format])
    if len(texts) == 1:
        return next(iter(texts))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())


def _short(expected: str) -> str:
    return STORED if expected == STORED else expected.removesuffix("Error")


if __name__ == "__main__":
    logging.disable()  # What thousands of attempts have to say.
    text = filled(PAGE.read_text(encoding="utf-8"))
    if REPORT.exists():
        text = replaced(text, FIGURES, figures(REPORT))
    counts = model_page.on_page(text) | model_page.of_quick_cases()
    if REPORT.exists():
        counts |= model_page.in_report(REPORT)
    text = replaced(text, model_page.NAME, model_page.table(counts))
    PAGE.write_text(text, encoding="utf-8")
