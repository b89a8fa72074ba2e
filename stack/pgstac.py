"""A virtual environment with pypgstac, for the test that pgstac takes the items.

It is apart, because pypgstac and Airflow do not agree on cachetools. The database is the
distribution's PostgreSQL with PostGIS: the wheel of the other tests has no PostGIS.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stack.environment import PROJECT_FOLDER
from stack.processes import StackError
from stack.uv import run_uv

VERSION = "0.10.0"
_FOLDER = PROJECT_FOLDER / "build" / "pgstac" / VERSION
_INSTALLED = _FOLDER / ".installed"


def pypgstac() -> Path | None:
    """Return the program; None if it is not installed."""
    return _FOLDER / "bin" / "pypgstac" if _INSTALLED.exists() else None


def postgis_programs() -> Path | None:
    """Return the folder of a PostgreSQL server's programs that has PostGIS; None if none has."""
    for control in sorted(Path("/usr/share/postgresql").glob("*/extension/postgis.control")):
        programs = Path("/usr/lib/postgresql") / control.parents[1].name / "bin"
        if (programs / "initdb").exists():
            return programs
    return None


def install() -> None:
    """Make the environment, unless it exists.

    :raises StackError: if uv fails; holds its output.
    """
    if pypgstac():
        return
    run_uv("venv", "--clear", "--python", sys.executable, str(_FOLDER))
    python = str(_FOLDER / "bin" / "python")
    run_uv("pip", "install", "--python", python, f"pypgstac[psycopg]=={VERSION}")
    _INSTALLED.touch()


if __name__ == "__main__":
    try:
        install()
    except StackError as error:
        sys.exit(f"pgstac: {error}")
