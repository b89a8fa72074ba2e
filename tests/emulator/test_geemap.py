"""geemap, unmodified and by its public functions: its files hold the formula's pixels."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from airflow_provider.earthengine.emulator.server import serve
from stack import geemap
from tests.support.expected import SENTINEL2_ID, formula_values, sentinel2_values

CATALOG = Path(__file__).parents[1] / "data/catalog"
PROGRAM = Path(__file__).with_name("with_geemap.py")
DAILY = "projects/demo/assets/s2_daily"
TRANSFORM = (10, 0, 500980, 0, -10, 4198000)
# Nothing listens there: whatever it asks for on the internet is refused.
NOWHERE = "http://127.0.0.1:9"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("geemap")


@pytest.fixture(scope="module")
def told(place: Path) -> dict[str, Any]:
    """Run all of its downloads, and return its statistics and refusals."""
    if not geemap.ENVIRONMENT.is_installed:
        pytest.fail("geemap is not installed: run `make geemap` (once)")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(place),
        "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    with serve(CATALOG) as emulator:
        command = [geemap.ENVIRONMENT.python, PROGRAM, emulator.url, SENTINEL2_ID, DAILY, place]
        ended = subprocess.run(
            list(map(str, command)), env=environment, capture_output=True, text=True, timeout=300
        )
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads((place / "told.json").read_text())
    return answer


def expected(*bands: str) -> Any:
    return np.stack([sentinel2_values(band, 100, 200, 16, 10) for band in bands])


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("name", "bands"),
    [
        ("image.tif", ["B3", "B4"]),
        ("tiles.tif", ["B3", "B4"]),
        ("bands.B3.tif", ["B3"]),
        ("bands.B4.tif", ["B4"]),
    ],
)
def test_its_files_hold_the_pixels(place: Path, name: str, bands: list[str]) -> None:
    with rasterio.open(place / name) as dataset:
        assert tuple(dataset.transform)[:6] == TRANSFORM
        assert dataset.crs.to_epsg() == 32610
        np.testing.assert_array_equal(dataset.read(), expected(*bands))


@pytest.mark.usefixtures("told")
def test_it_downloads_each_image_of_a_collection(place: Path) -> None:
    rows, columns = np.arange(200, 210)[:, np.newaxis], np.arange(100, 116)[np.newaxis, :]
    files = sorted((place / "series").iterdir())
    assert [file.name[:8] for file in files] == ["20210101", "20210106"]
    for number, file in enumerate(files):
        with rasterio.open(file) as dataset:
            values = formula_values(0, "uint16", rows, columns, number + 1)
            np.testing.assert_array_equal(dataset.read(1), values)


def test_its_arrays_pictures_and_statistics_are_of_the_pixels(
    told: dict[str, Any], place: Path
) -> None:
    np.testing.assert_array_equal(
        np.load(place / "array.npy"), np.moveaxis(expected("B3", "B4"), 0, 2)
    )
    assert (place / "picture.png").read_bytes()[:4] == b"\x89PNG"
    for name, compute in {"min": np.min, "max": np.max, "mean": np.mean, "sum": np.sum}.items():
        for band, value in told["statistics"][name].items():
            assert value == pytest.approx(float(compute(expected(band))))


def test_what_is_not_served_is_refused_by_name(told: dict[str, Any]) -> None:
    assert told["refused"]["map"] == (
        "The Earth Engine emulator does not serve POST /v1/projects/demo/maps."
    )
    assert told["refused"]["table"].startswith("The Earth Engine emulator does not support the ")
