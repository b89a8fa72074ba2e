"""A real Airflow beside the test: its own home, its own processes, the session's servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from stack import oldest
from stack.airflow import AirflowHome, airflow_home
from stack.emulator import earthengine_connection

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator
    from stack.seaweedfs import SeaweedFS

MakeAirflow = Callable[..., AirflowHome]


@pytest.fixture
def make_airflow(emulator: Emulator, s3: SeaweedFS, migrated_file: Path) -> Iterator[MakeAirflow]:
    """Return a function that makes an AIRFLOW_HOME whose connections are the session's servers."""
    connections = {
        "earthengine_default": earthengine_connection(emulator.url, "demo"),
        "aws_default": s3.airflow_connection,
    }
    with ExitStack() as homes:

        def make(dags_folder: Path, version: Literal["newest", "oldest"] = "newest") -> AirflowHome:
            is_newest = version == "newest"
            home = airflow_home(
                dags_folder=dags_folder,
                connections=connections,
                migrated_file=migrated_file if is_newest else None,
                program=None if is_newest else oldest_program(),
            )
            return homes.enter_context(home)

        yield make


def oldest_program() -> Path:
    """Return the ``airflow`` command of the oldest Airflow; fail where it is not installed."""
    if not oldest.ENVIRONMENT.is_installed:
        pytest.fail("the oldest Airflow is not installed: run `make oldest-airflow` (once)")
    return oldest.ENVIRONMENT.folder / "bin" / "airflow"
