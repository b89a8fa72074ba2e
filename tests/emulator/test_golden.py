"""The emulator against what the real service answered in 2023 to its documentation's examples.

The files are no part of the project: EARTHENGINE_GOLDEN_FILES names the folder that holds them.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import ee
import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.windows import Window

from airflow_provider.earthengine.emulator.formats.geotiff import write_geotiff
from airflow_provider.earthengine.emulator.formats.zip_files import write_zip
from airflow_provider.earthengine.emulator.server import serve
from tests.emulator.official_client import (
    Tiff,
    download,
    initialised,
    members,
    same_bytes_but_times,
)
from tests.support.expected import SENTINEL2_ID, SENTINEL2_ORIGIN

GOLDEN_FILES = "EARTHENGINE_GOLDEN_FILES"
GOLDEN = Path(os.environ.get(GOLDEN_FILES) or ".")
# One band of int16 from VeinsOfTheEarth/rabpro, docs/ (2021).
SIGNED = "real_int16_occurrence.tif"
ZIPS = ("single_band.zip", "custom_single_band.zip", "multi_band.zip")
BANDS = ["B3", "B8", "B11"]

pytestmark = pytest.mark.skipif(
    not os.environ.get(GOLDEN_FILES),
    reason=f"set {GOLDEN_FILES} to the folder of what the real service answered "
    f"(multi_band.tif, {SIGNED}, {', '.join(ZIPS)})",
)
needs_zlib = pytest.mark.skipif(
    "zlib-ng" in zlib.ZLIB_RUNTIME_VERSION,
    reason="needs a Python built with zlib: this one has zlib-ng, which compresses otherwise",
)


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def golden_tiffs() -> list[bytes]:
    single = [golden("multi_band.tif"), golden(SIGNED)]
    return single + [content for name in ZIPS for content in members(golden(name)).values()]


def test_every_real_geotiff_is_rebuilt_from_its_pixels_byte_for_byte() -> None:
    for real in golden_tiffs():
        tiff = Tiff(real)
        samples = np.moveaxis(tiff.bands, 0, -1)
        transform = rasterio.Affine(*tiff.transform)
        assert write_geotiff(samples, transform, tiff.crs, tiff.nodata) == real


def test_a_real_geotiff_of_signed_integers_shows_what_is_written_of_them() -> None:
    tags = tags_of(golden(SIGNED))
    sample_format, photometric, nodata = tags[339], tags[262], tags[42113]
    assert (sample_format, photometric, nodata) == (b"\0\2\0\0", b"\0\1\0\0", b"-32768.0\0")


@needs_zlib
def test_a_signed_image_is_answered_in_the_real_bytes(tmp_path: Path) -> None:
    real = golden(SIGNED)
    (tmp_path / SIGNED).write_bytes(real)
    description = {"id": "occurrence", "kind": "file", "bands": [{"id": "b", "file": SIGNED}]}
    (tmp_path / "occurrence.json").write_text(json.dumps(description))
    with serve(tmp_path) as emulator, initialised(emulator.url):
        assert download(image=ee.Image("occurrence"), format="GEO_TIFF") == real


def tags_of(content: bytes) -> dict[int, bytes]:
    """Return the values of a big-endian TIFF's directory by tag; short ones padded to 4 bytes."""
    sizes = {2: 1, 3: 2, 4: 4, 5: 8, 12: 8}
    (count,) = struct.unpack_from(">H", content, 8)
    tags = {}
    for place in range(10, 10 + 12 * count, 12):
        number, kind, length = struct.unpack_from(">HHI", content, place)
        byte_count = sizes[kind] * length
        (start,) = struct.unpack_from(">I", content, place + 8) if byte_count > 4 else (place + 8,)
        tags[number] = content[start : start + max(4, byte_count)]
    return tags


@pytest.mark.parametrize("name", ZIPS)
def test_every_real_zip_is_rebuilt_from_its_members_byte_for_byte(name: str) -> None:
    real = golden(name)
    time, date = struct.unpack_from("<HH", real, 10)
    made_at = datetime(  # noqa: DTZ001 (a zip's time has no zone)
        (date >> 9) + 1980, date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, 2 * (time & 31)
    )
    assert write_zip(list(members(real).items()), made_at) == real


@pytest.fixture(scope="module")
def golden_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a catalog whose Sentinel-2 scene holds the pixels of the real answers."""
    folder = tmp_path_factory.mktemp("golden")
    single = members(golden("single_band.zip"))
    multi = Tiff(golden("multi_band.tif"))
    for number, band in enumerate(BANDS):
        tiff = Tiff(single[f"single_band.{band}.tif"])
        pixels, transform = tiff.bands[0].astype(np.int64), tiff.transform
        if transform[0] == 10:
            pixels, transform = fill_halves(pixels, transform, multi, number)
        write_scene(folder / f"{band}.tif", pixels, transform)
    bands = [{"id": band, "file": f"{band}.tif"} for band in BANDS]
    description = {"id": SENTINEL2_ID, "kind": "file", "bands": bands}
    (folder / "scene.json").write_text(json.dumps(description))
    return folder


def fill_halves(
    pixels: npt.NDArray[np.int64], transform: Any, multi: Tiff, number: int
) -> tuple[npt.NDArray[np.int64], Any]:
    """Return 10 m pixels grown to the 20 m answer's extent.

    The 20 m answer reaches up to 10 m beyond the 10 m one; what lies there is not known but for
    the mean of its 2 x 2, so any values with that mean stand for it.
    """
    coarse = multi.bands[number].astype(np.int64)
    fine = np.full((2 * coarse.shape[0], 2 * coarse.shape[1]), -1)
    left = round((transform[2] - multi.transform[2]) / 10)
    top = round((multi.transform[5] - transform[5]) / 10)
    fine[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    for row, column in np.ndindex(coarse.shape):
        block = fine[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        is_unknown = block < 0
        if is_unknown.any():
            rest = int(4 * coarse[row, column] - block[~is_unknown].sum())
            share, extra = divmod(max(rest, 0), int(is_unknown.sum()))
            block[is_unknown] = [share + (n < extra) for n in range(is_unknown.sum())]
    return fine, (10.0, 0.0, multi.transform[2], 0.0, -10.0, multi.transform[5])


def write_scene(path: Path, pixels: npt.NDArray[np.int64], transform: Any) -> None:
    """Write a band of the full scene: zeros, and the pixels where they belong."""
    step, (west, north) = int(transform[0]), SENTINEL2_ORIGIN
    side = 109800 // step
    height, width = pixels.shape
    place = Window((transform[2] - west) / step, (north - transform[5]) / step, width, height)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=side,
        height=side,
        count=1,
        dtype="uint16",
        crs="EPSG:32610",
        transform=rasterio.Affine(step, 0, west, 0, -step, north),
        tiled=True,
        sparse_ok=True,
    ) as scene:
        scene.write(pixels.astype(np.uint16), 1, window=place)


@pytest.fixture(scope="module")
def scene(golden_catalog: Path) -> Iterator[dict[str, Any]]:
    """Return the image and region of the documentation's examples, on an emulator."""
    with serve(golden_catalog) as emulator, initialised(emulator.url):
        region = ee.Geometry.BBox(-122.0859, 37.0436, -122.0626, 37.0586)
        yield {"image": ee.Image(SENTINEL2_ID), "region": region}


CUSTOM = [{"id": "B3", "scale": 10}, {"id": "B8", "scale": 10}, {"id": "B11", "scale": 20}]


@needs_zlib
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("single_band.zip", {"name": "single_band", "bands": BANDS}),
        ("custom_single_band.zip", {"name": "custom_single_band", "bands": CUSTOM}),
        (
            "multi_band.zip",
            {"name": "multi_band", "bands": BANDS, "scale": 20, "filePerBand": False},
        ),
        ("multi_band.tif", {"bands": BANDS, "scale": 20, "format": "GEO_TIFF"}),
    ],
)
def test_the_documented_examples_give_the_real_bytes(
    scene: dict[str, Any], name: str, params: dict[str, Any]
) -> None:
    answer, real = download(**scene, **params), golden(name)
    if name.endswith(".zip"):
        answer, real = same_bytes_but_times(answer), same_bytes_but_times(real)
    assert answer == real
