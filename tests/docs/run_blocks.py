"""Run the documentation's DAG files and programs in one process that has a real Airflow.

Called as a program of its own: ``python run_blocks.py PLAN RESULTS``. The plan is a JSON list of
``{"id", "path", "folder"}``; a path in the DAGs folder is a DAG file. Each is run in a fresh
namespace, with its folder as the working directory. The results are ``{id: error or ""}``.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# The test catalog has an image of this day.
LOGICAL_DATE = datetime(2021, 1, 9, tzinfo=UTC)


def main(plan_path: str, results_path: str) -> None:
    """Run everything in the order of the plan."""
    plan: list[dict[str, str]] = json.loads(Path(plan_path).read_text())
    bag = read_dags()
    results: dict[str, str] = {}
    for step in plan:
        sys.stdout.write(f"===== {step['id']}\n")
        sys.stdout.flush()
        os.chdir(step["folder"])
        try:
            run(step["path"], bag)
            results[step["id"]] = ""
        except Exception:  # noqa: BLE001 - whatever a block does, the next one is run
            results[step["id"]] = traceback.format_exc()
        Path(results_path).write_text(json.dumps(results))


def read_dags() -> Any:
    """Return the DAGs folder, read as Airflow reads it."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag

    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    bundle = next(iter(manager.get_all_dag_bundles()))
    bundle.initialize()
    return BundleDagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)


def run(path: str, bag: Any) -> None:
    """Run one DAG file or one program."""
    if path in bag.import_errors:
        raise RuntimeError(bag.import_errors[path])
    dags = [dag for dag in bag.dags.values() if dag.fileloc == path]
    if not dags and Path(path).parent == Path(bag.bundle_path):
        raise RuntimeError("the file holds no DAG")
    for dag in dags:
        state = dag.test(logical_date=LOGICAL_DATE).state
        if state != "success":
            raise RuntimeError(f"the run of {dag.dag_id} is {state}")
    if not dags:
        runpy.run_path(path, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
