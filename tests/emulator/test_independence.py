"""What the tests expect is computed without what they test."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

EXPECTATIONS = ("tests.support.expected", "tests.support.expected_grids")


def imports_of(name: str) -> set[str]:
    """Return what a module of the tests imports, by itself and through other modules of theirs."""
    path = importlib.import_module(name).__file__
    assert path is not None
    found: set[str] = set()
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    of_tests = [each for each in found if each.startswith("tests.")]
    return found.union(*(imports_of(each) for each in of_tests))


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_expectations_import_nothing_of_the_project(name: str) -> None:
    imported = imports_of(name)
    assert "numpy" in imported
    assert [each for each in imported if each.startswith(("airflow_provider", "ee", "stack"))] == []
