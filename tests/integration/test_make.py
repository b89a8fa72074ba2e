"""The commands of the Makefile that no other test runs: without venv, and the kept stack."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from stack.environment import PROJECT_FOLDER, child_environment


def make(folder: Path, target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", target],
        cwd=folder, env={**child_environment(folder), **environment}, timeout=400,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_a_python_without_venv_is_told_in_one_line_what_to_install(tmp_path: Path) -> None:
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT_FOLDER / name, tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (programs / name).write_text("#!/bin/sh\necho 'No module named venv' >&2\nexit 1\n")
        (programs / name).chmod(0o755)
    result = make(tmp_path, "install", PATH=f"{programs}:/usr/bin:/bin")
    assert result.returncode != 0
    lines = [line for line in result.stdout.splitlines() if not line.startswith("make: ***")]
    assert len(lines) == 1, result.stdout
    assert "Python 3.11 or newer with venv is needed" in lines[0]
    assert "apt-get install python3 python3-venv" in lines[0]
    assert not (tmp_path / ".venv").exists()


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
