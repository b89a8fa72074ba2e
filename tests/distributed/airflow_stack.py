"""A scheduled Airflow as a test sees it: runs are waited for, and requests are counted."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.emulator.server import Emulator
from stack.airflow_api import PATIENCE_SECONDS, AirflowApi, wait_until
from stack.bucket import is_picture
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
_ENDED = ("success", "failed")


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

    @property
    def api(self) -> AirflowApi:
        return AirflowApi(self.airflow.url)

    def command(self, *arguments: str) -> str:
        """Return what ``airflow ...`` prints; fail the test where it fails."""
        result = self.airflow.home.run(*arguments)
        assert result.returncode == 0, result.stdout[-2000:]
        return result.stdout

    def run(self, dag_id: str) -> str:
        """Start a run, wait until it has succeeded, and return its path."""
        run = self.api.trigger(dag_id)
        wait_until(lambda: self.api.state(run) in _ENDED)
        assert self.api.state(run) == "success", self.states_of_tasks(run)
        return run

    def task(self, run: str, task_id: str) -> str:
        """Return the state of a task of a run."""
        return self.api.state(f"{run}/taskInstances/{task_id}")

    def states_of_tasks(self, run: str) -> Counter[tuple[str, str]]:
        """Return how many task instances of a run are in which state, by task."""
        instances = self.api.ask("GET", f"{run}/taskInstances?limit=100")["task_instances"]
        return Counter((each["task_id"], str(each["state"])) for each in instances)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return all runs of a DAG."""
        found: list[dict[str, Any]] = self.api.ask(
            "GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100"
        )["dag_runs"]
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
            found = self.api.ask("GET", f"/api/v2/backfills?dag_id={dag_id}&limit=100")["backfills"]
            return all(each["completed_at"] for each in found)

        wait_until(is_complete, 2 * PATIENCE_SECONDS)
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
        """Return the ETag of each object but pictures by its key; each write changes an item's."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        return {
            each["Key"]: f"{each['ETag']} {each['LastModified'].isoformat()}"
            for page in pages
            for each in page.get("Contents", [])
            if not is_picture(each["Key"])
        }

    def read(self, key: str) -> dict[str, Any]:
        """Return an object of JSON."""
        body = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        content: dict[str, Any] = json.loads(body)
        return content
