"""A virtual environment like a user's: the project's wheel, its requirements, and pytest.

The wheel is rebuilt each time, from a source distribution, so that a file missing from either is
noticed. Everything else is as in ``constraints.txt`` and is kept, below ``build/``.
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
    """Return the path of the virtual environment."""
    requirements = [
        (PROJECT_FOLDER / name).read_bytes() for name in ("setup.cfg", "constraints.txt")
    ]
    wanted = b"".join([*requirements, f"{sys.version} {PROJECT_FOLDER}".encode()])
    return _FOLDERS / hashlib.sha256(wanted).hexdigest()[:12]


def is_installed() -> bool:
    """Return whether the virtual environment is complete."""
    return (environment_folder() / _INSTALLED).exists()


def install() -> Path:
    """Build the wheel and install it into its environment; remove those for other requirements.

    :return: the wheel.
    :raises StackError: if uv fails; holds its output.
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
        f"{DISTRIBUTION}[demo] @ {wheel.as_uri()}",
        "pytest",
    )
    (folder / _INSTALLED).touch()
    return wheel


if __name__ == "__main__":
    try:
        print(f"{install()}\ninstalled in {environment_folder()}")
    except StackError as error:
        sys.exit(f"wheel: {error}")
