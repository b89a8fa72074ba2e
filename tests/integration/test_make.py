"""The commands of the Makefile that no other test runs: without venv, and the kept stack."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from stack.environment import PROJECT_FOLDER, child_environment

# An interpreter as far as the Makefile looks: its version, and a venv that holds itself and a uv.
INTERPRETER = """#!/bin/sh
case "$*" in
  --version) echo "Python {version}";;
  *sys.version\\)) echo "{version} (main)";;
  "-c "*) {suits};;
  "-m venv --clear .venv")
    rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python
    printf '#!/bin/sh\\nexit 0\\n' > .venv/bin/uv; chmod +x .venv/bin/uv
    echo "command = $0 -m venv $(pwd -P)/.venv" > .venv/pyvenv.cfg;;
esac
"""


def make(
    folder: Path, target: str, *variables: str, **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """Run make; a variable of the environment that is None is not set."""
    given = {**child_environment(folder), **environment}
    return subprocess.run(
        ["make", "--no-print-directory", target, *variables],
        cwd=folder, env={name: text for name, text in given.items() if text is not None},
        timeout=400, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def lines_of(result: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in result.stdout.splitlines() if not line.startswith("make: ***")]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What `make install` reads, in a folder with a blank and an umlaut; not a git repository."""
    folder = tmp_path / "ein Ort für Klone"
    folder.mkdir()
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT_FOLDER / name, folder)
    return folder


def interpreter(folder: Path, name: str, version: str, suits: str = "exit 0") -> Path:
    program = folder / name
    folder.mkdir(exist_ok=True)
    program.write_text(INTERPRETER.format(version=version, suits=suits))
    program.chmod(0o755)
    return program


def test_a_python_without_venv_is_told_in_one_line_what_to_install(clone: Path) -> None:
    programs = clone / "bin"
    programs.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (programs / name).write_text("#!/bin/sh\necho 'No module named venv' >&2\nexit 1\n")
        (programs / name).chmod(0o755)
    result = make(clone, "install", PATH=f"{programs}:/usr/bin:/bin")
    assert result.returncode != 0
    (line,) = lines_of(result)
    assert "Python 3.11 or newer with venv is needed" in line
    assert "apt-get install python3 python3-venv" in line
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize("target", ["install", "test", "demo", "fuzz"])
def test_a_python_that_is_too_old_is_told_in_one_line_with_its_version(
    clone: Path, target: str
) -> None:
    old = interpreter(clone / "bin", "python3", "3.10.13", suits="exit 1")
    for name in ("python3.11", "python3.12", "python3.13"):
        interpreter(clone / "bin", name, "", suits="exit 1")
    found = make(clone, target, PATH=f"{old.parent}:/usr/bin:/bin")
    named = make(clone, target, f"PYTHON={old}", PATH="/usr/bin:/bin")
    for result, name in ((found, "python3"), (named, str(old))):
        assert result.returncode != 0
        (line,) = lines_of(result)
        assert line.startswith(f"{name} is Python 3.10.13, and Python 3.11 or newer with venv is")
    assert not (clone / ".venv").exists()


def test_a_python_that_is_none_is_named(clone: Path) -> None:
    (line,) = lines_of(make(clone, "install", "PYTHON=/nowhere/python"))
    assert line.startswith("/nowhere/python does not run, and Python 3.11 or newer with venv is")


def test_a_venv_of_another_interpreter_or_folder_is_made_anew_and_any_other_kept(
    clone: Path, tmp_path: Path
) -> None:
    older = interpreter(tmp_path / "older", "python3", "3.12.1")
    newer = interpreter(tmp_path / "newer", "python3", "3.13.0")
    # As a user without a home directory, or whose home is not there.
    for home in (None, "/nonexistent"):
        assert make(clone, "install", f"PYTHON={older}", HOME=home).returncode == 0
    python = clone / ".venv" / "bin" / "python"
    kept = clone / ".venv" / "kept"
    kept.touch()
    for same in (f"PYTHON={older}", "PYTHON="):
        assert make(clone, "install", same).stdout == "make: Nothing to be done for 'install'.\n"
    assert kept.exists()

    said = make(clone, "install", f"PYTHON={newer}").stdout
    assert f".venv is made anew: it is not {newer}'s but Python 3.12.1's" in said
    assert "3.13.0" in python.read_text()
    assert not kept.exists()

    moved = clone.rename(tmp_path / "ein anderer Ort")
    said = make(moved, "install", PATH=f"{newer.parent}:/usr/bin:/bin").stdout
    assert ".venv is made anew: it was made in another folder" in said
    assert str(moved) in (moved / ".venv" / "pyvenv.cfg").read_text()


@pytest.mark.slow
def test_a_clone_without_git_and_home_in_an_odd_place_is_installed_and_tests_itself(
    tmp_path: Path,
) -> None:
    clone = tmp_path / "ein Ort für Klone"
    shutil.copytree(
        PROJECT_FOLDER, clone,
        ignore=shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache"),
    )  # fmt: skip
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in [*Path("/bin").iterdir(), *Path("/usr/bin").iterdir()]:
        if not program.name.startswith("git") and not (programs / program.name).is_symlink():
            (programs / program.name).symlink_to(program)
    # The network is needed for this alone: how to reach the package index is the caller's affair.
    index = {name: text for name, text in os.environ.items() if name.startswith(("PIP_", "UV_"))}
    open_network = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"))
    nowhere: dict[str, Any] = {"HOME": "/nonexistent", "PATH": str(programs)}
    installed = make(
        clone, "install", f"PYTHON={sys.executable}", **index, **open_network, **nowhere
    )
    assert installed.returncode == 0, installed.stdout

    linted = make(clone, "lint", **nowhere)
    assert linted.returncode == 0, linted.stdout
    tested = subprocess.run(
        [clone / ".venv" / "bin" / "python", "-m", "pytest", "-q", "tests/unit/download/plan",
         "tests/integration/test_demo_parts.py", "tests/emulator/test_golden.py"],
        cwd=clone, env={**child_environment(clone), **nowhere}, timeout=900,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert "set EARTHENGINE_GOLDEN_FILES to the folder" in tested.stdout


def get(url: str, token: str = "") -> Any:
    request = urllib.request.Request(url)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        return json.load(answer)


def wait_for_dags(airflow: str, token: str, wanted: set[str]) -> None:
    deadline = time.monotonic() + 120
    while True:
        found = {dag["dag_id"] for dag in get(f"{airflow}/api/v2/dags", token)["dags"]}
        if wanted <= found:
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


@pytest.mark.slow
def test_a_kept_stack_has_an_interface_with_the_connection_form_and_stops_when_told(
    tmp_path: Path,
) -> None:
    addresses = PROJECT_FOLDER / "build" / "kept" / "addresses.json"
    assert not addresses.exists(), "a kept stack is running: `make down` first"
    environment = child_environment(tmp_path)

    def kept(command: str) -> str:
        result = subprocess.run(
            ["make", "--no-print-directory", command], cwd=PROJECT_FOLDER, env=environment,
            timeout=400, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout
        return result.stdout

    try:
        said = kept("up")
        urls = json.loads(addresses.read_text())
        assert all(url in said for url in urls.values())
        airflow = urls["airflow"]
        token = get(f"{airflow}/auth/token")["access_token"]
        wait_for_dags(airflow, token, {"landsat_to_s3", "sentinel2_daily"})
        forms = get(f"{airflow}/ui/connections/hook_meta", token)
        (form,) = (each for each in forms if each["connection_type"] == "earthengine")
        assert {"project", "auth", "keyfile_dict", "endpoint_url"} <= set(form["extra_fields"])
    finally:
        stopped = kept("down")
    assert "stopped" in stopped
    assert not addresses.exists()
    with pytest.raises(OSError, match="refused"):
        get(f"{airflow}/api/v2/version")
