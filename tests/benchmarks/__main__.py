"""The comparison: ``python -m tests.benchmarks``, or ``make bench``.

Cell by cell, one contestant after the other in a process of its own; the emulator of Earth Engine
and the S3 server are processes of their own too. Everything that a contestant will ask of the
emulator is asked once before, so that the emulator only sends files while somebody is measured.
After each contestant the results are kept and the page is written, however the run ends.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stack.emulator import emulator
from stack.environment import PROJECT_FOLDER
from stack.processes import StackError, interrupts_unwind
from stack.seaweedfs import SeaweedFS
from tests.benchmarks.assignment import Assignment, Compression, Piece
from tests.benchmarks.contestants import CONTESTANTS, Contestant
from tests.benchmarks.machine import machine_facts
from tests.benchmarks.measuring import Ended, Measurement, run_process
from tests.benchmarks.page import write_page
from tests.benchmarks.place import BUCKET, Place
from tests.benchmarks.readers import measure_reads
from tests.benchmarks.reading_back import WrongRasterError, check_stored
from tests.benchmarks.results import Results
from tests.benchmarks.s3fs_environment import s3fs_python
from tests.benchmarks.scenes import CELLS, Cell, quick_cells, write_catalog
from tests.benchmarks.servers import Servers

# Earth Engine's own default, in requests at a time.
# Source: https://developers.google.com/earth-engine/guides/usage (2025-08)
_QUOTA = 40
# What the provider does by default, and how.
_OWN_COMPRESSION = "deflate:1:predictor"


class Bench:
    """One run of the comparison.

    :param folder: for everything that is thrown away at the end.
    """

    def __init__(self, options: argparse.Namespace, folder: Path, results: Results) -> None:
        self._options = options
        self._folder = folder
        self._results = results
        self.page_error: str | None = None
        """Why the page is not that of the results."""
        self._deadline = time.monotonic() + 60 * options.minutes

    def run(self, cells: Sequence[Cell]) -> None:
        """Run the cells; those of one scene share their servers."""
        for number, scene in enumerate(dict.fromkeys(cell.scene for cell in cells), 1):
            folder = self._folder / f"scene-{number}"
            catalog, kept = folder / "catalog", folder / "kept"
            kept.mkdir(parents=True)
            write_catalog(catalog, scene)
            options = ["--deflate-level", "1", "--keep-files", str(kept)]
            options += ["--max-concurrent-requests", str(_QUOTA)]
            with (
                emulator(folder, catalog=catalog, options=options) as earthengine,
                SeaweedFS([BUCKET]) as s3,
            ):
                ids = {"emulator": earthengine.process_id, "S3 server": s3.process_id}
                place = Place(folder, s3, earthengine.url)
                servers = Servers(earthengine.url, s3.metrics_url, BUCKET, ids)
                rehearsed: set[str] = set()
                for cell in (cell for cell in cells if cell.scene == scene):
                    self._run_cell(cell, place, servers, rehearsed)
            shutil.rmtree(folder)

    def _run_cell(self, cell: Cell, place: Place, servers: Servers, rehearsed: set[str]) -> None:
        _say(f"{cell.key}: {cell.title}")
        chosen = {"layout": self._options.layout, "compression": str(self._options.compression)}
        self._results.begin(cell, chosen | machine_facts())
        for contestant in CONTESTANTS:
            if not self._takes_part(contestant, cell):
                continue
            if time.monotonic() > self._deadline:
                measured = Measurement(contestant.name, error="not begun: the time was up")
            else:
                measured = self._attempt(cell, contestant, place, servers, rehearsed)
            self._results.add(cell, measured)
            self._keep()

    def _takes_part(self, contestant: Contestant, cell: Cell) -> bool:
        chosen = self._options.contestants
        if chosen:
            return contestant.name in chosen
        if contestant.is_once and not cell.is_with_all:
            return False
        return contestant.is_for_memory or not cell.is_for_memory

    def _attempt(
        self,
        cell: Cell,
        contestant: Contestant,
        place: Place,
        servers: Servers,
        rehearsed: set[str],
    ) -> Measurement:
        """Run a contestant; whatever breaks, also of the harness, is told and not the end."""
        try:
            return self._run_contestant(cell, contestant, place, servers, rehearsed)
        except Exception as error:  # noqa: BLE001 (it is told, and the others are measured)
            traceback.print_exc()
            return Measurement(contestant.name, error=f"{type(error).__name__}: {error}"[:500])

    def _run_contestant(
        self,
        cell: Cell,
        contestant: Contestant,
        place: Place,
        servers: Servers,
        rehearsed: set[str],
    ) -> Measurement:
        try:
            python = s3fs_python() if contestant.is_with_s3fs else Path(sys.executable)
        except StackError as error:
            return Measurement(contestant.name, error=str(error)[:500])
        assignment = place.assignment(
            cell, contestant, self._options.layout, self._options.compression
        )
        if contestant.plan not in rehearsed and not contestant.is_in_steps:
            servers.set_latency(0)
            rehearsed.add(contestant.plan)
            ended = self._run_process(python, contestant, assignment, place, is_rehearsal=True)
            _say(f"  {contestant.plan}: asked for once ({ended.error or 'all answered'})")
        servers.set_latency(cell.latency_seconds)
        servers.forget_requests()
        os.sync()  # what was written before shall not be written during this measurement
        before, traffic = servers.cpu_seconds(), servers.traffic()
        ended = self._run_process(python, contestant, assignment, place)
        after = servers.cpu_seconds()
        measured = Measurement(
            contestant.name,
            seconds=ended.outcome.get("seconds", 0.0),
            cpu_seconds=ended.outcome.get("cpu_seconds", 0.0),
            peak_byte_count=ended.peak_byte_count,
            scratch_byte_count=ended.scratch_byte_count,
            request_counts=servers.request_counts(),
            server_cpu_seconds={name: after[name] - before[name] for name in after},
            put_byte_count=servers.traffic().since(traffic).received_byte_count,
            steps=ended.outcome.get("steps", {}),
            error=ended.error,
        )
        servers.set_latency(0)
        checked = _checked(measured, ended, assignment)
        if cell.is_read and contestant.is_read and checked.error is None:
            reads = list(measure_reads(_told(place), assignment, servers))
            checked = replace(checked, reads=reads)
        place.empty(assignment)
        _say_measured(checked)
        return checked

    def _run_process(
        self,
        python: Path,
        contestant: Contestant,
        assignment: Assignment,
        place: Place,
        *,
        is_rehearsal: bool = False,
    ) -> Ended:
        if is_rehearsal:
            assignment = replace(assignment, prefix=f"{assignment.prefix}-rehearsal")
        assignment.scratch.mkdir()
        told, outcome = _told(place), place.folder / "outcome.json"
        assignment.write(told)
        module = "tests.benchmarks.contestant"
        command: list[str | Path] = [python, "-m", module, contestant.name, told, outcome]
        try:
            return run_process(
                command + (["--rehearse"] if is_rehearsal else []),
                place.environment(assignment),
                scratch=assignment.scratch,
                outcome_path=outcome,
                timeout_seconds=self._options.timeout,
            )
        finally:
            shutil.rmtree(assignment.scratch)

    def _keep(self) -> None:
        self._results.save()
        if self._options.page is None:
            return
        try:
            write_page(self._results, self._options.page)
        except Exception as error:  # noqa: BLE001 (what is measured is kept, and the page told of)
            traceback.print_exc()
            self.page_error = f"the page was not written: {type(error).__name__}: {error}"
        else:
            self.page_error = None


def _checked(measured: Measurement, ended: Ended, assignment: Assignment) -> Measurement:
    """Return the measurement with what was found in the bucket."""
    if measured.error is not None:
        return measured
    if measured.steps:
        return replace(measured, seconds=0.0, cpu_seconds=sum(measured.steps.values()))
    pieces = [Piece(**fields) for fields in ended.outcome["pieces"]]
    try:
        return replace(measured, stored=check_stored(assignment, pieces))
    except (WrongRasterError, OSError) as error:
        return replace(measured, error=f"what it stored is wrong: {error}"[:500])


def _told(place: Place) -> Path:
    return place.folder / "assignment.json"


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _say_measured(measured: Measurement) -> None:
    servers = ", ".join(f"{n} {s:.1f}" for n, s in measured.server_cpu_seconds.items())
    _say(
        f"  {measured.contestant:16} {measured.seconds:7.2f} s, {measured.cpu_seconds:7.2f} CPU s, "
        f"{measured.peak_byte_count / 2**20:6.0f} MiB, scratch "
        f"{measured.scratch_byte_count / 2**20:6.0f} MiB, {measured.request_count} requests "
        f"(CPU s of {servers}){' FAILED: ' + measured.error if measured.error else ''}"
    )


def _read_compression(text: str) -> Compression:
    """Return "zstd:1:predictor" or "deflate:6" as a value."""
    name, level, *rest = text.split(":")
    return Compression(name, int(level), rest == ["predictor"])


def _options() -> argparse.Namespace:
    results = PROJECT_FOLDER / "build" / "benchmarks" / "results.json"
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--cells", nargs="*", default=[], help=f"of {[c.key for c in CELLS]}")
    parser.add_argument("--contestants", nargs="*", default=[], help="by name; default: all")
    parser.add_argument("--quick", action="store_true", help="two small cells; no page by default")
    parser.add_argument("--quick-mebibytes", type=int, default=64, metavar="N")
    parser.add_argument("--minutes", type=float, default=60, help="begin nothing after so long")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one contestant")
    parser.add_argument("--layout", default="cog", choices=("cog", "as_served"))
    parser.add_argument("--compression", type=_read_compression, default=_OWN_COMPRESSION)
    parser.add_argument("--page", type=Path, help="to be written; default: docs/performance.md")
    parser.add_argument("--results", type=Path, default=results, help="kept here; cells add up")
    parser.add_argument("--tmp", type=Path, help="where everything temporary is")
    return parser.parse_args()


def main() -> int:
    """Run what was chosen; 1 if anybody failed."""
    options = _options()
    if options.page is None and not options.quick:
        options.page = PROJECT_FOLDER / "docs" / "performance.md"
    cells = quick_cells(options.quick_mebibytes) if options.quick else CELLS
    unknown = set(options.cells) - {cell.key for cell in cells}
    if unknown:
        sys.exit(f"unknown cells {sorted(unknown)}; use one of {[cell.key for cell in cells]}")
    chosen = [cell for cell in cells if not options.cells or cell.key in options.cells]
    results = Results(options.results)
    with (
        interrupts_unwind(),
        tempfile.TemporaryDirectory(prefix="bench-", dir=options.tmp) as folder,
    ):
        bench = Bench(options, Path(folder), results)
        bench.run(chosen)
    failed = results.failures([cell.key for cell in chosen])
    failed += [bench.page_error] if bench.page_error else []
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
