"""The comparison runs from end to end on small rasters, so that it cannot rot unseen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stack.environment import PROJECT_FOLDER
from tests.benchmarks.contestants import CODEC_FLOOR, CONTESTANTS, GEEDIM, OURS

pytestmark = pytest.mark.slow
PAGE = "<!-- measured: begin -->\n<!-- measured: end -->\n"


def run_bench(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "page.md").write_text(PAGE)
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--tmp", str(folder)]
    command += ["--results", str(folder / "results.json"), "--page", str(folder / "page.md")]
    return subprocess.run(
        [*command, *options], cwd=PROJECT_FOLDER, capture_output=True, text=True, timeout=1500
    )


def test_every_contestant_stores_the_right_raster(tmp_path: Path) -> None:
    # The one with s3fs needs an environment of its own, from the package index.
    names = [each.name for each in CONTESTANTS if not each.is_with_s3fs]
    done = run_bench(tmp_path, "--quick-mebibytes", "32", "--contestants", *names)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for cell in json.loads((tmp_path / "results.json").read_text()).values():
        assert [each["contestant"] for each in cell["measurements"]] == names
        for each in cell["measurements"]:
            assert each["error"] is None
            assert min(each["cpu_seconds"], each["peak_byte_count"]) > 0
            if each["contestant"] == CODEC_FLOOR:
                steps = ("inflate", "predictor", "compress", "sha256", "send")
                assert min(each["steps"][name] for name in steps) > 0
                continue
            assert each["put_byte_count"] >= each["stored"]["byte_count"] > 0
            assert each["request_counts"]["thumbnails.getPixels"] > 0
    cells = json.loads((tmp_path / "results.json").read_text())
    for each in cells["4x16-quick"]["measurements"]:
        if each["contestant"] in {OURS, GEEDIM}:
            assert [read["error"] for read in each["reads"]] == [None] * 6
            assert all(read["byte_count"] > 0 < read["request_count"] for read in each["reads"])
    page = (tmp_path / "page.md").read_text()
    assert all(each.title in page for each in CONTESTANTS if each.name in names)
    assert (tmp_path / "performance.png").exists()


def test_a_contestant_that_is_too_slow_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    options = ["--cells", "4x16-quick", "--quick-mebibytes", "4", "--timeout", "0.1"]
    done = run_bench(tmp_path, *options, "--contestants", "ours", "floor-raw")
    assert done.returncode == 1
    assert "4x16-quick: ours failed: not finished in time" in done.stderr
    assert "4x16-quick: floor-raw failed: not finished in time" in done.stderr
    assert "**failed**: not finished in time" in (tmp_path / "page.md").read_text()
