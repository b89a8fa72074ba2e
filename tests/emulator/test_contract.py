"""What holds of the emulator and of the real service alike: grids, types, files, texts.

The same tests run against the real service by ``make live``, with the application default
credentials of the machine and the project that EARTHENGINE_LIVE_PROJECT names. Values of pixels are
no part of them: the emulator's are made up. A test marked ``live`` that cannot run fails; it is
never skipped.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from typing import Any

import ee
import numpy as np
import pytest

from tests.emulator.official_client import Tiff, download, ensure_initialised, members, reset
from tests.live.account import live_account
from tests.support.expected import SENTINEL2_BANDS, SENTINEL2_ID, pixels_around, utm_box

BOX = (-122.5, 37.3, -122.49, 37.31)
ORIGIN = (499980.0, 4200000.0)
# The collection that the scene is of, where there is one; else one of the emulator's.
COLLECTIONS = {"emulator": "projects/demo/assets/s2_daily", "live": "COPERNICUS/S2_SR"}


@pytest.fixture(params=["emulator", pytest.param("live", marks=pytest.mark.live)])
def service(request: pytest.FixtureRequest) -> str:
    """Initialise the official client against one of both, and return which."""
    if request.param == "emulator":
        ensure_initialised(request.getfixturevalue("emulator").url)
    else:
        account = live_account()
        ensure_initialised(account.url, account.credentials(), account.project)
    return request.param


pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(scope="module", autouse=True)
def _reset_afterwards() -> Iterator[None]:
    yield
    reset()


def scene() -> ee.Image:
    return ee.Image(SENTINEL2_ID)


def band_of(image: ee.Image) -> dict[str, Any]:
    band: dict[str, Any] = image.getInfo()["bands"][0]
    return band


def type_of(image: ee.Image) -> dict[str, Any]:
    data_type: dict[str, Any] = band_of(image)["data_type"]
    return data_type


def message_of(make: Any) -> str:
    with pytest.raises(ee.EEException) as caught:
        make()
    return str(caught.value)


def test_the_scene_describes_its_grids_and_types() -> None:
    bands = {band["id"]: band for band in scene().getInfo()["bands"]}
    for name, (step, dtype) in SENTINEL2_BANDS.items():
        if name not in bands:  # some were dropped from the real asset since
            continue
        assert bands[name]["crs"] == "EPSG:32610"
        assert bands[name]["crs_transform"] == [step, 0, 499980, 0, -step, 4200000]
        assert bands[name]["data_type"]["max"] == np.iinfo(dtype).max


def test_a_scale_counts_from_the_image_s_corner() -> None:
    region = ee.Geometry.BBox(*BOX)
    read = Tiff(download(image=scene().select("B3"), region=region, scale=20, format="GEO_TIFF"))
    extent = pixels_around(*utm_box(*BOX, zone=10), ORIGIN, 20)
    corner = (ORIGIN[0] + extent.left * 20, ORIGIN[1] - extent.top * 20)
    assert read.transform == (20, 0, corner[0], 0, -20, corner[1])
    assert read.bands.shape == (1, extent.height, extent.width)
    assert (read.dtypes, read.nodata, read.descriptions) == (("uint16",), 0, (None,))


@pytest.mark.parametrize("scale", [10, 30])
def test_a_crs_and_a_scale_count_from_zero(scale: float) -> None:
    region = ee.Geometry.BBox(*BOX)
    params = {"region": region, "crs": "EPSG:4326", "scale": scale, "format": "GEO_TIFF"}
    read = Tiff(download(image=scene().select("B3"), **params))
    step = scale / 111319.49079327357
    extent = pixels_around(*BOX, (0, 0), step)
    assert read.transform == pytest.approx(
        (step, 0, extent.left * step, 0, -step, -extent.top * step), rel=1e-14
    )


def test_a_grid_is_taken_as_it_is_said() -> None:
    window = {"crs": "EPSG:32610", "crs_transform": [10, 0, 500980, 0, -10, 4198000]}
    read = Tiff(download(image=scene().select("B3"), dimensions=[16, 10], format="GEO_TIFF",
                         **window))  # fmt: skip
    assert read.transform == (10, 0, 500980, 0, -10, 4198000)
    assert read.bands.shape == (1, 10, 16)


def test_a_geotiff_has_these_tags_in_this_order() -> None:
    region = ee.Geometry.BBox(*BOX)
    content = download(image=scene().select("B3"), region=region, scale=20, format="GEO_TIFF")
    assert content[:8] == b"MM\0*\0\0\0\x08"
    (count,) = struct.unpack(">H", content[8:10])
    tags = [struct.unpack(">H", content[10 + 12 * n : 12 + 12 * n])[0] for n in range(count)]
    assert tags == [256, 257, 258, 259, 262, 277, 282, 283, 296, 322, 323, 324, 325, 339, 34264,
                    34735, 42113]  # fmt: skip


def test_a_zip_holds_a_file_per_band_named_after_the_image() -> None:
    region = ee.Geometry.BBox(*BOX)
    image = scene().select(["B4", "B3"])
    names = list(members(download(image=image, region=region, scale=20)))
    base = SENTINEL2_ID.rsplit("/", 1)[1]
    assert names == [f"{base}.B4.tif", f"{base}.B3.tif"]


def test_an_array_has_a_field_per_band() -> None:
    region = ee.Geometry.BBox(*BOX)
    image = scene().select(["B4", "SCL"])
    array = np.load(io.BytesIO(download(image=image, region=region, scale=20, format="NPY")))
    assert array.dtype == [("B4", "<u2"), ("SCL", "u1")]
    extent = pixels_around(*utm_box(*BOX, zone=10), ORIGIN, 20)
    assert array.shape == (extent.height, extent.width)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda b4, b8: b8.subtract(b4), ("int", -65535, 65535)),
        (lambda b4, b8: b8.add(b4), ("int", 0, 131070)),
        (lambda b4, b8: b8.gt(b4), ("int", 0, 1)),
        (lambda b4, b8: b8.divide(b4), ("float", None, None)),
        (lambda b4, b8: b8.toInt16(), ("int", -32768, 32767)),
        (lambda b4, b8: b8.toFloat(), ("float", None, None)),
        (lambda b4, b8: b8.addBands(b4).normalizedDifference(), ("float", -1, 1)),
        (lambda b4, b8: ee.ImageCollection([b4, b4]).median(), ("double", None, None)),
    ],
    ids=["subtract", "add", "gt", "divide", "toInt16", "toFloat", "nd", "median"],
)
def test_computing_gives_these_types(make: Any, expected: tuple[Any, ...]) -> None:
    precision, low, high = expected
    found = type_of(make(scene().select(["B4"], ["x"]), scene().select("B8")))
    assert found["precision"] == precision
    if low is not None:
        assert (found["min"], found["max"]) == (low, high)


def test_a_composite_is_unbounded_and_in_degrees() -> None:
    band = band_of(ee.ImageCollection([scene().select("B4")]).median())
    assert (band["crs"], band["crs_transform"]) == ("EPSG:4326", [1, 0, 0, 0, 1, 0])
    assert "dimensions" not in band


def test_a_composite_of_nothing_has_no_bands(service: str) -> None:
    nothing = ee.ImageCollection(COLLECTIONS[service]).filterDate("1950-01-01", "1951-01-01")
    assert nothing.median().bandNames().getInfo() == []
    text = message_of(lambda: nothing.median().select("B4").getInfo())
    assert text == "Image.select: Band pattern 'B4' was applied to an Image with no bands."
    region = ee.Geometry.BBox(*BOX)
    params = {"image": nothing.first(), "region": region, "scale": 10}
    text = message_of(lambda: ee.data.getDownloadId(params))
    assert text == "Image.clipToBoundsAndScale: Parameter 'input' is required."


def test_errors_are_told_in_these_words() -> None:
    missing = "projects/earthengine-public/assets/none/at/all"
    assert re.fullmatch(
        r"Image\.load: Image asset '.*' not found \(does not exist or caller does not have "
        r"access\)\.",
        message_of(lambda: ee.Image(missing).getInfo()),
    )
    assert message_of(lambda: ee.Image(1).select("VV").getInfo()) == (
        "Image.select: Band pattern 'VV' did not match any bands. Available bands: [constant]"
    )
    assert message_of(lambda: ee.Date("2019-02-29").getInfo()) == (
        "Date: Bad date/time '2019-02-29'."
    )
    wide = {"image": scene().select("B3"), "region": ee.Geometry.BBox(-124, 36, -121, 39)}
    text = message_of(lambda: ee.data.getDownloadId(wide | {"scale": 10, "format": "GEO_TIFF"}))
    assert re.fullmatch(
        r"(Total request size \(\d+ bytes\) must be less than or equal to 50331648 bytes\."
        r"|Pixel grid dimensions \(\d+x\d+\) must be less than or equal to 32768\.)",
        text,
    )


def test_the_version_is_read_as_a_property() -> None:
    image = scene()
    assert image.get("system:version").getInfo() == image.getInfo()["version"]


def test_a_listing_has_rows_with_the_index_time_and_version(service: str) -> None:
    images = ee.ImageCollection(COLLECTIONS[service]).filterDate("2021-01-01", "2021-01-12")
    images = images.filterBounds(ee.Geometry.BBox(*BOX)).sort("system:time_start")
    columns = ["system:index", "system:time_start", "system:version", "NO_SUCH_PROPERTY"]
    rows = images.reduceColumns(ee.Reducer.toList(4, 3), columns).get("list").getInfo()
    assert len(rows) == images.size().getInfo() > 0
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
    for index, start, version, missing in rows:
        assert isinstance(index, str)
        assert start > 1_600_000_000_000
        assert isinstance(version, int)
        assert missing is None


def test_an_outline_covers_a_region_within_it() -> None:
    region = ee.Geometry.Rectangle(list(BOX), "EPSG:4326", False)
    covered = scene().geometry(1).intersection(region, 1).area(1)
    assert covered.divide(region.area(1)).getInfo() == pytest.approx(1, abs=1e-3)
