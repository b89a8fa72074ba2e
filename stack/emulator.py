"""The Earth Engine emulator as a child process."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_provider.earthengine.demo.servers import CATALOG_FOLDER as DEMO_CATALOG_FOLDER
from airflow_provider.earthengine.demo.servers import PROJECT as DEMO_PROJECT
from stack.environment import PROJECT_FOLDER, child_environment
from stack.processes import ChildProcess, running

CATALOG_FOLDER = PROJECT_FOLDER / "tests" / "data" / "catalog"
_READY = re.compile(r"^Earth Engine emulator ready at (http://\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Emulator:
    """The emulator's URL and Google Cloud project."""

    url: str
    project: str
    process_id: int

    @property
    def airflow_connection(self) -> str:
        """The JSON text for AIRFLOW_CONN_EARTHENGINE_DEFAULT."""
        return earthengine_connection(self.url, self.project)


def earthengine_connection(url: str, project: str) -> str:
    """Return the JSON text of an anonymous ``earthengine`` connection to this endpoint."""
    extra = {"project": project, "endpoint_url": url, "auth": "anonymous"}
    return json.dumps({"conn_type": "earthengine", "extra": extra})


@contextlib.contextmanager
def emulator(
    folder: Path,
    *,
    catalog: Path = CATALOG_FOLDER,
    project: str = "demo",
    options: Sequence[str] = (),
) -> Iterator[Emulator]:
    """Run the emulator on a free loopback port until the block ends.

    :param folder: its home, where its log is written.
    :param options: additional command-line options.
    """
    module = "airflow_provider.earthengine.emulator"
    command: list[str | Path] = [sys.executable, "-m", module, "--port", "0"]
    command += ["--catalog", catalog, "--project", project, *options]
    with running(
        "The Earth Engine emulator",
        command,
        environment=child_environment(folder),
        log_path=folder / "emulator.log",
    ) as child:
        yield Emulator(url=_ready_url(child), project=project, process_id=child.pid)


def demo_emulator(folder: Path) -> contextlib.AbstractContextManager[Emulator]:
    """Run the emulator with the catalog of the demo, which has the assets of all example DAGs."""
    return emulator(folder, catalog=DEMO_CATALOG_FOLDER, project=DEMO_PROJECT)


def _ready_url(child: ChildProcess) -> str:
    child.wait_until(lambda: _READY.search(child.log_text()) is not None, timeout_seconds=60)
    match = _READY.search(child.log_text())
    assert match is not None  # wait_until saw it, and the log only grows
    return match.group(1)
