"""A complete Airflow on loopback: API server with the UI, DAG processor, triggerer and scheduler.

Each runs in its own process. Tasks run in the scheduler's LocalExecutor; the metadata database is
PostgreSQL, because SQLite fails with "database is locked" once tasks run next to a scheduler.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from stack.airflow import DAGS_FOLDER, AirflowHome, airflow_home
from stack.airflow_api import AirflowApi
from stack.postgres import Postgres
from stack.processes import LOOPBACK, ChildProcess, StackError, free_ports, running

# The user interface asks it for the logs of running tasks.
_LOG_SERVER = "log-server"
# Started in this order and stopped in reverse: the scheduler stops first, while the servers that it
# needs still answer. Without --skip-serve-logs, two of them would serve logs on all interfaces.
_COMPONENTS = {
    _LOG_SERVER: (),
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
}
_HEALTHY_PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


@dataclass(frozen=True)
class ScheduledAirflow:
    """A running Airflow.

    :param url: of the user interface and the API.
    :param log_folder: has one file per process; the logs of tasks are in the home.
    :param components: the processes by name: log-server, api-server, dag-processor, triggerer,
        scheduler.
    """

    url: str
    home: AirflowHome
    log_folder: Path
    components: dict[str, ChildProcess]

    def component(self, name: str) -> AbstractContextManager[ChildProcess]:
        """Run one of the processes until the block ends; a second one if it already runs."""
        return running(
            f"airflow {name}",
            self._log_server() if name == _LOG_SERVER else [self.home.program, *_COMPONENTS[name]],
            environment=self.home.environment,
            log_path=self.log_folder / f"{name}.log",
            grace_seconds=15,
        )

    def _log_server(self) -> list[str | Path]:
        """Return the command of Airflow's own server of logs, but on loopback."""
        port = self.home.environment["AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"]
        application = "airflow.utils.serve_logs.log_server:get_app"
        options = ["--factory", "--host", LOOPBACK, "--port", port, "--no-access-log"]
        return [self.home.program.parent / "python", "-m", "uvicorn", application, *options]


@contextlib.contextmanager
def scheduled_airflow(
    *,
    postgres: Postgres,
    connections: Mapping[str, str],
    log_folder: Path,
    dags_folder: Path = DAGS_FOLDER,
    extra: Mapping[str, str] | None = None,
    without: Collection[str] = (),
) -> Iterator[ScheduledAirflow]:
    """Run all of Airflow's processes until the block ends.

    :param log_folder: gets one file per process.
    :param without: the processes that are not needed, by name.
    """
    url = f"http://{LOOPBACK}:{free_ports(1)[0]}"
    settings = {**_server_settings(url), **(extra or {})}
    with contextlib.ExitStack() as parts:
        home = parts.enter_context(
            airflow_home(
                dags_folder=dags_folder,
                connections=connections,
                database_url=postgres.airflow_url,
                extra=settings,
            )
        )
        airflow = ScheduledAirflow(url, home, log_folder, {})
        for name in (each for each in _COMPONENTS if each not in without):
            airflow.components[name] = parts.enter_context(airflow.component(name))

        def is_healthy() -> bool:
            children = airflow.components.values()
            ended = [child for child in children if child.process.poll() is not None]
            if ended:
                raise StackError(f"{ended[0].name} ended: {ended[0].last_words()}")
            return all(state == "healthy" for state in _health(url, without))

        airflow.components["api-server"].wait_until(is_healthy, timeout_seconds=120)
        yield airflow


def _server_settings(url: str) -> dict[str, str]:
    port = url.rpartition(":")[2]
    log_port = str(free_ports(1)[0])
    return {
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        # Where logs are asked for; the default queries DNS.
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "airflow_provider.earthengine.demo.processes.loopback",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": log_port,
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": log_port,
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        # A killed worker is noticed within seconds instead of five minutes.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
        # With the default of 5 a finished task blocks its slot for up to five seconds.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    }


def _health(url: str, without: Collection[str]) -> list[str]:
    """Return the state of each part as text; "unreachable" if the API does not answer."""
    try:
        answer = AirflowApi(url).ask("GET", "/api/v2/monitor/health")
    except OSError:
        return ["unreachable"]
    return [
        str((answer.get(part) or {}).get("status"))
        for part in _HEALTHY_PARTS
        if part not in without
    ]
