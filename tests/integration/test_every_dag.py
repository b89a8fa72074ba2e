"""Every example DAG ends well with its form's defaults, on a scheduler, as after ``make up``."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stack.airflow import DAGS_FOLDER
from stack.airflow_api import AirflowApi, wait_until
from stack.emulator import demo_emulator
from stack.postgres import postgres
from stack.processes import StackError
from stack.scheduler import ScheduledAirflow, scheduled_airflow
from stack.seaweedfs import SeaweedFS
from tests.support.dag_files import dag_ids

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("every_dag")]
DATES = {"no date": None, "today": "now", "a past date": "2021-01-09T00:00:00Z"}
ENDED = {"success", "failed"}
# A busy machine takes a quarter of an hour.
PATIENCE = 1800


@pytest.fixture(scope="module")
def airflow() -> Iterator[ScheduledAirflow]:
    with ExitStack() as parts:
        # Short, because the paths of sockets may not be longer than about a hundred characters.
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="every-dag-")))
        s3 = parts.enter_context(SeaweedFS(buckets=["demo"]))
        earth_engine = parts.enter_context(demo_emulator(folder))
        connections = {
            "earthengine_default": earth_engine.airflow_connection,
            "aws_default": s3.airflow_connection,
        }
        yield parts.enter_context(
            scheduled_airflow(
                postgres=parts.enter_context(postgres()),
                connections=connections,
                log_folder=folder,
            )
        )


def test_every_dag_is_green_with_its_defaults(airflow: ScheduledAirflow) -> None:
    api = AirflowApi(airflow.url)
    ids = {found for file in DAGS_FOLDER.glob("*.py") for found in dag_ids(file)}
    wait_until(lambda: ids <= known_dags(api))
    runs = {}
    for dag_id in sorted(ids):
        api.ask("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
        for name, date in DATES.items():
            moment = datetime.now(UTC).isoformat() if date == "now" else date
            body = {"logical_date": moment, "conf": {}}
            run = api.ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
            runs[dag_id, name] = f"/api/v2/dags/{dag_id}/dagRuns/{run['dag_run_id']}"
    wait_until(lambda: bool(log_of_a_running_task(api, runs.values())))
    assert "Could not read" not in log_of_a_running_task(api, runs.values())
    with suppress(StackError):
        wait_until(lambda: all(api.state(path) in ENDED for path in runs.values()), PATIENCE)
    assert {key: api.state(path) for key, path in runs.items()} == dict.fromkeys(runs, "success")
    # What the past date has in the catalog is downloaded, not skipped.
    for dag_id in ("sentinel2_daily", "sentinel2_backfill", "ndvi_composite"):
        tasks = api.ask("GET", f"{runs[dag_id, 'a past date']}/taskInstances")["task_instances"]
        assert [task["state"] for task in tasks] == ["success"], dag_id
    assert_no_odd_lines(airflow)


def log_of_a_running_task(api: AirflowApi, runs: Iterable[str]) -> str:
    """Return what the user interface shows of a task that is running; "" if none is."""
    for run in runs:
        for task in api.ask("GET", f"{run}/taskInstances")["task_instances"]:
            if task["state"] == "running":
                where = f"{task['task_id']}/logs/{task['try_number']}"
                index = f"map_index={task['map_index']}"
                return str(api.ask("GET", f"{run}/taskInstances/{where}?{index}")["content"])
    return ""


def assert_no_odd_lines(airflow: ScheduledAirflow) -> None:
    """Fail if a task's log has a warning that has nothing to do with it."""
    logs = list((airflow.home.folder / "logs").rglob("*.log"))
    assert logs
    odd = re.compile(r"too short|proxy|InsecureKey|deprecated", re.IGNORECASE)
    lines = {line for log in logs for line in log.read_text().splitlines() if odd.search(line)}
    assert not lines


def known_dags(api: AirflowApi) -> set[str]:
    return {each["dag_id"] for each in api.ask("GET", "/api/v2/dags?limit=100")["dags"]}
