"""A nodata value of the user's: masked pixels are told from valid zeros."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider.earthengine.emulator.server import serve
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.emulator import earthengine_connection
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import formula_values

pytestmark = pytest.mark.slow

ASSET = "projects/demo/assets/masked"
WIDTH, HEIGHT = 100, 80
MASKED = {"left": 10, "top": 20, "width": 30, "height": 15}
GRID = {"crs": "EPSG:32610", "crs_transform": [30, 0, 580005, 0, -30, 4102005],
        "dimensions": [WIDTH, HEIGHT]}  # fmt: skip
BANDS = {"u8": "uint8", "i16": "int16", "f32": "float32"}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("catalog")
    bands = [{"id": name, "dtype": dtype, "masked": [MASKED], **GRID}
             for name, dtype in BANDS.items()]  # fmt: skip
    description = {"id": ASSET, "kind": "formula", "bands": bands}
    (directory / "masked.json").write_text(json.dumps(description))
    return directory


Run = Callable[..., list[str]]


@pytest.fixture
def run(
    catalog: Path, s3: SeaweedFS, aws_default: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Any:
    with serve(catalog=catalog, project="demo") as emulator:
        connection = earthengine_connection(emulator.url, "demo")
        monkeypatch.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", connection)

        def execute(**fields: Any) -> list[str]:
            fields = {"image": ASSET, "s3_bucket": bucket, **fields}
            operator = EarthEngineToS3Operator(task_id="download", **fields)
            uris: list[str] = operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
            return uris

        yield execute


def expected(band: str, nodata: float) -> Any:
    """The band by its formula, with the value where it is masked."""
    number = list(BANDS).index(band)
    values = formula_values(
        number, BANDS[band], np.arange(HEIGHT)[:, None], np.arange(WIDTH)[None, :]
    ).astype("float64")
    rows, columns = np.indices((HEIGHT, WIDTH))
    masked = (
        (columns >= MASKED["left"])
        & (columns < MASKED["left"] + MASKED["width"])
        & (rows >= MASKED["top"])
        & (rows < MASKED["top"] + MASKED["height"])
    )
    return np.where(masked, nodata, values)


@pytest.mark.parametrize(
    ("band", "nodata", "dtype"),
    [
        ("u8", 255, "uint8"),
        ("u8", "7", "uint8"),
        ("u8", -1, "int16"),
        ("i16", -9999, "int16"),
        ("i16", 40000, "int32"),
        ("f32", -9999, "float32"),
        ("f32", 0.5, "float64"),
    ],
)
def test_masked_pixels_hold_the_value_and_the_tag_says_so(
    run: Run, bucket: str, s3: SeaweedFS, band: str, nodata: Any, dtype: str
) -> None:
    (uri,) = run(nodata=nodata, download_params={"bands": [band], "format": "GEO_TIFF"})
    with open_raster(uri) as raster:
        assert raster.dtypes == (dtype,)
        assert raster.nodata == float(nodata)
        assert (raster.read(1) == expected(band, float(nodata))).all()
        assert raster.transform[:6] == (30, 0, 580005, 0, -30, 4102005)
    item = json.loads(s3.client().get_object(Bucket=bucket, Key="masked.tif.json")["Body"].read())
    (described,) = item["assets"]["data"]["bands"]
    assert described["nodata"] == float(nodata)
    assert "earthengine:warnings" not in item["properties"]


def test_without_it_earth_engines_own_is_recorded(run: Run) -> None:
    (uri,) = run(download_params={"bands": ["u8"], "format": "GEO_TIFF"})
    with open_raster(uri) as raster:
        assert raster.nodata == 0
        assert (raster.read(1) == expected("u8", 0)).all()


def test_every_band_of_a_zip_has_it(run: Run) -> None:
    uris = run(nodata=-5, download_params={"bands": [{"id": "i16", "scale": 30}, "f32"][:1]})
    assert len(uris) == 1
    uris = run(nodata=-5, download_params={})
    for band, uri in zip(BANDS, uris, strict=True):
        with open_raster(uri) as raster:
            assert raster.nodata == -5
            assert (raster.read(1) == expected(band, -5)).all()


def test_pixels_beyond_the_image_and_outside_the_region_hold_it(run: Run) -> None:
    # A triangle that reaches beyond the image's eastern edge, in degrees.
    triangle = [[-122.0985, 37.0615], [-122.055, 37.0615], [-122.0985, 37.045]]
    (with_scale,) = run(
        nodata=-9999,
        download_params={"bands": ["i16"], "format": "GEO_TIFF", "region": triangle, "scale": 30},
    )
    (alone,) = run(
        nodata=-9999,
        download_params={"bands": ["i16"], "format": "GEO_TIFF", "region": triangle,
                         "name": "alone"},
    )  # fmt: skip
    values = expected("i16", -9999)
    for uri, masks_outside in ((with_scale, False), (alone, True)):
        with open_raster(uri) as raster:
            pixels = raster.read(1)
            column = round((raster.transform.c - 580005) / 30)
            row = round((4102005 - raster.transform.f) / 30)
            assert raster.nodata == -9999
        inside = np.zeros(pixels.shape, bool)
        for (y, x), pixel in np.ndenumerate(pixels):
            in_image = 0 <= row + y < HEIGHT and 0 <= column + x < WIDTH
            wanted = values[row + y, column + x] if in_image else -9999
            inside[y, x] = pixel == wanted
            if not inside[y, x]:
                assert masks_outside
                assert pixel == -9999
        assert inside.any()
        assert inside.all() is not np.bool_(masks_outside)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nodata": "none", "download_params": {}}, "nodata is 'none'; write a number"),
        ({"nodata": float("nan"), "download_params": {}}, "finite number"),
        (
            {"nodata": 0.5, "download_params": {"bands": ["u8"]}},
            "band u8 holds whole numbers",
        ),
        ({"nodata": 0, "layout": "zip", "download_params": {}}, "use layout 'as_served'"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(
    run: Run, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(AirflowFailException, match=words):
        run(**fields)
