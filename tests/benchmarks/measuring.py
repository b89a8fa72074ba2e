"""One contestant's process, watched from outside: how long, how much, and what it asked."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stack.environment import PROJECT_FOLDER
from stack.processes import die_with_parent, end_group
from tests.benchmarks.contestant import peak_byte_count

_PAUSE_SECONDS = 0.05
_LAST_WORDS = 400


@dataclass(frozen=True)
class Measurement:
    """What one contestant took for one download.

    :param seconds: from the first line of the work to the last; no start of Python or Airflow.
    :param cpu_seconds: user and system, of the contestant's process and its children.
    :param peak_byte_count: VmHWM of its process.
    :param scratch_byte_count: the most that its files took on disk at one time.
    :param request_counts: what Earth Engine answered, by operation.
    :param server_cpu_seconds: what the two servers took meanwhile, by name.
    :param put_byte_count: what the bucket was sent, whatever became of it.
    :param stored: what was found in the bucket.
    :param steps: CPU seconds by name, where each step was measured alone.
    :param reads: what readers of the raster took: a row of the page each.
    :param error: why it failed, or why what it stored is wrong; None: neither.
    """

    contestant: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_byte_count: int = 0
    scratch_byte_count: int = 0
    request_counts: Mapping[str, int] = field(default_factory=dict)
    server_cpu_seconds: Mapping[str, float] = field(default_factory=dict)
    put_byte_count: int = 0
    stored: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, float] = field(default_factory=dict)
    reads: Sequence[Mapping[str, Any]] = field(default_factory=list)
    error: str | None = None

    @property
    def request_count(self) -> int:
        return sum(self.request_counts.values())

    @property
    def stored_byte_count(self) -> int:
        return int(self.stored.get("byte_count", 0))


@dataclass(frozen=True)
class Ended:
    """How a contestant's process ended.

    :param outcome: what it wrote itself; empty if it was killed.
    """

    code: int | None
    outcome: Mapping[str, Any]
    peak_byte_count: int
    scratch_byte_count: int
    last_words: str

    @property
    def error(self) -> str | None:
        if self.outcome:
            return self.outcome["error"]
        if self.code is None:
            return "not finished in time"
        return f"ended with code {self.code}: {self.last_words}"


def run_process(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    scratch: Path,
    outcome_path: Path,
    timeout_seconds: float,
) -> Ended:
    """Run a contestant to its end, and look at its memory and its files meanwhile."""
    outcome_path.unlink(missing_ok=True)
    log_path = outcome_path.with_suffix(".log")
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=PROJECT_FOLDER,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (one system call, no lock taken)
        )
    try:
        code, peak, scratch_peak = _watch(process, scratch, timeout_seconds)
    finally:
        end_group(process)
    outcome = json.loads(outcome_path.read_text()) if outcome_path.exists() else {}
    last_words = " / ".join(log_path.read_text(errors="replace").split("\n")[-4:])
    peak = max(peak, outcome.get("peak_byte_count", 0))
    return Ended(code, outcome, peak, scratch_peak, last_words[-_LAST_WORDS:].strip(" /"))


def _watch(
    process: subprocess.Popen[bytes], scratch: Path, timeout_seconds: float
) -> tuple[int | None, int, int]:
    """Return the exit code (None: too late), and the peaks of memory and of scratch."""
    deadline = time.monotonic() + timeout_seconds
    peak = scratch_peak = 0
    while process.poll() is None:
        peak = max(peak, peak_byte_count(process.pid))
        scratch_peak = max(scratch_peak, stored_byte_count(scratch))
        if time.monotonic() > deadline:
            return None, peak, scratch_peak
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PAUSE_SECONDS)
    return process.returncode, peak, scratch_peak


def stored_byte_count(folder: Path) -> int:
    """Return what the files of a folder take on disk; files come and go meanwhile."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(root) / name).stat().st_blocks * 512
    return total
