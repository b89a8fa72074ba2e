"""The table in docs/reliability.md of what was explored of the commit protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pytest

from tests.reliability.commit_cases import QUICK_CASES, SLOW_CASES
from tests.reliability.commit_promise import explore_case
from tests.reliability.repeatable import make_repeatable
from tests.reliability.schedules import Exploration

NAME = "model"
PROPERTY = "explored"
_ROW = re.compile(r"^\| (.+) \| (\d) \| ([\d,]+) \| ([\d,]+) \|$", re.MULTILINE)

Counts = dict[str, Exploration]
"""What was explored, by the name of the case."""


def on_page(page: str) -> Counts:
    """Return what the page says."""
    text = page.partition(f"<!-- {NAME}: begin -->")[2].partition(f"<!-- {NAME}: end -->")[0]
    return {
        name: Exploration(_number(states), _number(schedules))
        for name, _, states, schedules in _ROW.findall(text)
    }


def of_quick_cases() -> Counts:
    """Explore the cases that are no slow tests."""
    with pytest.MonkeyPatch.context() as monkeypatch, TemporaryDirectory() as folder:
        make_repeatable(monkeypatch)
        return {case.name: explore_case(case, Path(folder)) for case in QUICK_CASES}


def in_report(report: Path) -> Counts:
    """Return what a run of tests has explored, by its JUnit report."""
    return dict(_read(report))


def table(counts: Mapping[str, Exploration]) -> str:
    """Return the table; cases of which nothing is known are left out."""
    cases = [case for case in (*QUICK_CASES, *SLOW_CASES) if case.name in counts]
    rows = [
        f"| {case.name} | {len(case.attempts)} | {counts[case.name].states:,} "
        f"| {counts[case.name].schedules:,} |"
        for case in cases
    ]
    states = sum(counts[case.name].states for case in cases)
    schedules = sum(counts[case.name].schedules for case in cases)
    head = ["| case | attempts | states | schedules |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, f"| together | | {states:,} | {schedules:,} |"])


def _read(report: Path) -> Iterator[tuple[str, Exploration]]:
    for each in ElementTree.parse(report).iter("property"):
        if each.attrib["name"] == PROPERTY:
            name, states, schedules = each.attrib["value"].split("|")
            yield name, Exploration(int(states), int(schedules))


def _number(text: str) -> int:
    return int(text.replace(",", ""))
