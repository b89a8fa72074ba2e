"""A bar for the tiles of a download, from what the download logs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from airflow_provider.earthengine.download.fetch.progress import Progress as FetchProgress

_PACKAGE = "airflow_provider.earthengine"


class _BarHandler(logging.Handler):
    """Moves a bar to what the last line about tiles says."""

    def __init__(self, bar: Progress) -> None:
        super().__init__(logging.INFO)
        self._bar = bar
        self._task = bar.add_task("Asking Earth Engine", total=None)

    def emit(self, record: logging.LogRecord) -> None:
        told = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if isinstance(told, FetchProgress):
            self._bar.update(
                self._task,
                description=str(told),
                completed=told.done,
                total=told.tile_count,
            )
        elif record.levelno >= logging.WARNING:
            self._bar.console.print(record.getMessage(), markup=False)


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Keep log lines out of standard output while the block runs, which is for results.

    Airflow's own go to standard error; this package's are dropped, unless a handler of its own
    shows them.
    """
    logger = logging.getLogger(_PACKAGE)
    before = logger.propagate
    logger.propagate = False
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        logger.propagate = before


@contextmanager
def showing_progress(*, is_shown: bool) -> Iterator[None]:
    """Show a bar on standard error while the block runs, if that is a terminal."""
    if not is_shown or not sys.stderr.isatty():
        yield
        return
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    logger = logging.getLogger(_PACKAGE)
    before = logger.level
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        handler = _BarHandler(bar)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.setLevel(before)
            logger.removeHandler(handler)
