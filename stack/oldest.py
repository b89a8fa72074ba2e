"""A virtual environment at the lower end of the version ranges, for one smoke test.

Every direct requirement of ``setup.cfg`` is installed at the lowest version in its range, and
everything else as of a day when that Airflow was current, because an old Airflow does not run with
newer libraries. It is created below ``build/``, once per
content of ``setup.cfg`` and interpreter.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from stack.environment import PROJECT_FOLDER
from stack.processes import StackError
from stack.uv import run_uv

AIRFLOW_VERSION = "3.1.8"
_LAST_DAY = "2026-04-01"
_FOLDERS = PROJECT_FOLDER / "build" / "oldest-airflow"
_INSTALLED = ".installed"


def environment_folder() -> Path:
    """Return the path of the virtual environment for the current ``setup.cfg``."""
    here = f"{AIRFLOW_VERSION} {_LAST_DAY} {sys.version} {PROJECT_FOLDER}"
    wanted = (PROJECT_FOLDER / "setup.cfg").read_bytes() + here.encode()
    return _FOLDERS / hashlib.sha256(wanted).hexdigest()[:12]


def is_installed() -> bool:
    """Return whether the virtual environment is complete."""
    return (environment_folder() / _INSTALLED).exists()


def install() -> None:
    """Create the virtual environment, unless it exists; remove those for other ranges.

    :raises StackError: if uv fails; holds its output.
    """
    if is_installed():
        return
    shutil.rmtree(_FOLDERS, ignore_errors=True)
    folder = environment_folder()
    run_uv("venv", "--python", sys.executable, str(folder))
    run_uv(
        "pip",
        "install",
        "--python",
        str(folder / "bin" / "python"),
        "--resolution=lowest-direct",
        f"--exclude-newer={_LAST_DAY}",
        f"apache-airflow=={AIRFLOW_VERSION}",
        "--editable",
        str(PROJECT_FOLDER),
    )
    (folder / _INSTALLED).touch()


if __name__ == "__main__":
    try:
        install()
    except StackError as error:
        sys.exit(f"oldest Airflow: {error}")
