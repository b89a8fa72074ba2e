"""A temporary Airflow: its own home and environment, SQLite, and the ``airflow`` command in it."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack.environment import PROJECT_FOLDER, child_environment, installed_program
from stack.processes import StackError, die_with_parent, end_group, interrupts_wait

DAGS_FOLDER = PROJECT_FOLDER / "dags"
SQLITE_FILE = "airflow.db"


@dataclass(frozen=True)
class AirflowHome:
    """A configured AIRFLOW_HOME with a migrated database.

    :param folder: everything that Airflow writes is below it.
    :param environment: the whole environment of the ``airflow`` command.
    :param program: the ``airflow`` command of the Airflow to use.
    """

    folder: Path
    environment: Mapping[str, str]
    program: Path = field(default_factory=lambda: installed_program("airflow"))

    def run(
        self, *arguments: str, timeout_seconds: float = 240
    ) -> subprocess.CompletedProcess[str]:
        """Run ``airflow ...`` and return its exit code and output, both streams as one text."""
        with self._started([str(self.program), *arguments], subprocess.PIPE) as process:
            try:
                output, _ = process.communicate(timeout=timeout_seconds)
            except subprocess.TimeoutExpired:
                text = f"airflow {' '.join(arguments)} did not end within {timeout_seconds:.0f} s"
                raise StackError(text) from None
        return subprocess.CompletedProcess(arguments, process.returncode, output, None)

    @contextlib.contextmanager
    def started_module(self, name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start a module of this project with Airflow's Python; it writes where this process does.

        It is ended, with what it started, when the block ends.
        """
        python = str(self.program.parent / "python")
        with self._started([python, "-m", name, *arguments], None, PROJECT_FOLDER) as process:
            yield process

    @contextlib.contextmanager
    def _started(
        self, command: list[str], output: int | None, folder: Path | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        with contextlib.ExitStack() as cleanup:
            with interrupts_wait():
                process = subprocess.Popen(
                    command,
                    env=dict(self.environment),
                    cwd=folder or self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                    preexec_fn=die_with_parent,  # noqa: PLW1509 (one system call, no lock taken)
                )
                cleanup.callback(end_group, process)
            yield process

    def migrate(self) -> None:
        """Create or upgrade the database."""
        result = self.run("db", "migrate")
        if result.returncode != 0:
            raise StackError(f"airflow db migrate failed:\n{result.stdout[-2000:]}")

    def test_dag(self, dag_id: str, date: str | None = None, conf: str | None = None) -> str:
        """Run ``airflow dags test`` and return its log.

        :param date: the logical date.
        :param conf: DAG params as JSON text.
        :raises FailedRunError: if the run failed; holds the log.
        """
        arguments = ["dags", "test", dag_id, *([date] if date else [])]
        result = self.run(*arguments, *(["--conf", conf] if conf else []))
        if result.returncode != 0:
            raise FailedRunError(f"airflow {' '.join(arguments)}", result.stdout)
        return result.stdout


class FailedRunError(StackError):
    """A DAG run failed.

    :param command: the command that was run.
    :param log: its whole output; the end is added to the error as a note, for tests.
    """

    def __init__(self, command: str, log: str) -> None:
        lines = log.strip().split("\n")
        errors = [line for line in lines if "Error" in line or "Exception" in line]
        reason = " ".join((errors or lines)[-1].split())
        super().__init__(f"{command} failed: {reason[:500]}")
        self.log = log
        self.add_note("\n".join(lines[-40:]))


@contextlib.contextmanager
def airflow_home(
    *,
    dags_folder: Path = DAGS_FOLDER,
    connections: Mapping[str, str],
    database_url: str | None = None,
    migrated_file: Path | None = None,
    program: Path | None = None,
    extra: Mapping[str, str] | None = None,
) -> Iterator[AirflowHome]:
    """Create an AIRFLOW_HOME with a migrated database; remove it when the block ends.

    :param connections: connection id -> JSON text.
    :param database_url: by default a SQLite file in the home; enough for ``airflow dags test``.
    :param migrated_file: a SQLite file of the same Airflow to copy, which saves the migration.
    :param program: the ``airflow`` command of another virtual environment.
    :param extra: additional environment variables.
    """
    folder = Path(tempfile.mkdtemp(prefix="airflow-home-"))
    try:
        database_file = folder / SQLITE_FILE
        url = database_url or f"sqlite:///{database_file}"
        settings = airflow_settings(folder, dags_folder, url, connections)
        environment = child_environment(folder, {**settings, **(extra or {})})
        if program is not None:
            environment["PATH"] = f"{program.parent}{os.pathsep}{environment['PATH']}"
        home = AirflowHome(folder, environment, program or installed_program("airflow"))
        if migrated_file is None:
            home.migrate()
        else:
            shutil.copyfile(migrated_file, database_file)
        yield home
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def airflow_settings(
    folder: Path, dags_folder: Path, database_url: str, connections: Mapping[str, str]
) -> dict[str, str]:
    """Return Airflow's configuration as environment variables."""
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        **{f"AIRFLOW_CONN_{name.upper()}": text for name, text in connections.items()},
    }
