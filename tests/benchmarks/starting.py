"""How long a download takes to start: ``python -m tests.benchmarks.starting``.

From the first line of the operator to the first byte of the first tile, in a process that has what
Airflow's task process has, at 500 ms a request. Everything is computed beforehand. The result is
written into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from stack.emulator import emulator
from stack.environment import PROJECT_FOLDER
from stack.processes import StackError
from stack.seaweedfs import SeaweedFS
from tests.benchmarks import ours
from tests.benchmarks.assignment import Assignment, Compression, read_assignment
from tests.benchmarks.contestant import cpu_seconds
from tests.benchmarks.contestants import OURS, known
from tests.benchmarks.machine import machine_facts
from tests.benchmarks.page import write_section
from tests.benchmarks.place import BUCKET, Place
from tests.benchmarks.scenes import MEBIBYTE, Cell, Scene, write_catalog
from tests.benchmarks.servers import Servers

_LATENCY_SECONDS = 0.5
_PIXELS = "thumbnails.getPixels"
_PAUSE_SECONDS, _PATIENCE_SECONDS = 0.02, 120
_CELL = Cell("starting", Scene(4, "uint16", 36 * MEBIBYTE), _LATENCY_SECONDS)


def _work(told: Path) -> None:
    """Say when the work begins, on the clock that all processes share, and do it."""
    ours.prepare()
    assignment = read_assignment(told)
    print(json.dumps([time.monotonic(), cpu_seconds()]), flush=True)
    ours.run(assignment, "")


def _measure(place: Place, assignment: Assignment, servers: Servers) -> tuple[float, float, int]:
    """Return seconds, CPU seconds and requests until the first tile begins to arrive."""
    told = place.folder / "assignment.json"
    assignment.scratch.mkdir()
    assignment.write(told)
    command = [sys.executable, "-m", "tests.benchmarks.starting", "--work", told]
    process = subprocess.Popen(
        command, cwd=PROJECT_FOLDER, env=place.environment(assignment), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    of_work = Servers("", "", BUCKET, {OURS: process.pid})
    try:
        assert process.stdout is not None
        begun, cpu = json.loads(process.stdout.readline())
        # Only now: the answers to the process before are listed late, when they would have begun.
        servers.forget_requests()
        while _PIXELS not in (counts := servers.request_counts()):
            if process.poll() is not None or time.monotonic() - begun > _PATIENCE_SECONDS:
                raise StackError("the download ended before its first tile, or did not get there")
            time.sleep(_PAUSE_SECONDS)
        spent = of_work.cpu_seconds()[OURS] - cpu
        in_sequence = sum(count for name, count in counts.items() if "thumbnails" not in name) + 2
        return time.monotonic() - begun, spent, in_sequence
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(assignment.scratch)


def _measured(folder: Path, repeats: int) -> str:
    write_catalog(folder / "catalog", _CELL.scene)
    (folder / "kept").mkdir()
    options = ["--keep-files", str(folder / "kept")]
    with (
        emulator(folder, catalog=folder / "catalog", options=options) as earthengine,
        SeaweedFS([BUCKET]) as s3,
    ):
        place = Place(folder, s3, earthengine.url)
        servers = Servers(earthengine.url, s3.metrics_url, BUCKET, {})
        compression = Compression("deflate", 1, has_predictor=True)
        first = place.assignment(_CELL, known(OURS), "cog", compression)
        _measure(place, first, servers)  # computes the tiles
        servers.set_latency(_LATENCY_SECONDS)
        found = [
            _measure(place, replace(first, prefix=f"{first.prefix}-{number}"), servers)
            for number in range(repeats)
        ]
    seconds, cpu, requests = min(found)
    facts = machine_facts()
    return (
        f"{seconds:.1f} s from the operator's first line to the first byte of the first tile: "
        f"{requests} requests in sequence take {requests * _LATENCY_SECONDS:.1f} s of it, and the "
        f"process uses {cpu:.1f} CPU seconds, most of them for imports. Best of {repeats}, "
        f"{facts['date']}, {facts['processor']}, load {facts['load']}."
    )


def main() -> None:
    """Measure, and write the result into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="internal: do the work of this assignment")
    parser.add_argument("--repeats", type=int, default=5, help="of which the best is reported")
    parser.add_argument("--page", type=Path, default=PROJECT_FOLDER / "docs" / "performance.md")
    options = parser.parse_args()
    if options.work:
        _work(options.work)
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        text = _measured(Path(folder), options.repeats)
    print(text)
    write_section(options.page, "starting", text)


if __name__ == "__main__":
    main()
