"""What more workers give a group: ``python -m tests.benchmarks.many_workers``.

Sections that Earth Engine takes seconds to compute, on CeleryExecutor with one worker and with two;
and sections that take no time, which show what a mapped task costs by itself. ``--gibibytes 16``
downloads a raster of that size instead, by two workers with two slots each, and then a sixteenth of
it by the operator alone. It prints seconds, and the largest memory and scratch.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from math import isqrt
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.emulator.faults import Latency
from airflow_provider.earthengine.emulator.server import serve
from stack.airflow_api import wait_until
from stack.celery_workers import celery_worker, scratch_of
from stack.emulator import CATALOG_FOLDER
from stack.processes import ChildProcess, StackError
from stack.seaweedfs import SeaweedFS
from tests.benchmarks.contestant import peak_byte_count
from tests.benchmarks.measuring import stored_byte_count
from tests.distributed.airflow_stack import Stack
from tests.distributed.group_stack import Shared, group_on_celery

_MOST_SECONDS = 3_000
_LOG_LENGTH = 4_000
_MEBIBYTE = 1 << 20
_BANDS = 4
_SAMPLE_BYTE_COUNT = 2


@dataclass
class Needs:
    """The most that any process of the workers took.

    :param memory: VmHWM, in bytes.
    :param scratch: bytes on the disk of one worker.
    """

    memory: int = 0
    scratch: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def watch(self, workers: Sequence[ChildProcess], folders: Sequence[Path]) -> None:
        while not self._ended.wait(0.5):
            for pid in descendants(each.pid for each in workers):
                self.memory = max(self.memory, peak_byte_count(pid))
            self.scratch = max(self.scratch, *(stored_byte_count(each) for each in folders))

    def end(self) -> None:
        self._ended.set()


@contextmanager
def watched(workers: Sequence[ChildProcess], folders: Sequence[Path]) -> Iterator[Needs]:
    """Look at what the workers' tasks take until the block ends."""
    needs = Needs()
    thread = threading.Thread(target=needs.watch, args=(workers, folders))
    thread.start()
    try:
        yield needs
    finally:
        needs.end()
        thread.join()


def descendants(roots: Iterable[int]) -> list[int]:
    """Return the processes below these ones."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def measure(stack: Stack, workers: int, slots: int, shared: Shared, latency: float = 0) -> str:
    """Return how long a run and its sections took, in one line.

    :param latency: seconds that Earth Engine takes for each row of blocks, if that is a section.
    """
    names = [f"w{number}" for number in range(workers)]
    with ExitStack() as parts:
        running = [parts.enter_context(celery_worker(stack.airflow, name, slots)) for name in names]
        if latency:
            rows = -(-shared.height // 512)
            fault = stack.emulator.fault("thumbnails.getPixels", Latency(latency), times=rows)
            parts.enter_context(fault)
        needs = parts.enter_context(
            watched(running, [scratch_of(stack.airflow, name) for name in names])
        )
        run = stack.api.trigger("shared")
        wait_until(lambda: stack.api.state(run) in ("success", "failed"), _MOST_SECONDS)
        found = stack.api.ask("GET", f"{run}/taskInstances?limit=200")["task_instances"]
        _raise_unless_fetched(stack, run, found)
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
    sections = len(times["fetch"])
    own = sum((stop - start).total_seconds() for start, stop in times["fetch"]) / sections
    return (
        f"{workers} workers x {slots} slots, {sections} sections of {latency:g} s: "
        f"fetch {(end - begin).total_seconds():.1f} s, "
        f"whole run {whole:.1f} s, a fetching task {own:.1f} s, "
        f"memory {needs.memory / _MEBIBYTE:.0f} MiB, scratch {needs.scratch / _MEBIBYTE:.0f} MiB"
    )


def _raise_unless_fetched(stack: Stack, run: str, tasks: Sequence[Mapping[str, Any]]) -> None:
    for task in tasks:
        if task["task_id"] == "download.fetch" and task["state"] == "skipped":
            raise StackError("the raster is one section, which publish fetches; take a larger one")
        if task["state"] == "failed":
            path = f"{run}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
            log = stack.api.ask("GET", f"{path}?map_index={task['map_index']}")
            raise StackError(f"{task['task_id']} has failed: {json.dumps(log)[-_LOG_LENGTH:]}")


def measure_operator(stack: Stack, shared: Shared) -> str:
    """Return how long the operator alone takes for this raster, in one line."""
    stack.emulator.put_asset(shared.description)
    begun = time.monotonic()
    result = stack.airflow.home.run("dags", "test", "alone", timeout_seconds=_MOST_SECONDS)
    seconds = time.monotonic() - begun
    size = shared.width * shared.height * shared.bands * _SAMPLE_BYTE_COUNT
    return f"the operator, {size / _MEBIBYTE:.0f} MiB: code {result.returncode}, {seconds:.1f} s"


def _square(gibibytes: float) -> Shared:
    side = isqrt(int(gibibytes * (1 << 30)) // (_BANDS * _SAMPLE_BYTE_COUNT))
    return Shared(side, side, _BANDS, section_requests=64)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.many_workers")
    parser.add_argument("--sections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--gibibytes", type=float, help="one raster of this size instead")
    options = parser.parse_args()
    large = options.gibibytes and _square(options.gibibytes)
    shared = large or Shared.of_rows(options.sections)
    with (
        tempfile.TemporaryDirectory() as folder,
        SeaweedFS() as s3,
        serve(catalog=CATALOG_FOLDER, project="demo") as emulator,
        group_on_celery(s3, emulator, Path(folder), shared) as stack,
    ):
        os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = s3.airflow_connection
        if large:
            _say(measure(stack, 2, 2, large))
            _say(measure_operator(stack, _square(options.gibibytes / 16)))
            return
        for workers, latency in ((2, options.seconds), (1, options.seconds), (2, 0.0)):
            _say(measure(stack, workers, options.slots, shared, latency))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
