"""``python -m airflow_provider.earthengine.demo`` shows a download, and leaves nothing running."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import rasterio

from airflow_provider.earthengine.demo.__main__ import main
from airflow_provider.earthengine.demo.folder import held_folder
from airflow_provider.earthengine.demo.servers import CATALOG_FOLDER
from airflow_provider.earthengine.demo.show import REGION
from stack.emulator import CATALOG_FOLDER as TEST_CATALOG_FOLDER
from stack.environment import child_environment

STAYS = "The servers run until Ctrl-C."


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a demo that cannot start; return what it says."""
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1, "one line"
    assert errors.startswith("demo: ")
    return errors


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--emulator-port", "--s3-port"])
def test_a_port_that_is_taken_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        said = refusal(capsys, "--folder", str(tmp_path / "demo"), option, port)
    assert f"port {port} of 127.0.0.1 cannot be used" in said
    assert "name another" in said


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    said = refusal(capsys, "--folder", str(tmp_path / "file" / "demo"))
    assert f"nothing can be written to {tmp_path}/file/demo" in said


def test_a_second_demo_in_a_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with held_folder(tmp_path):
        assert f"another demo runs in {tmp_path}" in refusal(capsys, "--folder", str(tmp_path))


def test_what_a_killed_demo_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    with held_folder(tmp_path) as left:
        pass
    left.mkdir()
    (left / "object").touch()
    (tmp_path / ".lock").write_text(str(left))
    with held_folder(tmp_path):
        assert not left.exists()
    mine = tmp_path / "earthengine-demo-mine"
    mine.mkdir()
    (tmp_path / ".lock").write_text(str(mine))
    with held_folder(tmp_path):
        assert mine.exists(), "it is not in the folder of temporary files"


@pytest.mark.parametrize("name", ["landsat7_olinda", "dem_olinda"])
def test_the_real_scenes_of_the_catalog_are_those_of_the_tests(name: str) -> None:
    path = Path("projects/demo/assets") / f"{name}.tif"
    assert (CATALOG_FOLDER / path).read_bytes() == (TEST_CATALOG_FOLDER / path).read_bytes()


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo in a folder of its own, as a child."""
    with subprocess.Popen(
        [sys.executable, "-m", "airflow_provider.earthengine.demo", *arguments],
        cwd=folder, env=child_environment(folder),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)


def read_until_it_stays(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if STAYS in line:
            return "".join(lines)
    pytest.fail("".join(lines))


def is_used_by_a_process(folder: Path) -> bool:
    """Return whether the command line of any process names the folder."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # It has just ended.
            if str(folder).encode() in process.read_bytes():
                return True
    return False


def answers(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


# A PNG has no place on Earth, and rasterio warns of that.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_demo_shows_a_download_and_ctrl_c_stops_everything(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        said = read_until_it_stays(process)
        exports = re.findall(r"^export .*$", said, re.MULTILINE)
        variables = dict(shlex.split(line)[1].split("=", 1) for line in exports)
        environment = {**child_environment(tmp_path), **variables}
        verified = subprocess.run(
            [sys.executable, "-m", "airflow_provider.earthengine.cli", "verify", "s3://demo/"],
            env=environment, cwd=tmp_path, timeout=120, capture_output=True, text=True,
        )  # fmt: skip
        assert verified.returncode == 0, verified
        assert verified.stdout.count("is as recorded") == 2
        urls = set(re.findall(r"http://127\.0\.0\.1:\d+", said))
        assert len(urls) == 2
        assert all(answers(url) for url in urls)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert (process.returncode, rest.strip()) == (0, "Stopped.")
    assert not any(answers(url) for url in urls)

    folder = tmp_path / "earthengine-demo"
    assert (folder / "connections.sh").read_text().splitlines() == exports
    item = json.loads((folder / "scene.tif.json").read_text())
    west, south, east, north = REGION
    left, bottom, right, top = item["bbox"]
    assert (left < east, right > west, bottom < north, top > south) == (True,) * 4
    with rasterio.open(folder / "scene.png") as picture:
        red, _, blue, alpha = picture.read().astype(float)
    assert min(red.std(), blue.std()) > 20, "a picture of something"
    assert (red != blue).mean() > 0.5, "in colour"
    assert (alpha == 255).all()


@pytest.mark.slow
def test_after_a_kill_the_demo_starts_again_in_the_same_folder(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        said = read_until_it_stays(process)
        left = Path((tmp_path / "earthengine-demo" / ".lock").read_text())
        process.kill()
        process.wait(60)
    assert left.exists()
    # The S3 server ends with its parent.
    deadline = time.monotonic() + 60
    urls = re.findall(r"http://127\.0\.0\.1:\d+", said)
    while any(answers(url) for url in urls) or is_used_by_a_process(left):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with demo(tmp_path, "--once") as again:
        output, _ = again.communicate(timeout=240)
    assert again.returncode == 0, output
    assert not left.exists()
