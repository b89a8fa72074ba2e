"""The page that the benchmarks write: goals with their margins, failures with their reasons."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rasterio

from stack.environment import child_environment
from tests.benchmarks import compressions
from tests.benchmarks.assignment import Compression
from tests.benchmarks.codec_floor import overview_share
from tests.benchmarks.contestants import (
    CODEC_FLOOR,
    COG_FLOOR,
    CONTESTANTS,
    GEEDIM,
    GEEDIM_DEFAULTS,
    OURS,
    OURS_KEEPING_TILES,
    OURS_WITH_ZSTD,
    RAW_FLOOR,
)
from tests.benchmarks.goals import judge
from tests.benchmarks.measuring import Measurement, run_process
from tests.benchmarks.page import PICTURE, write_page
from tests.benchmarks.results import Results
from tests.benchmarks.scenes import CELLS, MEBIBYTE, Cell, Scene
from tests.benchmarks.servers import Traffic

SMALL, LARGE = (cell for cell in CELLS if cell.is_for_memory)
SLOW = next(cell for cell in CELLS if cell.key == "4x16-500ms")
FACTS = {"layout": "cog", "processor": "one of many", "cores": "2"}
PAGE = "# Performance\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nthe rest\n"


def measured(name: str, seconds: float, cpu: float = 1.0, mebibytes: int = 100) -> Measurement:
    return Measurement(
        name,
        seconds=seconds,
        cpu_seconds=cpu,
        peak_byte_count=mebibytes * MEBIBYTE,
        request_counts={"value:compute": 1, "thumbnails.create": 2},
        stored={"byte_count": 5 * MEBIBYTE},
    )


def results(folder: Path, *added: tuple[Cell, Measurement]) -> Results:
    kept = Results(folder / "results.json")
    for cell in dict.fromkeys(cell for cell, _ in added):
        kept.begin(cell, FACTS)
    for cell, each in added:
        kept.add(cell, each)
    return kept


def verdicts(kept: Results) -> dict[str, str]:
    return {judged.goal: judged.verdict for judged in judge(kept)}


def test_a_goal_is_met_or_missed_by_its_margin(tmp_path: Path) -> None:
    ours = replace(
        measured(OURS, 10, cpu=3, mebibytes=500),
        request_counts={"thumbnails.getPixels": 42},
        put_byte_count=MEBIBYTE * 51 // 10,
        scratch_byte_count=4 * MEBIBYTE + SLOW.scene.byte_count // 3,
    )
    kept = results(
        tmp_path,
        (SLOW, ours),
        (SLOW, measured(OURS_WITH_ZSTD, 5)),
        (SLOW, replace(measured(OURS_KEEPING_TILES, 12), put_byte_count=27 * MEBIBYTE // 2)),
        (SLOW, measured(GEEDIM, 24, cpu=10)),
        (SLOW, measured(GEEDIM_DEFAULTS, 5.5)),
        (SLOW, measured(RAW_FLOOR, 4)),
        (SLOW, replace(measured(COG_FLOOR, 10), stored={"byte_count": 10 * MEBIBYTE})),
        (SLOW, replace(measured(CODEC_FLOOR, 0, cpu=2), steps={"inflate": 2.0})),
    )
    assert verdicts(kept) == {
        "speed-up over geedim, equal compression": "met by 50%",
        "speed-up over geedim's defaults, zstd": "**missed** by 50%",
        "CPU seconds, relative to geedim": "met by 50%",
        "CPU seconds, relative to the codec floor": "**missed** by 15%",
        "VmHWM with Airflow": "**missed** by 25%",
        "wall seconds, relative to the raw floor": "**missed** by 25%",
        "bytes sent to the bucket, relative to those stored": "met by 0%",
        "bytes sent to the bucket, relative to those stored, keeping all tiles": (
            "**missed** by 100%"
        ),
        "scratch, relative to stored + a third of raw": "met by 0%",
        # 1.5 GiB as Earth Engine counts them, at 48 MiB a request: 32, of which 42 are 1.31 x.
        # 23 x 23 blocks, 16 a request, may take 42.3.
        "requests for pixels, relative to the fewest, or the price of whole blocks": "met by 1%",
        "size of the file, relative to GDAL's": "met by 51%",
    }


@pytest.mark.parametrize(
    ("scene", "least"),
    [(Scene(1, "uint8", 24 * MEBIBYTE), 1), (Scene(1, "uint8", 30 * MEBIBYTE), 2)],
)
def test_the_fewest_requests_count_a_mask_byte_for_each_sample(scene: Scene, least: int) -> None:
    assert scene.least_request_count == least


@pytest.mark.parametrize(
    ("scene", "most"),
    [
        (Scene(4, "uint16", 1024 * MEBIBYTE), 1.25 * 23 * 23 / 16 + 1),
        (Scene(64, "float64", 1024 * MEBIBYTE), 2 * 24),
    ],
)
def test_the_price_of_whole_blocks_is_what_the_planner_documents(scene: Scene, most: float) -> None:
    assert scene.price_of_blocks == most


def test_overviews_have_a_third_of_the_pixels_until_one_block_holds_them() -> None:
    assert overview_share(Scene(1, "uint8", 2048 * 2048)) == (1024**2 + 512**2) / 2048**2
    assert overview_share(Scene(1, "uint8", 512 * 512)) == 0


def test_memory_is_flat_between_the_smallest_and_the_largest_raster(tmp_path: Path) -> None:
    small, large = measured(OURS, 1, mebibytes=200), measured(OURS, 9, mebibytes=275)
    kept = results(tmp_path, (SMALL, small), (LARGE, large))
    assert verdicts(kept)["VmHWM flat"] == "**missed** by 25%"


def test_a_failed_contestant_is_listed_with_the_reason_and_judged_nowhere(tmp_path: Path) -> None:
    wrong = replace(measured(GEEDIM, 65), error="Quota | exceeded\nagain")
    kept = results(tmp_path, (SLOW, measured(OURS, 10)), (SLOW, wrong))
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    write_page(kept, page)
    text = page.read_text()
    assert "**failed** after 65 s: Quota / exceeded again" in text
    assert "speed-up over geedim" not in text
    assert kept.failures([SLOW.key]) == [f"{SLOW.key}: {GEEDIM} failed: {wrong.error}"]


def test_the_page_keeps_what_people_wrote_and_gets_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: run `make install`")
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    kept = results(tmp_path, (SLOW, measured(OURS, 10)), (SLOW, measured(GEEDIM, 25)))
    write_page(kept, page)
    text = page.read_text()
    assert text.startswith("# Performance\n<!-- measured: begin -->\n")
    assert text.endswith("<!-- measured: end -->\nthe rest\n")
    title = next(each.title for each in CONTESTANTS if each.name == GEEDIM)
    assert f"| {title} | 25.0 | 2.50 x | 1.0 | 100 | 0 | 3 | 0 | 5 |" in text
    assert "| processor | one of many |" in text
    assert (tmp_path / PICTURE).read_bytes()[:4] == b"\x89PNG"


def test_the_page_says_what_readers_pay_and_what_the_codec_takes(tmp_path: Path) -> None:
    def read(byte_count: int, error: str | None = None) -> dict[str, Any]:
        found = {"reader": "GDAL /vsis3", "band_count": 3, "request_count": 5}
        return found | {"byte_count": byte_count, "error": error}

    servers = {"S3 server": 8.0, "emulator": 1.0}
    ours = replace(measured(OURS, 10), reads=[read(4096 * 1024)], server_cpu_seconds=servers)
    geedim = replace(measured(GEEDIM, 30), reads=[read(0, "Traceback\nOSError: gone")])
    floor = replace(
        measured(CODEC_FLOOR, 0, cpu=12), steps={"inflate": 3.0, "compress": 9.0}, stored={}
    )
    kept = results(tmp_path, (SLOW, ours), (SLOW, geedim), (SLOW, floor))
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    write_page(kept, page)
    text = page.read_text()
    assert "| GDAL /vsis3 | 3 | 4,096 KiB, 5 | failed: OSError: gone |" in text
    assert "CPU s per GiB: inflate 3.0, compress 9.0." in text
    assert f"| {SLOW.title} | 30.0 | 12.0 | 8.0 | 1.0 | 9.0 |" in text


def test_traffic_is_what_came_since() -> None:
    assert Traffic(30, 20, 9).since(Traffic(10, 5, 2)) == Traffic(20, 15, 7)


def test_what_was_measured_is_kept_and_a_cell_that_runs_again_replaces_only_itself(
    tmp_path: Path,
) -> None:
    first = results(tmp_path, (SLOW, measured(OURS, 10)), (SMALL, measured(OURS, 2)))
    first.save()
    again = Results(tmp_path / "results.json")
    again.begin(SLOW, FACTS)
    again.add(SLOW, measured(GEEDIM, 3))
    assert list(again.measurements(SLOW.key)) == [GEEDIM]
    assert again.measurements(SMALL.key) == {OURS: measured(OURS, 2)}


def watched(folder: Path, program: str, **options: Any) -> Any:
    scratch = folder / "scratch"
    scratch.mkdir()
    return run_process(
        [sys.executable, "-c", program, scratch],
        child_environment(folder),
        scratch=scratch,
        outcome_path=folder / "outcome.json",
        **({"timeout_seconds": 60} | options),
    )


def test_a_process_that_dies_is_reported_with_its_last_words(tmp_path: Path) -> None:
    ended = watched(tmp_path, "import sys; sys.exit('no memory left')")
    assert ended.error == "ended with code 1: no memory left"


def test_a_process_that_does_not_end_is_ended(tmp_path: Path) -> None:
    ended = watched(tmp_path, "import time; time.sleep(3600)", timeout_seconds=0.2)
    assert ended.error == "not finished in time"


@pytest.mark.slow
def test_memory_and_scratch_are_seen_though_they_are_given_back(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "path = pathlib.Path(sys.argv[1]) / 'file'\n"
        "path.write_bytes(b'1' * 50_000_000)\n"
        "time.sleep(2)\n"
        "path.unlink()\n"
    )
    ended = watched(tmp_path, program)
    assert ended.peak_byte_count > 50_000_000
    assert ended.scratch_byte_count >= 50_000_000


@pytest.mark.slow
def test_a_compression_is_measured_on_the_noise(tmp_path: Path) -> None:
    found = compressions.measure("uint16", Compression("deflate", 1, has_predictor=True), tmp_path)
    with rasterio.open(tmp_path / "copy.tif") as written:
        structure = written.tags(ns="IMAGE_STRUCTURE")
        assert written.profile["compress"] == "deflate"
    assert (structure["PREDICTOR"], structure["LAYOUT"]) == ("2", "COG")
    assert 0.5 < found["share"] < 0.9
    assert min(found["write"], found["read"]) > 0
