"""A virtual environment as a user has it: the project's wheel, what that requires, and pytest.

The wheel is built anew each time, from a source distribution, so that a file which one of both
leaves out is missed. Everything else is as in ``constraints.txt`` and stays, below ``build/``.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from stack.environment import PROJECT_FOLDER
from stack.processes import StackError
from stack.uv import run_uv

DISTRIBUTION = "airflow-provider-earthengine"
_FOLDERS = PROJECT_FOLDER / "build" / "wheel"
_INSTALLED = ".installed"


def environment_folder() -> Path:
    """Return where the virtual environment is, or will be."""
    wanted = b"".join(
        (PROJECT_FOLDER / name).read_bytes() for name in ("setup.cfg", "constraints.txt")
    )
    return _FOLDERS / hashlib.sha256(wanted).hexdigest()[:12]


def is_installed() -> bool:
    """Say whether the virtual environment is complete."""
    return (environment_folder() / _INSTALLED).exists()


def install() -> None:
    """Build the wheel and put it into its environment; remove those of other requirements.

    :raises StackError: uv could not; the error holds what it said.
    """
    folder = environment_folder()
    if not is_installed():
        shutil.rmtree(_FOLDERS, ignore_errors=True)
        run_uv("venv", "--quiet", "--python", sys.executable, str(folder))
    (folder / _INSTALLED).unlink(missing_ok=True)
    distributions = folder / "dist"
    shutil.rmtree(distributions, ignore_errors=True)
    run_uv("build", "--quiet", "--out-dir", str(distributions), str(PROJECT_FOLDER))
    (wheel,) = distributions.glob("*.whl")
    run_uv(
        "pip",
        "install",
        "--python",
        str(folder / "bin" / "python"),
        "--constraint",
        str(PROJECT_FOLDER / "constraints.txt"),
        "--reinstall-package",
        DISTRIBUTION,
        f"{DISTRIBUTION}[emulator] @ {wheel.as_uri()}",
        "pytest",
    )
    (folder / _INSTALLED).touch()


if __name__ == "__main__":
    try:
        install()
    except StackError as error:
        sys.exit(f"wheel: {error}")
