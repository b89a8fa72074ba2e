"""The example DAGs are cheap to import. That they do what they say is seen in ``test_demo.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stack.airflow import DAGS_FOLDER
from stack.environment import child_environment

DAG_FILES = sorted(DAGS_FOLDER.glob("*.py"))
HEAVY = ("boto3", "botocore", "ee", "numpy", "pystac", "rasterio", "requests")

# Prints which heavy modules a DAG file brings that `import airflow.sdk` does not bring alone.
_PROBE = """
import runpy, sys
import airflow.sdk
before = set(sys.modules)
runpy.run_path(sys.argv[1])
print(*(name for name in sys.argv[2:] if name in set(sys.modules) - before))
"""


@pytest.mark.parametrize("dag_file", DAG_FILES, ids=lambda path: path.stem)
def test_importing_a_dag_file_loads_nothing_heavy(dag_file: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _PROBE, str(dag_file), *HEAVY],
        env=child_environment(tmp_path, {"AIRFLOW_HOME": str(tmp_path)}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().split("\n")[-1] == "", "loaded by this DAG file"
