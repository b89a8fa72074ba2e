"""Every way in which a body can be wrong has a damaged twin here that is refused."""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.transform import Affine

from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo
from airflow_provider.earthengine.download.plan.requests import Download, plan_download
from airflow_provider.earthengine.download.raster.facts import RasterFacts
from airflow_provider.earthengine.download.raster.integrity import check_body
from airflow_provider.earthengine.download.raster.verify import verify_body
from airflow_provider.earthengine.exceptions import RasterMismatchError, TruncatedBodyError

TRANSFORM = (10.0, 0.0, 499980.0, 0.0, -10.0, 4200000.0)
WIDTH, HEIGHT = 300, 200
GRID = PixelGrid("EPSG:32610", TRANSFORM, WIDTH, HEIGHT)
BANDS = ("B3", "B11")


def pixels(dtype: str = "uint16") -> npt.NDArray[Any]:
    """Every value says its band, row and column."""
    band, row, column = np.indices((len(BANDS), HEIGHT, WIDTH))
    return ((band * 20_000 + row * 90 + column) % 60_000).astype(dtype)


def geotiff(array: npt.NDArray[Any] | None = None, **changes: Any) -> bytes:
    array = pixels() if array is None else array
    profile = {
        "driver": "GTiff", "count": array.shape[0], "height": array.shape[1],
        "width": array.shape[2], "dtype": array.dtype, "crs": "EPSG:32610",
        "transform": Affine(*TRANSFORM), "compress": "deflate", "tiled": True,
        "blockxsize": 256, "blockysize": 256, "nodata": 0, **changes,
    }  # fmt: skip
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(array)
        return bytes(memory.read())


def zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def per_band(**changes: bytes) -> dict[str, bytes]:
    members = {
        f"scene.{name}.tif": geotiff(pixels()[index : index + 1])
        for index, name in enumerate(BANDS)
    }
    return members | changes


def npy(names: tuple[str, ...] = BANDS, height: int = HEIGHT) -> bytes:
    array = np.zeros((height, WIDTH), [(name, "<u2") for name in names])
    for index, name in enumerate(names):
        array[name] = pixels()[index, :height]
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def download(file_format: str = "GEO_TIFF", **params: Any) -> Download:
    image = ImageInfo(tuple(BandInfo(name, "uint16", GRID) for name in BANDS), {})
    return plan_download(image, read_params({"format": file_format, **params}), "as_served")


@pytest.fixture
def verify(tmp_path: Path) -> Callable[..., tuple[RasterFacts, ...]]:
    def run(content: bytes, plan: Download) -> tuple[RasterFacts, ...]:
        path = tmp_path / "body"
        path.write_bytes(content)
        check_body(path, plan.params.file_format, plan.max_body_byte_count)
        return verify_body(path, plan, tmp_path)

    return run


Verify = Callable[[bytes, Download], tuple[RasterFacts, ...]]


def test_a_right_geotiff_is_described_as_it_was_read(verify: Verify) -> None:
    (facts,) = verify(geotiff(), download(crs="EPSG:32610", dimensions=[WIDTH, HEIGHT]))
    assert facts.grid == GRID
    assert facts.warnings == ()
    assert [(band.id, band.dtype, band.nodata) for band in facts.bands] == [
        ("B3", "uint16", 0),
        ("B11", "uint16", 0),
    ]
    valid = pixels()[0][pixels()[0] != 0]
    statistics = facts.bands[0].statistics
    assert (statistics.minimum, statistics.maximum) == (valid.min(), valid.max())
    assert statistics.mean == pytest.approx(valid.mean(), rel=1e-12)
    assert statistics.valid_percent == pytest.approx(100 * valid.size / (WIDTH * HEIGHT))


def test_a_crs_that_only_earth_engine_knows_is_taken_from_the_file_with_a_warning(
    verify: Verify,
) -> None:
    (facts,) = verify(geotiff(), download(crs="SR-ORG:7619"))
    assert facts.warnings == (
        "PROJ does not know SR-ORG:7619, so the file's crs, EPSG:32610, is published unchecked.",
    )
    assert facts.grid == GRID
    with pytest.raises(
        RasterMismatchError, match="whose crs is none, but SR-ORG:7619 was requested"
    ):
        verify(geotiff(crs=None), download(crs="SR-ORG:7619"))


def test_a_right_zip_gives_one_raster_a_band_in_the_order_asked_for(verify: Verify) -> None:
    members = dict(reversed(list(per_band().items())))
    first, second = verify(zipped(members), download("ZIPPED_GEO_TIFF_PER_BAND"))
    for index, facts in enumerate((first, second)):
        with rasterio.open(facts.path) as dataset:
            assert (dataset.read(1) == pixels()[index]).all()


def test_a_right_npy_is_described(verify: Verify) -> None:
    (facts,) = verify(npy(), download("NPY"))
    assert [(band.id, band.dtype) for band in facts.bands] == [("B3", "uint16"), ("B11", "uint16")]
    assert facts.bands[1].statistics.maximum == pixels()[1].max()


@pytest.mark.parametrize("shift", [0, 5], ids=["one grid", "grids half a pixel apart"])
def test_a_right_npy_is_at_its_path(verify: Verify, shift: int) -> None:
    a, b, c, d, e, f = GRID.transform
    grids = (GRID, replace(GRID, transform=(a, b, c + shift, d, e, f)))
    bands = (BandInfo(name, "uint16", grid) for name, grid in zip(BANDS, grids, strict=True))
    plan = plan_download(ImageInfo(tuple(bands), {}), read_params({"format": "NPY"}), "as_served")
    (facts,) = verify(npy(), plan)
    assert (facts.grid is None) == bool(shift)
    np.testing.assert_array_equal(np.load(facts.path)["B11"], pixels()[1])


@pytest.mark.parametrize(
    ("dtype", "nodata", "wanted"),
    [("uint16", 0, 0), ("float32", None, np.nan), ("float32", -np.inf, np.nan), ("float32", 7, 7)],
)
def test_the_facts_of_a_cog_have_its_own_tag(
    verify: Verify, dtype: str, nodata: float | None, wanted: float
) -> None:
    (facts,) = verify(geotiff(pixels(dtype), nodata=nodata), download())
    assert [band.nodata for band in facts.bands] == [nodata] * 2
    np.testing.assert_equal([band.nodata for band in facts.as_cog().bands], [wanted] * 2)


def test_a_band_without_valid_pixels_has_no_statistics(verify: Verify) -> None:
    (facts,) = verify(geotiff(np.zeros((2, HEIGHT, WIDTH), "uint16")), download())
    assert facts.bands[0].statistics.valid_percent == 0
    assert facts.bands[0].statistics.mean is None


def test_masked_floats_are_left_out_of_the_statistics(verify: Verify) -> None:
    array = pixels("float32")
    array[:, :10] = -np.inf
    array[:, 10:20] = np.nan
    (facts,) = verify(geotiff(array, nodata=None), download())
    assert facts.bands[0].statistics.minimum == pixels()[0, 20:].min()
    assert facts.bands[0].statistics.valid_percent == 90


RIGHT = {
    "GEO_TIFF": geotiff(),
    "ZIPPED_GEO_TIFF": zipped({"scene.tif": geotiff()}),
    "ZIPPED_GEO_TIFF_PER_BAND": zipped(per_band()),
    "NPY": npy(),
}


@pytest.mark.parametrize("file_format", RIGHT)
@pytest.mark.parametrize(
    "content", [b"", b"<html>Sign in to the proxy</html>", b"PK\x03\x04", b"MM\x00*", b"\x93NUMPY"]
)
def test_a_body_of_another_kind_is_fetched_again(
    verify: Verify, file_format: str, content: bytes
) -> None:
    with pytest.raises(TruncatedBodyError):
        verify(content, download(file_format))


@pytest.mark.parametrize("file_format", RIGHT)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_body_is_fetched_again(verify: Verify, file_format: str, kept: float) -> None:
    whole = RIGHT[file_format]
    with pytest.raises(TruncatedBodyError):
        verify(whole[: int(len(whole) * kept)], download(file_format))


@pytest.mark.parametrize("file_format", ["GEO_TIFF", "ZIPPED_GEO_TIFF_PER_BAND"])
@pytest.mark.parametrize("place", [0.2, 0.35, 0.5, 0.65, 0.8])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_flipped_bytes_in_the_pixels_are_fetched_again(
    verify: Verify, file_format: str, place: float, interleave: str
) -> None:
    whole = geotiff(interleave=interleave) if file_format == "GEO_TIFF" else RIGHT[file_format]
    damaged = bytearray(whole)
    start = int(len(damaged) * place)
    damaged[start : start + 50] = bytes(255 - byte for byte in damaged[start : start + 50])
    with pytest.raises(TruncatedBodyError):
        verify(bytes(damaged), download(file_format))


MOVED = Affine(10.0, 0.0, 499985.0, 0.0, -10.0, 4200000.0)
ASKED = {"crs": "EPSG:32610", "crs_transform": list(TRANSFORM), "dimensions": [WIDTH, HEIGHT]}


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (geotiff(pixels()[:1]), "bands"),
        (geotiff(crs="EPSG:32611"), "crs"),
        (geotiff(crs=None), "crs"),
        (geotiff(transform=MOVED), "crs_transform"),
        (geotiff(transform=Affine(20.0, 0.0, 499980.0, 0.0, -20.0, 4200000.0)), "crs_transform"),
        (geotiff(pixels()[:, 1:]), "dimensions"),
    ],
)
def test_a_raster_that_is_not_what_was_asked_for_is_refused(
    verify: Verify, content: bytes, field: str
) -> None:
    with pytest.raises(RasterMismatchError) as caught:
        verify(content, download(**ASKED))
    assert caught.value.facts["field"] == field


def test_what_was_only_predicted_is_told_and_accepted(verify: Verify) -> None:
    content = geotiff(pixels("int32"), transform=MOVED)
    (facts,) = verify(content, download())
    grid, first, second = facts.warnings
    assert "(499985, 4200000)" in grid
    assert "(499980, 4200000) in EPSG:32610 was predicted" in grid
    assert first == "Band B3 is int32, but uint16 was predicted."
    assert second == "Band B11 is int32, but uint16 was predicted."


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({**per_band(), "scene.B4.tif": b"x"}, "members"),
        ({"scene.B3.tif": per_band()["scene.B3.tif"]}, "members"),
        ({"scene.B3.tif": b"x", "scene.B4.tif": b"x"}, "bands"),
        ({"scene.B3.tif": b"x", "../scene.B11.tif": b"x"}, "member"),
        ({"scene.B3.tif": b"x", "/tmp/scene.B11.tif": b"x"}, "member"),
        ({"scene.B3.tif": b"x", "a\\scene.B11.tif": b"x"}, "member"),
        ({"scene.B3.tif": b"x", "scene.B11.txt": b"x"}, "member"),
        ({"scene.B3.tif": b"x", "scene.B11.tif": bytes(20 << 20)}, "byte_count"),
    ],
)
def test_a_zip_with_other_members_is_refused(
    verify: Verify, tmp_path: Path, members: dict[str, bytes], field: str
) -> None:
    with pytest.raises(RasterMismatchError) as caught:
        verify(zipped(members), download("ZIPPED_GEO_TIFF_PER_BAND"))
    assert caught.value.facts["field"] == field
    assert [path.name for path in tmp_path.iterdir()] == ["body"]


def test_a_band_id_with_a_dot_is_told_apart(verify: Verify) -> None:
    names = ("B1", "a.B1")
    image = ImageInfo(tuple(BandInfo(name, "uint16", GRID) for name in names), {})
    plan = plan_download(image, read_params({}), "as_served")
    content = zipped(
        {"scene.a.B1.tif": geotiff(pixels()[1:]), "scene.B1.tif": geotiff(pixels()[:1])}
    )
    for index, facts in enumerate(verify(content, plan)):
        with rasterio.open(facts.path) as dataset:
            assert (dataset.read(1) == pixels()[index]).all()


@pytest.mark.parametrize(
    "content",
    [npy(("B3", "B12")), npy(("B11", "B3")), npy(height=HEIGHT - 1)],
)
def test_an_npy_with_other_fields_or_another_shape_is_refused(
    verify: Verify, content: bytes
) -> None:
    with pytest.raises(RasterMismatchError):
        verify(content, download("NPY"))


@pytest.mark.parametrize("file_format", RIGHT)
def test_a_cut_body_fails_the_check_that_fetches_it_again(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "body"
    path.write_bytes(RIGHT[file_format][:-100])
    with pytest.raises(TruncatedBodyError):
        check_body(path, file_format, 1 << 24)


def test_an_npy_that_would_run_code_is_refused(verify: Verify) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(TruncatedBodyError):
        verify(buffer.getvalue(), download("NPY"))
