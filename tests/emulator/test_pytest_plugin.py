"""The pytest plugin, in a project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

MODULE = "airflow_provider.earthengine.emulator.pytest_plugin"
CATALOG = Path(__file__).parents[1] / "data/catalog"

TESTS = """
import json
import os

import ee
import pytest
import requests

from airflow_provider.earthengine.emulator.faults import Status

ADDED = {
    "id": "projects/demo/assets/added",
    "kind": "formula",
    "bands": [{"id": "b", "dtype": "uint8", "crs": "EPSG:4326", "dimensions": [4, 4],
               "crs_transform": [1, 0, 0, 0, -1, 0]}],
}


def assets(emulator):
    return requests.get(f"{emulator.url}/emulator/assets").json()["assets"]


def test_a_test_has_an_emulator(earthengine_emulator):
    assert "projects/demo/assets/s2_daily" in assets(earthengine_emulator)
    earthengine_emulator.put_asset(ADDED)
    requests.get(f"{earthengine_emulator.url}/v1/projects/demo/algorithms")
    assert earthengine_emulator.counts() == {"algorithms": 1}


def test_the_next_test_has_it_as_it_was(earthengine_emulator):
    assert ADDED["id"] not in assets(earthengine_emulator)
    assert earthengine_emulator.counts() == {}


def test_airflow_has_a_connection(earthengine_connection, earthengine_emulator):
    assert earthengine_connection == "earthengine_default"
    connection = json.loads(os.environ["AIRFLOW_CONN_EARTHENGINE_DEFAULT"])
    assert connection["conn_type"] == "earthengine"
    assert connection["extra"]["endpoint_url"] == earthengine_emulator.url


def test_a_fault_that_does_not_happen_is_told(earthengine_emulator):
    earthengine_emulator.faults.arm("discovery", Status(500))


def test_and_does_not_happen_later(earthengine_emulator):
    assert requests.get(f"{earthengine_emulator.url}/$discovery/rest").status_code == 200
"""


def is_registered() -> bool:
    return any(point.value == MODULE for point in entry_points(group="pytest11"))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    plugin = [] if is_registered() else ["-p", MODULE]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *arguments]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.slow
def test_a_project_gets_an_emulator_and_a_connection(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nearthengine_emulator_catalog = {CATALOG}\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    result = run(tmp_path)
    assert "5 passed, 1 error" in result.stdout, result.stdout + result.stderr
    assert "UnfiredFaultError: Status(code=500" in result.stdout
    assert "test_a_fault_that_does_not_happen_is_told" in result.stdout


def test_loading_it_costs_nothing_but_the_standard_library() -> None:
    program = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        f"import {MODULE}\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "['airflow_provider']"
