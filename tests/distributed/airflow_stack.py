"""A scheduled Airflow as a test sees it: runs are waited for, and requests are counted."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.emulator.server import Emulator
from stack.scheduler import ScheduledAirflow
from tests.reliability.s3_proxy import S3Proxy

COMPUTING = ("value:compute", "thumbnails.create", "thumbnails.getPixels")
WRITING = (
    "PutObject",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
    "DeleteObject",
)
_SECONDS = 600
_ENDED = ("success", "failed")


def wait_until(is_so: Callable[[], bool], seconds: float = _SECONDS) -> None:
    """Wait until something is so; fail the test when it is not in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.2)


@dataclass(frozen=True)
class Stack:
    """A scheduled Airflow, the emulator that it asks, and the proxy before its bucket.

    :param parts: ends what a test starts besides, when the stack ends.
    """

    airflow: ScheduledAirflow
    emulator: Emulator
    proxy: S3Proxy
    client: Any
    bucket: str
    parts: ExitStack

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return what Airflow's API answers."""
        request = urllib.request.Request(f"{self.airflow.url}{path}", method=method)
        if not path.startswith("/auth"):
            token = self.ask("GET", "/auth/token")["access_token"]
            request.add_header("Authorization", f"Bearer {token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)

    def command(self, *arguments: str) -> str:
        """Return what ``airflow ...`` prints; fail the test where it fails."""
        result = self.airflow.home.run(*arguments)
        assert result.returncode == 0, result.stdout[-2000:]
        return result.stdout

    def begin(self, dag_id: str) -> str:
        """Begin a run, and return its path in the API."""
        run = self.ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})
        return f"/api/v2/dags/{dag_id}/dagRuns/{run['dag_run_id']}"

    def run(self, dag_id: str) -> str:
        """Begin a run, wait until it has succeeded, and return its path."""
        run = self.begin(dag_id)
        wait_until(lambda: self.state(run) in _ENDED)
        assert self.state(run) == "success", self.states_of_tasks(run)
        return run

    def state(self, path: str) -> str:
        return str(self.ask("GET", path)["state"])

    def task(self, run: str, task_id: str) -> str:
        """Return the state of a task of a run."""
        return self.state(f"{run}/taskInstances/{task_id}")

    def states_of_tasks(self, run: str) -> Counter[tuple[str, str]]:
        """Return how many task instances of a run are in which state, by task."""
        instances = self.ask("GET", f"{run}/taskInstances?limit=100")["task_instances"]
        return Counter((each["task_id"], str(each["state"])) for each in instances)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return all runs of a DAG."""
        found: list[dict[str, Any]] = self.ask("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100")[
            "dag_runs"
        ]
        return found

    def backfill(self, dag_id: str, first: str, last: str, behaviour: str) -> Counter[str]:
        """Run ``airflow backfill create`` and wait until Airflow calls it complete.

        :return: how many runs the DAG has in which state.
        """
        self.command(
            "backfill", "create", "--dag-id", dag_id, "--from-date", first, "--to-date", last,
            "--max-active-runs", "6", "--reprocess-behavior", behaviour,
        )  # fmt: skip

        def is_complete() -> bool:
            found = self.ask("GET", f"/api/v2/backfills?dag_id={dag_id}&limit=100")["backfills"]
            return all(each["completed_at"] for each in found)

        wait_until(is_complete, 2 * _SECONDS)
        return self.count_runs(dag_id)

    def count_runs(self, dag_id: str) -> Counter[str]:
        return Counter(str(run["state"]) for run in self.runs(dag_id))

    def forget_requests(self) -> None:
        """Begin to count anew."""
        self.emulator.clear_requests()
        self.proxy.counts.clear()

    def computed(self) -> dict[str, int]:
        """Return the requests that made Earth Engine compute something."""
        return {name: n for name, n in self.emulator.counts().items() if name in COMPUTING}

    def written(self) -> dict[str, int]:
        """Return the requests that changed something in the bucket, or tried to."""
        return {name: n for name, n in self.proxy.counts.items() if name in WRITING}

    def etags(self, prefix: str) -> dict[str, str]:
        """Return the ETag of each object by its key; it changes with each write of an item."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        return {
            each["Key"]: f"{each['ETag']} {each['LastModified'].isoformat()}"
            for page in pages
            for each in page.get("Contents", [])
        }

    def read(self, key: str) -> dict[str, Any]:
        """Return an object of JSON."""
        body = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        content: dict[str, Any] = json.loads(body)
        return content
