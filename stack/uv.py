"""Virtual environments besides the project's own, made by uv."""

from __future__ import annotations

import subprocess

from stack.environment import installed_program
from stack.processes import StackError


def run_uv(*arguments: str) -> None:
    """Run uv.

    :raises StackError: it could not do it; the error holds what it said.
    """
    command = [str(installed_program("uv")), *arguments]
    # The caller's environment, unlike that of all other children: it may name the package index.
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        raise StackError(f"uv {arguments[0]} failed: {result.stderr.strip()}")
