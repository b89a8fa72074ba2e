"""Additional virtual environments, created by uv."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from stack.environment import PROJECT_FOLDER, installed_program
from stack.processes import StackError

_INSTALLED = ".installed"


@dataclass(frozen=True)
class SideEnvironment:
    """A virtual environment beside the project's own.

    It is created below ``build/``, once per content of its recipe and interpreter.

    :param name: its folder below ``build/``.
    :param arguments: the arguments of ``uv pip install``.
    :param made_of: files of the project whose content decides what is installed.
    """

    name: str
    arguments: tuple[str, ...]
    made_of: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The path of the environment for the current content of the files."""
        digest = hashlib.sha256(f"{self.arguments} {sys.version} {PROJECT_FOLDER}".encode())
        for file in self.made_of:
            digest.update((PROJECT_FOLDER / file).read_bytes())
        return self._folders / digest.hexdigest()[:12]

    @property
    def is_installed(self) -> bool:
        """Whether the environment is complete."""
        return (self.folder / _INSTALLED).exists()

    @property
    def python(self) -> Path:
        """The path of its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def _folders(self) -> Path:
        return PROJECT_FOLDER / "build" / self.name

    def install(self) -> None:
        """Create the environment, unless it exists; remove those of other recipes.

        :raises StackError: if uv fails; holds its output.
        """
        if self.is_installed:
            return
        shutil.rmtree(self._folders, ignore_errors=True)
        run_uv("venv", "--python", sys.executable, str(self.folder))
        run_uv("pip", "install", "--python", str(self.python), *self.arguments)
        (self.folder / _INSTALLED).touch()


def run_uv(*arguments: str) -> None:
    """Run uv.

    :raises StackError: if it fails; holds its output.
    """
    command = [str(installed_program("uv")), *arguments]
    # Unlike all other children, it gets the caller's environment, which may name a package index.
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        raise StackError(f"uv {arguments[0]} failed: {result.stderr.strip()}")
