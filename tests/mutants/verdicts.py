"""What the tests of a room say of its mutants: mutmut runs them, in a folder of the room's own.

mutmut keeps each verdict until the function changes, so that a run that was ended goes on where it
was. A mutant that survived is tried again, for there may be new tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.rooms import PROJECT, Room
from tests.mutants.sample import Mutant

WORK = PROJECT / "build" / "mutants"
_LINKED = ("airflow_provider", "dags", "docs", "stack", "tests", "README.md", "Makefile")
# Of a mutant that nothing noticed: no test failed, there was none, the user ended it, not tried.
_UNNOTICED = {0, 5, 33, 2, None}
# A mistake that makes tests hang is noticed; a machine that is busy looks the same, once.
_TIMED_OUT = {-24, 24, 36, 152, 255}


def try_mutants(room: Room, mutants: Iterable[Mutant], jobs: int) -> dict[str, bool]:
    """Return which mutants are noticed by their tests, by their names."""
    folder = prepare_folder(room)
    wanted = list(mutants)
    codes = _codes(folder, wanted)
    again = _UNNOTICED | _TIMED_OUT
    _run(folder, [name for name, code in codes.items() if code in again], jobs)
    # mutmut forgets a verdict where it sees that the code or the room's tests are others now.
    codes = _codes(folder, wanted)
    _run(folder, [name for name, code in codes.items() if code is None], jobs)
    return {name: code not in _UNNOTICED for name, code in _codes(folder, wanted).items()}


def _run(folder: Path, names: list[str], jobs: int) -> None:
    if names:
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs), *names]
        environment = {**os.environ, "PYTHONPATH": ""}
        subprocess.run(command, cwd=folder, env=environment, check=True)


def prepare_folder(room: Room) -> Path:
    """Return a folder that looks like the project's to mutmut, with the room's settings."""
    folder = WORK / room.name
    folder.mkdir(parents=True, exist_ok=True)
    for name in _LINKED:
        if not (folder / name).exists():
            (folder / name).symlink_to(PROJECT / name)
    settings = {
        "source_paths": ["airflow_provider"],
        "only_mutate": [f"{room.source}/*"],
        "also_copy": [name for name in _LINKED if name not in {"airflow_provider", "tests"}],
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-m", room.marks],
        "pytest_add_cli_args_test_selection": list(room.tests),
        "track_dependencies": False,
        "timeout_constant": 5.0,
        # A test may leave threads, which a process that is forked from its own would wait for.
        "process_isolation": "forkserver",
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    project = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    text = "\n".join([project, "[tool.mutmut]", *lines, ""])
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def _codes(folder: Path, mutants: list[Mutant]) -> dict[str, int | None]:
    """Return mutmut's exit codes of the mutants, by their names; None: not tried."""
    codes: dict[str, int | None] = {}
    for path in {mutant.path for mutant in mutants}:
        verdicts = folder / "mutants" / f"{path}.meta"
        if verdicts.exists():
            codes |= json.loads(verdicts.read_text(encoding="utf-8"))["exit_code_by_key"]
    return {each.name: codes.get(each.name) for each in mutants}
