"""Many downloads in one process, and what they take of it as time goes on."""

from __future__ import annotations

import gc
import json
import logging
import multiprocessing
import os
import resource
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.support.airflow_task import task_context
from tests.support.download_attempt import EarthEngineToS3Operator

# Some milliseconds of work.
_YARDSTICK = list(range(20_000))
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Sample:
    """What the process had after some downloads.

    :param seconds: of processor time a download, since the last sample.
    :param yardstick_seconds: of processor time a piece of work that is always the same, done after
        each download: how fast the processor was meanwhile, which depends on what else it does.
    """

    downloads: int
    seconds: float
    yardstick_seconds: float
    memory_byte_count: int
    files: int
    threads: int

    @property
    def cost(self) -> float:
        """A download's time in pieces of that work."""
        return self.seconds / self.yardstick_seconds


def sample_downloads(
    fields: Mapping[str, Any], count: int, every: int, scratch: Path
) -> list[Sample]:
    """Return a sample after every so many of the downloads, each under a name of its own."""
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    environment = {key: text for key, text in os.environ.items() if key.startswith("AIRFLOW_")}
    arguments = (sender, dict(fields), environment, count, every, str(scratch))
    process = _CONTEXT.Process(target=_download, args=arguments, daemon=True)
    process.start()
    sender.close()
    samples = [receiver.recv() for _ in range(count // every)]
    process.join()
    receiver.close()
    return samples


def _download(
    sender: Connection,
    fields: Mapping[str, Any],
    environment: Mapping[str, str],
    count: int,
    every: int,
    scratch: str,
) -> None:
    os.environ.update(environment)
    tempfile.tempdir = scratch
    logging.disable(logging.WARNING)
    seconds = yardstick = 0.0
    for number in range(1, count + 1):
        started = time.process_time()
        params = {**fields["download_params"], "name": f"scene-{number}"}
        operator = EarthEngineToS3Operator(
            task_id=f"download-{number}", **{**fields, "download_params": params}
        )
        operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
        seconds += (done := time.process_time()) - started
        json.loads(json.dumps(_YARDSTICK))
        yardstick += time.process_time() - done
        if number % every == 0:
            gc.collect()
            sender.send(_sample(number, seconds / every, yardstick / every))
            seconds = yardstick = 0.0


def _sample(downloads: int, seconds: float, yardstick_seconds: float) -> Sample:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Sample(
        downloads,
        seconds,
        yardstick_seconds,
        pages * resource.getpagesize(),
        len(list(Path("/proc/self/fd").iterdir())),
        threading.active_count(),
    )
