"""``make demo`` shows what it promises, and leaves nothing running, however it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import rasterio

from stack.airflow import DAGS_FOLDER
from stack.environment import PROJECT_FOLDER, child_environment
from tests.support.dag_files import dag_ids

pytestmark = pytest.mark.slow

_RUN = "import sys; from pathlib import Path; from stack.demo import main; sys.exit(main({}))"


MISSING = "missing_asset"
MISSING_ASSET = f"""
from airflow.sdk import DAG
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

with DAG({MISSING!r}):
    EarthEngineToS3Operator(
        task_id="download",
        image="projects/demo/assets/nothing",
        download_params={{"scale": 20}},
        s3_bucket="demo",
    )
"""
BANDS = ("B1", "B2", "B3", "B4", "B5", "B7")


# A PNG has no place on Earth, and rasterio warns of that.
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_demo_shows_what_is_in_the_bucket(tmp_path: Path) -> None:
    with _demo(tmp_path) as demo:
        output, _ = demo.communicate(timeout=1200)
    assert demo.returncode == 0, output
    row = r"^(s3://\S+)\s+(\d+)\s+(\d+ x \d+)\s+(\S+)\s+[0-9a-f]{12}$"
    rows = {uri: rest for uri, *rest in re.findall(row, output, re.MULTILINE)}
    scene, daily = "s3://demo/landsat7/landsat7_olinda", "s3://demo/sentinel2/2021-01-09"
    examples, utm10 = "s3://demo/examples", "EPSG:32610"
    sizes = {"B3": "209 x 170", "B8": "209 x 170", "B11": "105 x 86"}
    assert rows == {
        **{f"{scene}.{band}.tif": ["1", "349 x 352", "EPSG:31985"] for band in BANDS},
        f"{daily}/santa_cruz.tif": ["3", "105 x 86", utm10],
        **{
            f"{examples}/{name}.{band}.tif": ["1", size, utm10]
            for name in ("single_band", "custom_single_band")
            for band, size in sizes.items()
        },
        f"{examples}/multi_band.tif": ["3", "105 x 86", utm10],
        **{
            f"s3://demo/regions/{name}.tif": ["3", size, utm10]
            for name, size in {
                "boulder_creek": "104 x 86",
                "felton": "105 x 86",
                "santa_cruz": "178 x 114",
            }.items()
        },
        "s3://demo/ndvi/2021-01/ndvi.tif": ["1", "105 x 86", utm10],
        "s3://demo/landsat8/2021-01/surface.tif": ["5", "71 x 58", utm10],
        "s3://demo/sentinel2_by_day/2021/2021-01-09/mosaic.tif": ["2", "105 x 86", utm10],
        **{
            f"s3://demo/cloudless/2021-01/{mask}/download.tif": ["3", "105 x 86", utm10]
            for mask in ("scene_class", "cloud_score")
        },
        f"{examples}/20210109T185751_20210109T185931_T10SEG.tif": ["3", "105 x 86", utm10],
    }
    for band in BANDS:
        path = tmp_path / "output" / f"landsat7_olinda.{band}.png"
        assert str(path) in output
        with rasterio.open(path) as picture:
            assert (picture.width, picture.height) == (349, 352)
            assert picture.read(1).std() > 10, "a picture of something"
    not_run = set(re.findall(r"^Not run: (\w+)", output, re.MULTILINE))
    run = {path.stem for path in (tmp_path / "output").glob("*.log")}
    known = {found for file in DAGS_FOLDER.glob("*.py") for found in dag_ids(file)}
    assert run | not_run == known
    assert "smallest" in (tmp_path / "output" / "landsat_to_s3.log").read_text()


def test_a_failing_dag_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / f"{MISSING}.py").write_text(MISSING_ASSET)
    with _demo(tmp_path, lanes=f'[["{MISSING}"]]', dags=dags) as demo:
        output, _ = demo.communicate(timeout=300)
    assert demo.returncode == 1, output
    last_line = output.strip().split("\n")[-1]
    assert last_line.startswith(f"demo: airflow dags test {MISSING} 2021-01-09 failed: ")
    assert "AssetNotFoundError" in last_line
    assert "assets/nothing" in (tmp_path / "output" / f"{MISSING}.log").read_text()


on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="needs Linux, whose /proc shows the demo's children",
)


@on_linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_demo_stops_everything(tmp_path: Path, number: signal.Signals) -> None:
    with _demo(tmp_path) as demo:
        # S3 server and emulator run, and Airflow's command has just been started.
        children = _wait_for_children(demo.pid, count=3)
        demo.send_signal(number)
        output, _ = demo.communicate(timeout=180)
    assert demo.returncode == 130, output
    assert "everything it started is stopped" in output
    assert [pid for pid in children if _is_running(pid)] == []


@on_linux
def test_a_killed_demo_takes_its_children_with_it(tmp_path: Path) -> None:
    with _demo(tmp_path) as demo:
        children = _wait_for_children(demo.pid, count=2)
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in children]
        demo.kill()
        demo.wait(60)
        deadline = time.monotonic() + 60
        while alive := [pid for pid in children if _is_running(pid)]:
            assert time.monotonic() < deadline, f"still running: {alive}"
            time.sleep(0.1)
    # What the demo would have removed, had it not been killed.
    for port in re.findall(r"grpc=(\d+)", " ".join(commands)):
        for socket_file in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
            socket_file.unlink()


@contextmanager
def _demo(
    folder: Path, lanes: str = "", dags: Path = DAGS_FOLDER
) -> Iterator[subprocess.Popen[str]]:
    """Run the demo as a process that writes below this folder."""
    output = f"Path({str(folder / 'output')!r})"
    arguments = f"{output}, {lanes}, Path({str(dags)!r})" if lanes else output
    program = _RUN.format(arguments)
    # Short, because the paths of sockets may not be longer than about a hundred characters.
    with (
        tempfile.TemporaryDirectory(prefix="demo-test-") as scratch,
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=PROJECT_FOLDER,
            env=child_environment(folder, {"TMPDIR": scratch}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as demo,
    ):
        try:
            yield demo
        finally:
            if demo.poll() is None:
                demo.terminate()
                demo.wait(60)


def _wait_for_children(parent: int, *, count: int) -> list[int]:
    deadline = time.monotonic() + 180
    while len(children := _children(parent)) < count:
        assert time.monotonic() < deadline, f"{len(children)} children of {count}"
        time.sleep(0.05)
    return children


def _children(parent: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if (facts := _state_and_parent(pid)) and facts[1] == str(parent)]


def _is_running(pid: int) -> bool:
    facts = _state_and_parent(pid)
    return facts is not None and facts[0] != "Z"


def _state_and_parent(pid: int) -> tuple[str, str] | None:
    try:
        # The program's name, in parentheses, may hold anything, so what follows it is looked at.
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return state, parent
