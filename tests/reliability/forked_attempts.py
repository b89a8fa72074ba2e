"""Attempts at a download, each in a process of its own, which is forked from one that is warm.

A new interpreter takes seconds until it has imported all that a download needs; a fork does not.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import boto3  # noqa: F401  # warm
import ee  # noqa: F401  # warm
import pystac.extensions.file  # warm
import pystac.extensions.projection  # noqa: F401  # warm
import rasterio.warp  # noqa: F401  # warm
import shapely.geometry  # noqa: F401  # warm

from airflow_provider.earthengine.emulator.faults import ArmedFault
from tests.support.airflow_task import task_context
from tests.support.download_attempt import make_attempt, signal_at

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])
_SECONDS = 120


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: with URIs, with an error, or killed (then neither)."""

    uris: list[str] = field(default_factory=list)
    error: str = ""


class Attempt:
    """One attempt under way.

    :param fields: the operator's.
    :param scratch: where its scratch goes.
    :param kill: the moment at which it is killed, as ``tests.support.download_attempt`` says it,
        and by which signal, if not -9.
    :param context: facts of the task instance, and ``clear_number``.
    :param limit: the name of one of the system's limits, and how much more than it has at its start
        the process may take.
    """

    def __init__(
        self,
        fields: Mapping[str, Any],
        scratch: Path,
        kill: tuple[Any, ...] | None = None,
        context: Mapping[str, Any] | None = None,
        limit: tuple[str, int] | None = None,
    ) -> None:
        self._results, sender = _CONTEXT.Pipe(duplex=False)
        # The one that is warm has the environment of the test that came first.
        environment = {
            name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_")
        }
        arguments = (sender, dict(fields), environment, str(scratch), kill)
        arguments = (*arguments, dict(context or {}), limit)
        self.process: BaseProcess = _CONTEXT.Process(target=_run, args=arguments, daemon=True)
        self.process.start()
        sender.close()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None  # it was started
        return self.process.pid

    def wait(self, seconds: float = _SECONDS) -> Outcome:
        """Return how it ended; a killed one gives an empty outcome."""
        try:
            if not self._results.poll(seconds):
                raise TimeoutError(f"the attempt has not ended within {seconds} s")
            outcome: Outcome = self._results.recv()
        except EOFError:
            outcome = Outcome()
        finally:
            self.process.join(seconds if self.process.exitcode is None else 0)
            self._results.close()
        return outcome

    @property
    def was_killed(self) -> bool:
        return self.process.exitcode == -9


def wait_until_fired(armed: ArmedFault) -> None:
    """Wait until a fault has happened as often as it should: somebody waits for its answer."""
    deadline = time.monotonic() + _SECONDS
    while armed.remaining:
        assert time.monotonic() < deadline, armed
        time.sleep(0.01)


def _run(
    results: Connection,
    fields: Mapping[str, Any],
    environment: Mapping[str, str],
    scratch: str,
    kill: tuple[Any, ...] | None,
    context: Mapping[str, Any],
    limit: tuple[str, int] | None,
) -> None:
    os.environ.update(environment)
    tempfile.tempdir = scratch
    if kill:
        signal_at(*kill)
    if limit:
        _write_logs_nowhere()
    try:
        with _limited(*limit) if limit else nullcontext():
            uris = make_attempt(fields, task_context(**context))
        outcome = Outcome(uris=uris)
    except Exception as error:  # noqa: BLE001 - it is what the test looks at
        outcome = Outcome(error=f"{type(error).__name__}: {error}")
    results.send(outcome)


def _write_logs_nowhere() -> None:
    """Let no limit be met by a log line: whoever runs the tests may write them to a file.

    A task of Airflow sends its lines to its supervisor, through a socket.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        os.dup2(nowhere, output)
    os.close(nowhere)


@contextmanager
def _limited(name: str, more: int) -> Iterator[None]:
    """Let the process take so much more than it has, in the block; a file may be so long.

    To tell how the attempt ended takes memory, too.
    """
    have = {
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 1 + max(int(path.name) for path in Path("/proc/self/fd").iterdir()),
        "RLIMIT_AS": int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE,
    }
    number = getattr(resource, name)
    before = resource.getrlimit(number)
    resource.setrlimit(number, (have[name] + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(number, before)
