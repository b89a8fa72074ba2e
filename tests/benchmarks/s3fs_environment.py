"""A virtual environment with geedim and s3fs, below ``build/``.

s3fs wants a botocore of its own choice, and Airflow's Amazon provider another. geedim, rasterio and
numpy are those of the project's environment.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from stack.environment import PROJECT_FOLDER, installed_program
from stack.processes import StackError

_FOLDERS = PROJECT_FOLDER / "build" / "geedim-s3fs"
_SAME = ("geedim", "earthengine-api", "numpy", "rasterio")
_S3FS = "s3fs==2026.9.0"
_INSTALLED = ".installed"


def s3fs_python() -> Path:
    """Return the interpreter of the environment, made now unless it is there.

    :raises StackError: it could not be made; the error holds what uv said.
    """
    wanted = [*(f"{name}=={version(name)}" for name in _SAME), _S3FS, "boto3"]
    folder = _FOLDERS / hashlib.sha256(" ".join(wanted).encode()).hexdigest()[:12]
    python = folder / "bin" / "python"
    if not (folder / _INSTALLED).exists():
        shutil.rmtree(_FOLDERS, ignore_errors=True)
        _run_uv("venv", "--python", sys.executable, str(folder))
        _run_uv("pip", "install", "--python", str(python), *wanted)
        (folder / _INSTALLED).touch()
    return python


def _run_uv(*arguments: str) -> None:
    command = [str(installed_program("uv")), *arguments]
    # The caller's environment, unlike that of all other children: it may name the package index.
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        raise StackError(f"uv {arguments[0]} failed: {result.stderr.strip()}")
