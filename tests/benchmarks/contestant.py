"""The process of one contestant: ``python -m tests.benchmarks.contestant NAME ASSIGNMENT OUTCOME``.

It writes what only the process itself knows: the seconds and processor seconds between the first
line of the work and the last, or those of each step that is measured alone, and its largest memory.
The start of Python, and of Airflow where the
contestant is an Airflow task, is not work; its memory counts.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import resource
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.assignment import read_assignment
from tests.benchmarks.contestants import known


def peak_byte_count(process_id: int | str = "self") -> int:
    """Return VmHWM: the most memory that a process had, in bytes; 0 if it is gone."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def cpu_seconds() -> float:
    """Return user and system seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Do the work and write the outcome, also of a failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("assignment", type=Path)
    parser.add_argument("outcome", type=Path)
    parser.add_argument("--rehearse", action="store_true")
    options = parser.parse_args()
    contestant = known(options.name)
    assignment = read_assignment(options.assignment)
    module = importlib.import_module(f"tests.benchmarks.{contestant.module}")
    if hasattr(module, "prepare"):
        module.prepare()
    outcome: dict[str, Any] = {"error": None, "pieces": [], "steps": {}}
    seconds, cpu = time.perf_counter(), cpu_seconds()
    try:
        if contestant.is_in_steps:
            outcome["steps"] = module.measure(assignment)
        else:
            work = module.rehearse if options.rehearse else module.run
            pieces = work(assignment, contestant.variant)
            outcome["pieces"] = [asdict(piece) for piece in pieces]
    except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
        traceback.print_exc()
        outcome["error"] = f"{type(error).__name__}: {error}"[:500]
    outcome |= {
        "seconds": time.perf_counter() - seconds,
        "cpu_seconds": cpu_seconds() - cpu,
        "peak_byte_count": peak_byte_count(),
    }
    options.outcome.write_text(json.dumps(outcome))


if __name__ == "__main__":
    main()
