"""Each format, asked for by the official client and read back by other people's libraries."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from typing import Any

import ee
import numpy as np
import pytest
import requests
from affine import Affine

from airflow_provider.earthengine.emulator.formats.geotiff import write_geotiff
from airflow_provider.earthengine.emulator.server import Emulator
from tests.emulator.official_client import Tiff, download, get, members
from tests.support.expected import SENTINEL2_ID, sentinel2_values

pytestmark = pytest.mark.usefixtures("client")

# 60 x 50 pixels of 20 m, 120 x 100 of 10 m, on the scene's own grid.
WINDOW: dict[str, Any] = {
    "crs": "EPSG:32610",
    "crs_transform": [20, 0, 520000, 0, -20, 4180000],
    "dimensions": [60, 50],
}
LEFT, TOP = 1001, 1000


def scene() -> ee.Image:
    return ee.Image(SENTINEL2_ID)


def test_geo_tiff_holds_the_bands_in_the_order_asked_for() -> None:
    tiff = Tiff(download(image=scene(), bands=["B12", "B5"], format="GEO_TIFF", **WINDOW))
    assert tiff.crs == "EPSG:32610"
    assert tiff.transform == (20, 0, 520000, 0, -20, 4180000)
    assert tiff.nodata == 0
    assert tiff.dtypes == ("uint16", "uint16")
    for read, band in zip(tiff.bands, ["B12", "B5"], strict=True):
        np.testing.assert_array_equal(read, sentinel2_values(band, LEFT, TOP, 60, 50))


def test_geo_tiff_has_the_real_layout_and_nothing_else() -> None:
    content = download(image=scene(), bands=["SCL"], format="GEO_TIFF", **WINDOW)
    order, magic, offset, count = struct.unpack(">2sHIH", content[:10])
    tags = [struct.unpack_from(">H", content, 10 + 12 * n)[0] for n in range(count)]
    assert (order, magic, offset) == (b"MM", 42, 8)
    # No SampleFormat (339) for uint8; never software, descriptions, predictor, extra samples.
    layout = [256, 257, 258, 259, 262, 277, 282, 283, 296, 322, 323, 324, 325]
    assert tags == [*layout, 34264, 34735, 42113]
    assert Tiff(content).descriptions == (None,)


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [
        ("int8", -128),
        ("int16", -32768),
        ("int32", -2147483648),
        ("float32", -np.inf),
        ("float64", -np.inf),
        ("uint16", 0),
        ("float32", None),
    ],
)
@pytest.mark.parametrize("crs", ["EPSG:32610", "SR-ORG:6974"])
def test_blocks_begin_right_behind_the_last_value_of_the_directory(
    dtype: str, nodata: float | None, crs: str
) -> None:
    samples = np.arange(2 * 300 * 2).reshape(2, 300, 2).astype(dtype)
    content = write_geotiff(samples, Affine(10, 0, 5, 0, -10, 7), crs, nodata)
    (count,) = struct.unpack_from(">H", content, 8)
    sizes, ends, blocks = {2: 1, 3: 2, 4: 4, 5: 8, 12: 8}, [], 0
    for place in range(10, 10 + 12 * count, 12):
        number, kind, length, value = struct.unpack_from(">HHII", content, place)
        if sizes[kind] * length > 4:
            assert value % 4 == 0
            ends.append(value + sizes[kind] * length)
            if number == 324:
                (blocks,) = struct.unpack_from(">I", content, value)
    assert blocks == max(ends)
    tiff = Tiff(content)
    assert tiff.nodata == nodata
    np.testing.assert_array_equal(tiff.bands, np.moveaxis(samples, -1, 0))


def test_a_raster_of_several_blocks_is_complete() -> None:
    window = WINDOW | {"dimensions": [600, 300]}
    tiff = Tiff(download(image=scene(), bands=["B11"], format="GEO_TIFF", **window))
    np.testing.assert_array_equal(tiff.bands[0], sentinel2_values("B11", LEFT, TOP, 600, 300))


def test_zipped_geo_tiff_holds_the_same_tiff_under_the_given_name() -> None:
    params = {"image": scene(), "bands": ["B5", "B6"], **WINDOW}
    zipped = members(download(name="both", filePerBand=False, **params))
    assert zipped == {"both.tif": download(format="GEO_TIFF", **params)}


def test_a_zip_per_band_keeps_order_and_own_grids() -> None:
    bands = [{"id": "B11", "scale": 20}, {"id": "B3", "scale": 10}]
    region = ee.Geometry.Rectangle([520000, 4179000, 521200, 4180000], "EPSG:32610", False)
    files = members(download(image=scene(), name="x", bands=bands, region=region))
    assert list(files) == ["x.B11.tif", "x.B3.tif"]
    coarse, fine = (Tiff(content) for content in files.values())
    np.testing.assert_array_equal(coarse.bands[0], sentinel2_values("B11", 1001, 1000, 60, 50))
    np.testing.assert_array_equal(fine.bands[0], sentinel2_values("B3", 2002, 2000, 120, 100))


def test_npy_is_a_packed_structured_array_with_a_field_per_band() -> None:
    content = download(image=scene(), bands=["B5", "SCL", "QA20"], format="NPY", **WINDOW)
    assert content.startswith(b"\x93NUMPY\x01\x00")
    array = np.load(io.BytesIO(content))
    assert array.dtype == np.dtype([("B5", "<u2"), ("SCL", "u1"), ("QA20", "<u4")])
    assert array.shape == (50, 60)
    for band in array.dtype.names or ():
        np.testing.assert_array_equal(array[band], sentinel2_values(band, LEFT, TOP, 60, 50))


def test_bands_of_unlike_types_share_one_that_holds_them_all() -> None:
    tiff = Tiff(download(image=scene(), bands=["SCL", "QA20"], format="GEO_TIFF", **WINDOW))
    assert tiff.dtypes == ("uint32", "uint32")
    np.testing.assert_array_equal(tiff.bands[0], sentinel2_values("SCL", LEFT, TOP, 60, 50))


@pytest.mark.parametrize(
    ("file_format", "media_type", "suffix"),
    [
        ("GEO_TIFF", "image/tiff", "tif"),
        ("NPY", "application/octet-stream", "npy"),
        ("ZIPPED_GEO_TIFF", "application/zip", "zip"),
        ("ZIPPED_GEO_TIFF_PER_BAND", "application/zip", "zip"),
    ],
)
def test_headers_name_type_length_and_a_file(
    file_format: str, media_type: str, suffix: str
) -> None:
    response = get(image=scene(), bands=["B5"], format=file_format, **WINDOW)
    assert response.headers["Content-Type"] == media_type
    assert int(response.headers["Content-Length"]) == len(response.content)
    name = rf"attachment; filename=[0-9a-f]{{32}}\.{suffix}"
    assert re.fullmatch(name, response.headers["Content-Disposition"])


@pytest.mark.parametrize(
    ("image", "bands", "name"),
    [
        (lambda: scene().select("B5"), None, f"{SENTINEL2_ID.rsplit('/', 1)[-1]}.B5.tif"),
        (lambda: ee.Image(7), None, "download.constant.tif"),
        (scene, ["B5", "B6"], "download.B5.tif"),
    ],
)
def test_members_are_named_after_the_asset_or_download(
    image: Callable[[], ee.Image], bands: list[str] | None, name: str
) -> None:
    params: dict[str, Any] = WINDOW | ({"bands": bands} if bands else {})
    assert next(iter(members(download(image=image(), **params)))) == name


def test_an_id_has_the_real_shape_and_can_be_fetched_again(client: Emulator) -> None:
    params = {"image": scene(), "bands": ["B5"], "format": "GEO_TIFF", **WINDOW}
    download_id = ee.data.getDownloadId(params)
    shape = r"projects/demo/thumbnails/[0-9a-f]{32}-[0-9a-f]{32}"
    assert re.fullmatch(shape, download_id["docid"])
    url = ee.data.makeDownloadUrl(download_id)
    assert url == f"{client.url}/v1/{download_id['docid']}:getPixels"
    first, second = (requests.get(url, timeout=30).content for _ in range(2))
    assert first == second
