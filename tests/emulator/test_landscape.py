"""The landscape of the demo's catalog: it fits together, and its series end today."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from affine import Affine

from airflow_provider.earthengine.demo.servers import CATALOG_FOLDER
from airflow_provider.earthengine.emulator.catalog.landscape import (
    SHOWN,
    LandscapeRaster,
    Scene,
    Shown,
)
from airflow_provider.earthengine.emulator.catalog.read_catalog import read_catalog
from airflow_provider.earthengine.emulator.server import serve
from airflow_provider.earthengine.emulator.strict_json import CatalogError
from airflow_provider.earthengine.emulator.values.pixels import Window
from tests.emulator.official_client import ensure_initialised

Pixels = npt.NDArray[Any]
SIDE = 4000
CLOUDY = Scene(seed=7, day_of_year=150, cloud_percent=40)


def raster(name: str, scene: Scene = CLOUDY, metres: int = 10, dtype: str = "uint16") -> Any:
    scale = 0.0001 if dtype == "uint16" and name not in {"scene_class", "qa_pixel"} else 1
    shown, transform = Shown(name, scale), Affine(metres, 0, 570000, 0, -metres, 4110000)
    return LandscapeRaster(shown, scene, transform, SIDE, SIDE, np.dtype(dtype))


def read(made: Any, left: int, top: int, width: int, height: int) -> Pixels:
    values: Pixels = made.read(Window(left, top, width, height)).values
    return values


@pytest.mark.parametrize("name", SHOWN)
def test_parts_of_a_band_fit_together(name: str) -> None:
    dtype = "float32" if name in {"temperature", "clear_share"} else "uint16"
    made = raster(name, dtype=dtype)
    whole = read(made, 100, 200, 96, 80)
    for left, top, width, height in ((100, 200, 33, 80), (133, 217, 63, 63), (195, 279, 1, 1)):
        part = read(made, left, top, width, height)
        rows = slice(top - 200, top - 200 + height)
        np.testing.assert_array_equal(part, whole[rows, left - 100 : left - 100 + width])


def test_another_resolution_shows_the_same_place() -> None:
    scene = Scene(day_of_year=150)
    fine = read(raster("near_infrared", scene), 0, 0, 900, 900).astype(float)
    coarse = read(raster("near_infrared", scene, 30), 0, 0, 300, 300).astype(float)
    means = fine.reshape(300, 3, 300, 3).mean(axis=(1, 3))
    assert np.corrcoef(means.ravel(), coarse.ravel())[0, 1] > 0.95


@pytest.mark.slow
def test_water_plants_and_soil_look_like_what_they_are() -> None:
    scene = Scene(day_of_year=150)
    red, infrared = (read(raster(name, scene), 0, 0, 1200, 1200).astype(float)
                     for name in ("red", "near_infrared"))  # fmt: skip
    ndvi = (infrared - red) / (infrared + red)
    classes = read(raster("scene_class", scene), 0, 0, 1200, 1200)
    shares = {code: (classes == code).mean() for code in (4, 5, 6)}
    assert all(share > 0.01 for share in shares.values()), shares
    assert ndvi[classes == 6].max() < 0 < ndvi[classes == 5].mean() < ndvi[classes == 4].mean()
    # Neighbours are alike, as in a picture, and not as in noise.
    assert np.corrcoef(red[:, :-1].ravel(), red[:, 1:].ravel())[0, 1] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("percent", [0, 10, 40, 90])
def test_about_the_share_that_the_image_says_is_cloudy(percent: float) -> None:
    made = raster("scene_class", Scene(3, 150, percent), 60)
    cloudy = np.isin(read(made, 0, 0, 1500, 1500), (8, 9)).mean() * 100
    assert cloudy == pytest.approx(percent, abs=6)


def test_images_differ_in_clouds_and_noise_but_not_in_the_land() -> None:
    first, second = (read(raster("red", Scene(seed, 150)), 0, 0, 400, 400) for seed in (1, 2))
    assert (first != second).mean() > 0.5
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.97


def test_a_band_that_can_show_nothing_is_refused(tmp_path: Path) -> None:
    band = {"id": "B", "dtype": "uint16", "landscape": "redd", "crs": "EPSG:32610",
            "crs_transform": [10, 0, 0, 0, -10, 0], "dimensions": [9, 9]}  # fmt: skip
    for change, text in (
        ({}, "landscape: must be one of"),
        ({"landscape": "red", "crs_transform": [10, 0, 0, 0, -20, 0]}, "square pixels, north up"),
        ({"landscape": "red", "scale": 0}, "scale: must be a positive number"),
    ):
        asset = {"id": "projects/demo/assets/a", "kind": "formula", "bands": [{**band, **change}]}
        (tmp_path / "a.json").write_text(json.dumps(asset))
        with pytest.raises(CatalogError, match=text):
            read_catalog(tmp_path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"hours_late": [-1]}, "must be a list of hours"),
        ({"pattern": [1, 2]}, "must be a list of 1 and 0"),
        ({"cloud_property": "CLOUD"}, "'CLOUD' is not an image property in percent"),
        ({"hours_late": []}, "count: is missing"),
    ],
)
def test_a_series_that_is_described_wrongly_is_refused(
    tmp_path: Path, change: dict[str, Any], text: str
) -> None:
    path = CATALOG_FOLDER / "COPERNICUS" / "S2_SR_HARMONIZED.json"
    asset = json.loads(path.read_text(encoding="utf-8"))
    asset["series"].update(change)
    (tmp_path / "a.json").write_text(json.dumps(asset))
    with pytest.raises(CatalogError, match=text):
        read_catalog(tmp_path)


@pytest.mark.slow
def test_series_end_with_the_last_image_that_has_arrived() -> None:
    import ee

    # It is number 2875 of the series, which arrives 52 hours later.
    taken = datetime(2026, 11, 19, 18, 57, 51, tzinfo=UTC).timestamp()
    now = taken
    with serve(CATALOG_FOLDER, clock=lambda: now) as emulator:
        ensure_initialised(emulator.url)
        images = ee.ImageCollection("COPERNICUS/S2_SR_HARMONIZED").filterDate(
            "2026-11-16", "2026-12-01"
        )

        def days() -> list[str]:
            indexes: Any = images.aggregate_array("system:index").getInfo()
            return [index[6:8] for index in indexes]

        before = days()
        assert "19" not in before
        now = taken + 51 * 3600
        assert "19" not in days()
        now = taken + 53 * 3600
        assert "19" in days()
