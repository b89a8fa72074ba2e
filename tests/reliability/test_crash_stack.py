"""A scheduler with its LocalExecutor: the supervisor dies, or a user marks the task as failed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.emulator.faults import ArmedFault, Stall
from airflow_provider.earthengine.emulator.server import Emulator
from stack.airflow_api import AirflowApi, wait_until
from stack.emulator import earthengine_connection
from stack.postgres import postgres
from stack.scheduler import scheduled_airflow
from stack.seaweedfs import SeaweedFS

pytestmark = [
    pytest.mark.slow,
    # One stack for all of them, where tests run side by side.
    pytest.mark.xdist_group("crash stack"),
]

PIXELS = "thumbnails.getPixels"
DAG = """
import os
import traceback
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator


class Told(EarthEngineToS3Operator):
    def execute(self, context):
        name = f"{{context['params']['prefix']}}-{{context['ti'].try_number}}"
        path = Path("{place}") / name
        path.write_text(f"{{os.getpid()}} {{os.getppid()}}")
        try:
            uris = super().execute(context)
        except BaseException:
            path.with_suffix(".end").write_text(traceback.format_exc())
            raise
        path.with_suffix(".end").write_text("returned")
        return uris


with DAG(
    "scene",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={{"bucket": "", "prefix": ""}},
    is_paused_upon_creation=False,
):
    Told(
        task_id="download",
        image="projects/demo/assets/landsat7_olinda",
        download_params={{"bands": ["B1", "B2", "B3"], "name": "scene"}},
        s3_bucket="{{{{ params.bucket }}}}",
        s3_prefix="{{{{ params.prefix }}}}",
        quicklook=False,
        retries=1,
        retry_delay=timedelta(seconds=1),
    )
"""


@dataclass(frozen=True)
class Stack:
    """Airflow's API, where the tasks write their process ids, and where scratch goes."""

    api: AirflowApi
    pids: Path
    scratch: Path

    def trigger(self, bucket: str, prefix: str) -> str:
        """Start a run and return the path of its task instance."""
        run = self.api.trigger("scene", bucket=bucket, prefix=prefix)
        return f"{run}/taskInstances/download"

    def state(self, task_instance: str) -> str:
        return self.api.state(task_instance)

    def processes(self, prefix: str, try_number: int) -> tuple[int, int]:
        """Return the ids of the task's process and of its supervisor."""
        path = self.pids / f"{prefix}-{try_number}"
        wait_until(path.exists)
        wait_until(lambda: path.read_text() != "")
        task, supervisor = path.read_text().split()
        return int(task), int(supervisor)

    def end(self, prefix: str, try_number: int) -> str:
        """Return how an attempt ended: "returned", or its traceback."""
        return (self.pids / f"{prefix}-{try_number}.end").read_text()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def stack(
    s3: SeaweedFS, _session_emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    dags, pids, scratch, logs = (
        tmp_path_factory.mktemp(name) for name in ("dags", "pids", "scratch", "logs")
    )
    (dags / "scene.py").write_text(DAG.format(place=pids))
    with ExitStack() as parts:
        database = parts.enter_context(postgres())
        airflow = parts.enter_context(
            scheduled_airflow(
                postgres=database,
                connections={
                    "earthengine_default": earthengine_connection(_session_emulator.url, "demo"),
                    "aws_default": s3.airflow_connection,
                },
                log_folder=logs,
                dags_folder=dags,
                extra={
                    "AIRFLOW__EARTHENGINE__SCRATCH_DIRECTORY": str(scratch),
                    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "8",
                    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
                },
            )
        )
        made = Stack(AirflowApi(airflow.url), pids, scratch)
        wait_until(lambda: any(dag["dag_id"] == "scene" for dag in _dags(made)))
        yield made


def _dags(stack: Stack) -> Any:
    return stack.api.ask("GET", "/api/v2/dags")["dags"]


def contents(s3: SeaweedFS, bucket: str) -> dict[str, bytes]:
    client = s3.client()
    return {
        each["Key"]: client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
        for each in client.list_objects_v2(Bucket=bucket).get("Contents", [])
    }


def assert_whole(objects: dict[str, bytes], bucket: str) -> None:
    (item,) = (key for key in objects if key.endswith(".json"))
    assets = json.loads(objects[item])["assets"].values()
    assert len(assets) == 3
    assert {asset["href"]: asset["file:checksum"] for asset in assets} == {
        f"s3://{bucket}/{key}": f"1220{hashlib.sha256(content).hexdigest()}"
        for key, content in objects.items()
        if key != item
    }


def kill_supervisor(stack: Stack, prefix: str, armed: ArmedFault) -> int:
    """Kill it while its task waits for pixels; return the task's process, which lives on."""
    wait_until(lambda: armed.remaining == 0)
    task, supervisor = stack.processes(prefix, 1)
    os.kill(supervisor, signal.SIGKILL)
    time.sleep(1)
    assert is_running(task)
    return task


# What a task logs goes to its supervisor: without one, its next line of log is its end. Attempts
# that live on all the same, and finish side by side, are in test_crash_races.
NO_SUPERVISOR = "BrokenPipeError"


def test_an_old_attempt_that_ends_after_the_retry_changes_nothing(
    stack: Stack, emulator: Emulator, s3: SeaweedFS, bucket: str
) -> None:
    with emulator.fault(PIXELS, Stall()) as armed:
        task_instance = stack.trigger(bucket, "late")
        old = kill_supervisor(stack, "late", armed)
        wait_until(lambda: stack.state(task_instance) == "success")
        assert is_running(old)
        retried = contents(s3, bucket)
        assert_whole(retried, bucket)
        armed.release()
        wait_until(lambda: not is_running(old))
    assert NO_SUPERVISOR in stack.end("late", 1)
    assert stack.end("late", 2) == "returned"
    assert contents(s3, bucket) == retried
    assert not s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert stack.api.ask("GET", task_instance)["try_number"] == 2
    assert list(stack.scratch.iterdir()) == []


def test_an_old_attempt_that_ends_beside_the_retry_changes_nothing(
    stack: Stack, emulator: Emulator, s3: SeaweedFS, bucket: str
) -> None:
    with emulator.fault(PIXELS, Stall()) as first:
        task_instance = stack.trigger(bucket, "early")
        old = kill_supervisor(stack, "early", first)
        with emulator.fault(PIXELS, Stall()) as second:
            wait_until(lambda: second.remaining == 0)
            assert is_running(old)
            first.release()
            wait_until(lambda: not is_running(old))
            assert stack.state(task_instance) == "running"
            assert len(list(stack.scratch.iterdir())) == 1
            second.release()
            wait_until(lambda: stack.state(task_instance) == "success")
    assert NO_SUPERVISOR in stack.end("early", 1)
    assert stack.end("early", 2) == "returned"
    assert_whole(contents(s3, bucket), bucket)
    assert not s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert list(stack.scratch.iterdir()) == []


@pytest.mark.parametrize("operation", [PIXELS, "value:compute"])
def test_a_task_that_is_marked_as_failed_ends_in_order(
    stack: Stack, emulator: Emulator, s3: SeaweedFS, bucket: str, operation: str
) -> None:
    prefix = operation.replace(":", "-").replace(".", "-")
    with emulator.fault(operation, Stall(0.5, 300)) as armed:
        task_instance = stack.trigger(bucket, prefix)
        wait_until(lambda: armed.remaining == 0)
        task, _ = stack.processes(prefix, 1)
        stack.api.ask("PATCH", task_instance, {"new_state": "failed"})
        wait_until(lambda: not is_running(task))
    # At once: five seconds after SIGTERM it would have been killed (-9), and would have left its
    # scratch, and told nothing.
    assert list(stack.scratch.iterdir()) == []
    asked = len(emulator.requests)
    time.sleep(3)
    assert len(emulator.requests) == asked
    assert contents(s3, bucket) == {}
    assert stack.state(task_instance) == "failed"
    assert "DownloadCancelledError" in stack.end(prefix, 1)
