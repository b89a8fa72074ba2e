"""Masked pixels of floating-point bands: NaN in COGs, ignored by overviews and statistics."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import formula_values

ASSET = "projects/demo/assets/masked_floats"
WIDTH, HEIGHT = 1100, 80
GRID = {"crs": "EPSG:32610", "crs_transform": [30, 0, 500000, 0, -30, 4000000],
        "dimensions": [WIDTH, HEIGHT]}  # fmt: skip
# Single pixels, of which -inf would make blocks of 4 x 4 at 1:4, and a hole over several tiles.
MASKED = [
    *({"left": left, "top": top, "width": 1, "height": 1}
      for left in range(1, 400, 21) for top in range(2, 80, 19)),
    {"left": 500, "top": 20, "width": 61, "height": 31},
]  # fmt: skip
NOT_NUMBERS = {"left": 900, "top": 40, "width": 40, "height": 20}
DTYPES = {"f32": "float32", "f64": "float64", "u8": "uint8"}
TILES = {"tile_byte_count": 64 << 10}

Run = Callable[..., list[str]]
Pixels = npt.NDArray[Any]


@pytest.fixture
def run(emulator: Emulator, connections: object, bucket: str) -> Iterator[Run]:
    bands = [{"id": name, "dtype": dtype, "masked": MASKED, **GRID}
             for name, dtype in DTYPES.items()]  # fmt: skip
    for band in bands[:2]:
        band["nan"] = [NOT_NUMBERS]

    def execute(**fields: Any) -> list[str]:
        fields = {"image": ASSET, "s3_bucket": bucket, **fields}
        operator = EarthEngineToS3Operator(task_id="download", **fields)
        uris: list[str] = operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
        is_tiled = emulator.counts()["thumbnails.getPixels"] > 1
        assert is_tiled is (fields.get("limits") == TILES)
        return uris

    with emulator.restored_assets():
        emulator.put_asset({"id": ASSET, "kind": "formula", "bands": bands})
        yield execute


def inside(windows: list[dict[str, int]]) -> Pixels:
    is_inside = np.zeros((HEIGHT, WIDTH), bool)
    for hole in windows:
        rows = slice(hole["top"], hole["top"] + hole["height"])
        is_inside[rows, hole["left"] : hole["left"] + hole["width"]] = True
    return is_inside


def values(band: str) -> Pixels:
    """The band by its formula, with NaN where it holds no numbers, and nothing masked."""
    number = list(DTYPES).index(band)
    rows, columns = np.arange(HEIGHT)[:, None], np.arange(WIDTH)[None, :]
    whole = formula_values(number, DTYPES[band], rows, columns).astype("float64")
    return np.where(inside([NOT_NUMBERS]), np.nan, whole) if band != "u8" else whole


def mean_of_valid(whole: Pixels) -> Pixels:
    """The means of 2 x 2 pixels, of those that are numbers; NaN where none of four is."""
    quarters = whole.reshape(whole.shape[0] // 2, 2, whole.shape[1] // 2, 2)
    count = (~np.isnan(quarters)).sum(axis=(1, 3))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(quarters, axis=(1, 3)) / count)


def assert_statistics(uri: str, wanted: Pixels, band_id: str, s3: SeaweedFS) -> dict[str, Any]:
    """Assert what the item says of a band; return all that it says."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    item_key = f"{ASSET.rpartition('/')[2]}.bands.json" if ".f" in key else f"{key}.json"
    item = json.loads(s3.client().get_object(Bucket=bucket, Key=item_key)["Body"].read())
    assert "earthengine:warnings" not in item["properties"]
    bands = [band for asset in item["assets"].values() for band in asset.get("bands", [])]
    (described,) = [band for band in bands if band["name"] == band_id]
    numbers = wanted[np.isfinite(wanted)]
    statistics = described["statistics"]
    assert (statistics["minimum"], statistics["maximum"]) == (numbers.min(), numbers.max())
    assert statistics["mean"] == pytest.approx(numbers.mean(), rel=1e-9)
    assert statistics["valid_percent"] == pytest.approx(100 * numbers.size / wanted.size)
    return dict(described)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("band", "file_format", "limits"),
    [
        ("f32", "GEO_TIFF", None),
        ("f32", "ZIPPED_GEO_TIFF_PER_BAND", TILES),
        ("f64", "GEO_TIFF", TILES),
        ("f64", "ZIPPED_GEO_TIFF_PER_BAND", None),
    ],
)
def test_masked_pixels_of_a_cog_are_nan_and_no_part_of_overviews_and_statistics(
    run: Run, s3: SeaweedFS, band: str, limits: Any, file_format: str
) -> None:
    (uri,) = run(download_params={"bands": [band], "format": file_format}, limits=limits)
    wanted = np.where(inside(MASKED), np.nan, values(band))
    with open_raster(uri) as raster:
        assert np.isnan(raster.nodata)
        assert raster.dtypes == (DTYPES[band],)
        np.testing.assert_array_equal(raster.read(1), wanted)
        half = raster.read(1, out_shape=(HEIGHT // 2, WIDTH // 2))
        quarter = raster.read(1, out_shape=(HEIGHT // 4, WIDTH // 4))
        assert raster.overviews(1) == [2, 4]
    np.testing.assert_allclose(half, mean_of_valid(wanted), rtol=1e-6)
    np.testing.assert_allclose(quarter, mean_of_valid(mean_of_valid(wanted)), rtol=1e-6)
    # Single pixels are bridged; what is left of the holes is no wider than they are.
    assert np.isnan(quarter).mean() < np.isnan(wanted).mean()
    assert assert_statistics(uri, wanted, band, s3)["nodata"] == "nan"


def test_what_gdal_says_of_a_cog_are_numbers(run: Run, tmp_path: Path, s3: SeaweedFS) -> None:
    (uri,) = run(download_params={"bands": ["f32"], "format": "GEO_TIFF"})
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    path = tmp_path / "it.tif"
    path.write_bytes(s3.client().get_object(Bucket=bucket, Key=key)["Body"].read())
    wanted = np.where(inside(MASKED), np.nan, values("f32"))
    with rasterio.open(path) as raster:
        (found,) = raster.stats(indexes=[1], approx=False)
        valid = raster.read_masks(1) == 255
    assert found.mean == pytest.approx(np.nanmean(wanted), rel=1e-6)
    assert (found.min, found.max) == (np.nanmin(wanted), np.nanmax(wanted))
    np.testing.assert_array_equal(valid, ~np.isnan(wanted))


@pytest.mark.slow
@pytest.mark.parametrize("limits", [None, TILES], ids=["one request", "tiles"])
def test_a_tag_that_earth_engine_gives_becomes_nan_too(run: Run, limits: Any) -> None:
    # A cast band carries the tag -Infinity.
    import ee

    image = ee.Image(ASSET).select("u8").toFloat().serialize()
    params = {"name": "cast", "format": "GEO_TIFF"}
    (uri,) = run(image=image, download_params=params, limits=limits)
    with open_raster(uri) as raster:
        assert np.isnan(raster.nodata)
        wanted = np.where(inside(MASKED), np.nan, values("u8"))
        np.testing.assert_array_equal(raster.read(1), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("limits", [None, TILES], ids=["one request", "tiles"])
def test_bands_that_share_a_file_with_floats_hold_nan_as_those_do(run: Run, limits: Any) -> None:
    params = {"bands": ["u8", "f32"], "format": "GEO_TIFF"}
    (uri,) = run(download_params=params, limits=limits)
    with open_raster(uri) as raster:
        assert all(map(np.isnan, raster.nodatavals))
        for index, band in enumerate(params["bands"], start=1):
            wanted = np.where(inside(MASKED), np.nan, values(band))
            np.testing.assert_array_equal(raster.read(index), wanted)


@pytest.mark.slow
@pytest.mark.parametrize(("band", "limits"), [("f32", None), ("f64", TILES)])
def test_a_value_of_the_users_is_the_mask_and_nan_is_data(
    run: Run, s3: SeaweedFS, band: str, limits: Any
) -> None:
    (uri,) = run(
        download_params={"bands": [band], "format": "GEO_TIFF"}, nodata=-9999, limits=limits
    )
    data = values(band)
    with open_raster(uri) as raster:
        assert raster.nodata == -9999
        wanted = np.where(inside(MASKED), -9999, data)
        np.testing.assert_array_equal(raster.read(1), wanted)
        half = raster.read(1, out_shape=(HEIGHT // 2, WIDTH // 2))
    halved = mean_of_valid(np.where(inside(MASKED), np.nan, data))
    is_nodata = inside(MASKED).reshape(HEIGHT // 2, 2, WIDTH // 2, 2).all(axis=(1, 3))
    np.testing.assert_allclose(half, np.where(is_nodata, -9999, halved), rtol=1e-6)
    wanted = np.where(inside(MASKED), np.nan, data)
    assert assert_statistics(uri, wanted, band, s3)["nodata"] == -9999


def test_what_earth_engine_wrote_stays_as_it_is_when_it_is_kept(run: Run, s3: SeaweedFS) -> None:
    (uri,) = run(download_params={"bands": ["f32"], "format": "GEO_TIFF"}, layout="as_served")
    with open_raster(uri) as raster:
        assert raster.nodata is None
        pixels = raster.read(1)
    np.testing.assert_array_equal(np.isneginf(pixels), inside(MASKED))
    wanted = np.where(inside(MASKED), np.nan, values("f32"))
    assert "nodata" not in assert_statistics(uri, wanted, "f32", s3)
