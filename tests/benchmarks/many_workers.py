"""What a second worker gives a group: ``python -m tests.benchmarks.many_workers``.

Sections that Earth Engine takes seconds to compute, on CeleryExecutor with one worker and with two;
and sections that take no time, which show what a mapped task costs by itself. It prints seconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from airflow_provider.earthengine.emulator.faults import Latency
from airflow_provider.earthengine.emulator.server import serve
from stack.airflow_api import wait_until
from stack.celery_workers import celery_worker
from stack.emulator import CATALOG_FOLDER
from stack.seaweedfs import SeaweedFS
from tests.distributed.airflow_stack import Stack
from tests.distributed.group_stack import group_on_celery

_MOST_SECONDS = 3_000


def measure(stack: Stack, workers: int, slots: int, sections: int, latency: float) -> str:
    """Return how long a run and its sections took, in one line.

    :param latency: seconds that Earth Engine takes for each section's request.
    """
    with ExitStack() as parts:
        for number in range(workers):
            parts.enter_context(celery_worker(stack.airflow, f"w{number}", slots))
        if latency:
            fault = stack.emulator.fault("thumbnails.getPixels", Latency(latency), times=sections)
            parts.enter_context(fault)
        run = stack.api.trigger("shared")
        wait_until(lambda: stack.api.state(run) in ("success", "failed"), _MOST_SECONDS)
        found = stack.api.ask("GET", f"{run}/taskInstances?limit=200")["task_instances"]
    times = {
        task: [
            (datetime.fromisoformat(each["start_date"]), datetime.fromisoformat(each["end_date"]))
            for each in found
            if each["task_id"] == f"download.{task}"
        ]
        for task in ("plan", "fetch", "publish")
    }
    begin, end = min(start for start, _ in times["fetch"]), max(end for _, end in times["fetch"])
    whole = (times["publish"][0][1] - times["plan"][0][0]).total_seconds()
    own = sum((stop - start).total_seconds() for start, stop in times["fetch"]) / sections
    return (
        f"{workers} workers x {slots} slots, {sections} sections of {latency:g} s: "
        f"{stack.api.state(run)}, fetch {(end - begin).total_seconds():.1f} s, "
        f"whole run {whole:.1f} s, a fetching task {own:.1f} s"
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.many_workers")
    parser.add_argument("--sections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--slots", type=int, default=4)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        SeaweedFS() as s3,
        serve(catalog=CATALOG_FOLDER, project="demo") as emulator,
        group_on_celery(s3, emulator, Path(folder), options.sections) as stack,
    ):
        os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = s3.airflow_connection
        for workers, latency in ((2, options.seconds), (1, options.seconds), (2, 0.0)):
            line = measure(stack, workers, options.slots, options.sections, latency)
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
