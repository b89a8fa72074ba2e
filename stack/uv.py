"""Additional virtual environments, created by uv."""

from __future__ import annotations

import subprocess

from stack.environment import installed_program
from stack.processes import StackError


def run_uv(*arguments: str) -> None:
    """Run uv.

    :raises StackError: if it fails; holds its output.
    """
    command = [str(installed_program("uv")), *arguments]
    # Unlike all other children, it gets the caller's environment, which may name a package index.
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        raise StackError(f"uv {arguments[0]} failed: {result.stderr.strip()}")
