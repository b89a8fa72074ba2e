"""Collections, composites and tables: what is in them, and which pixels come out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ee
import numpy as np
import numpy.typing as npt
import pytest

from airflow_provider.earthengine.emulator.server import serve
from tests.emulator.official_client import Tiff, download, initialised
from tests.support.expected import formula_levels, formula_values

DAILY = "projects/demo/assets/s2_daily"
REGIONS = "projects/demo/assets/regions"
CATALOG = Path(__file__).parents[1] / "data/catalog"
GAPS = {7, 8, 23, 41, 42, 43, 44, 45, 46, 47, 60}
CLOUDS = [3.5, 62, 17, 98, 0, 45, 28]
START = datetime(2021, 1, 1, 19, tzinfo=UTC)
MISSING = " not found (does not exist or caller does not have access)."
NUMBERS = [number for number in range(73) if number not in GAPS]
# Pixels 100 to 115 across and 200 to 209 down, clear of the masked edge.
WINDOW = {
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 499980 + 1000, 0, -10, 4200000 - 2000],
    "dimensions": [16, 10],
}
ROWS, COLUMNS = np.arange(200, 210)[:, np.newaxis], np.arange(100, 116)[np.newaxis, :]

pytestmark = pytest.mark.usefixtures("client")


def time_of(number: int) -> datetime:
    return START + timedelta(days=5 * number)


def index_of(number: int) -> str:
    return time_of(number).strftime("%Y%m%dT%H%M%S_T10SEG")


def b4(number: int) -> npt.NDArray[np.float64]:
    """Return band B4 of an image (0-based number) in the window."""
    return formula_values(0, "uint16", ROWS, COLUMNS, number + 1).astype(np.float64)


def scene_class(number: int) -> npt.NDArray[np.int64]:
    """Return band SCL of an image in the window; its pixels are twice as large."""
    levels = formula_levels(2, ROWS // 2, COLUMNS // 2, number + 1)
    return np.array([4, 5, 8, 4, 9, 6, 3, 5])[levels % 8]


def pixels(image: ee.Image, **params: Any) -> npt.NDArray[Any]:
    """Return the first band of an image in the window, as downloaded."""
    return Tiff(download(image=image, format="GEO_TIFF", **(WINDOW | params))).bands[0]


def indexes(collection: ee.ImageCollection) -> list[str]:
    found: list[str] = collection.aggregate_array("system:index").getInfo()
    return found


def test_a_collection_has_an_image_every_five_days_but_in_its_gaps() -> None:
    daily = ee.ImageCollection(DAILY)
    assert daily.size().getInfo() == len(NUMBERS)
    assert indexes(daily) == [index_of(number) for number in NUMBERS]
    first = daily.first().getInfo()
    assert first["id"] == f"{DAILY}/{index_of(0)}"
    properties = first["properties"]
    assert properties.pop("system:footprint")["type"] == "LinearRing"
    assert properties.pop("system:asset_size") > 0
    assert properties == {
        "system:index": index_of(0),
        "system:time_start": START.timestamp() * 1000,
        "CLOUDY_PIXEL_PERCENTAGE": 3.5,
        "MGRS_TILE": "10SEG",
        "ORBIT": 13,
    }


def test_an_image_of_a_collection_loads_by_its_id() -> None:
    image = ee.Image(f"{DAILY}/{index_of(5)}").select("B4")
    np.testing.assert_array_equal(pixels(image), b4(5))
    with pytest.raises(ee.EEException, match="not found"):
        ee.Image(f"{DAILY}/{index_of(7)}").getInfo()


@pytest.mark.parametrize(
    ("dates", "wanted"),
    [
        (("2021-02-01", "2021-03-01"), [n for n in NUMBERS if time_of(n).month == 2]),
        (("2021-01-06", "2021-01-06T19:00:00"), []),
        (("2021-01-06T19:00:00", "2021-01-06T19:00:00.001"), [1]),
        (("2021-01-06T19:00:00",), [1]),
        (("2022-01-01", "2023-01-01"), []),
    ],
)
def test_a_window_begins_with_its_start_and_ends_before_its_end(
    dates: tuple[str, ...], wanted: list[int]
) -> None:
    chosen = ee.ImageCollection(DAILY).filterDate(*dates)
    assert indexes(chosen) == [index_of(number) for number in wanted]


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        (lambda: ee.Filter.lt("CLOUDY_PIXEL_PERCENTAGE", 20), lambda n: CLOUDS[n % 7] < 20),
        (lambda: ee.Filter.gte("CLOUDY_PIXEL_PERCENTAGE", 45), lambda n: CLOUDS[n % 7] >= 45),
        (lambda: ee.Filter.eq("ORBIT", 113), lambda n: n % 2 == 1),
        (lambda: ee.Filter.neq("ORBIT", 113), lambda n: n % 2 == 0),
        (lambda: ee.Filter.inList("ORBIT", [1, 13]), lambda n: n % 2 == 0),
        (lambda: ee.Filter.eq("none", 1), lambda n: False),
        (lambda: ee.Filter.notNull(["none"]), lambda n: False),
        (lambda: ee.Filter.calendarRange(3, 4, "month"), lambda n: time_of(n).month in {3, 4}),
        (lambda: ee.Filter.calendarRange(12, 1, "month"), lambda n: time_of(n).month in {12, 1}),
        (lambda: ee.Filter.dayOfYear(30, 60), lambda n: 30 <= time_of(n).timetuple().tm_yday <= 60),
        (
            lambda: ee.Filter.calendarRange(6, 7, "day_of_week"),
            lambda n: time_of(n).isoweekday() >= 6,
        ),
        (lambda: ee.Filter.calendarRange(1, 59, "minute"), lambda n: False),
        (
            lambda: ee.Filter.And(
                ee.Filter.eq("ORBIT", 13), ee.Filter.eq("CLOUDY_PIXEL_PERCENTAGE", 0).Not()
            ),
            lambda n: n % 2 == 0 and CLOUDS[n % 7] != 0,
        ),
        (
            lambda: ee.Filter.Or(
                ee.Filter.eq("ORBIT", 113), ee.Filter.gt("CLOUDY_PIXEL_PERCENTAGE", 90)
            ),
            lambda n: n % 2 == 1 or CLOUDS[n % 7] > 90,
        ),
    ],
)
def test_filters_choose_by_property(condition: Any, passes: Any) -> None:
    chosen = ee.ImageCollection(DAILY).filter(condition())
    assert indexes(chosen) == [index_of(number) for number in NUMBERS if passes(number)]


@pytest.mark.parametrize(
    ("place", "is_inside"),
    [
        (lambda: ee.Geometry.Point(-122.5, 37.3), True),
        (lambda: ee.Geometry.Point(-124.5, 37.3), False),
        (lambda: ee.Geometry.BBox(-130, 30, -110, 45), True),
        (lambda: ee.Geometry.BBox(-123.1, 37.0, -122.9, 37.1), True),
        (lambda: ee.Geometry.BBox(-123.1, 38.1, -122.9, 38.2), False),
        (lambda: ee.Geometry.LineString([[-124, 37.5], [-121, 37.5]]), True),
        (lambda: ee.FeatureCollection(REGIONS), True),
    ],
)
def test_images_are_chosen_by_the_region_they_touch(place: Any, is_inside: bool) -> None:
    region = place()
    if isinstance(region, ee.FeatureCollection):
        region = region.geometry()
    size = ee.ImageCollection(DAILY).filterBounds(region).size().getInfo()
    assert size == (len(NUMBERS) if is_inside else 0)


def test_an_order_and_a_limit_choose_the_clearest() -> None:
    daily = ee.ImageCollection(DAILY)
    clearest = sorted(NUMBERS, key=lambda number: CLOUDS[number % 7])[:5]
    chosen = daily.limit(5, "CLOUDY_PIXEL_PERCENTAGE")
    assert indexes(chosen) == [index_of(number) for number in clearest]
    last = daily.sort("system:time_start", False).first().get("system:index")
    assert last.getInfo() == index_of(NUMBERS[-1])


def test_one_image_is_kept_of_those_that_share_a_property() -> None:
    daily = ee.ImageCollection(DAILY)
    assert indexes(daily.distinct("ORBIT")) == [index_of(0), index_of(1)]
    assert indexes(daily.distinct(["ORBIT", "MGRS_TILE"])) == [index_of(0), index_of(1)]
    counts = {"13": 0, "113": 0}
    for number in NUMBERS:
        counts["113" if number % 2 else "13"] += 1
    assert daily.aggregate_histogram("ORBIT").getInfo() == counts
    assert daily.first().id().getInfo() == index_of(0)


def test_a_span_is_a_window() -> None:
    span = ee.DateRange("2021-02-01", "2021-03-01")
    found = indexes(ee.ImageCollection(DAILY).filterDate(span))
    assert found == [index_of(number) for number in NUMBERS if time_of(number).month == 2]


def test_a_filter_that_is_text_is_refused_by_name() -> None:
    with pytest.raises(ee.EEException, match="does not support filters that are written as text"):
        ee.ImageCollection(DAILY).filter("ORBIT == 13").size().getInfo()


def test_a_mosaic_shows_the_last_image_on_top() -> None:
    chosen = ee.ImageCollection(DAILY).filterDate("2021-01-01", "2021-01-31")
    np.testing.assert_array_equal(pixels(chosen.mosaic().select("B4")), b4(5))


def test_a_mosaic_shows_what_lies_below_a_hole() -> None:
    # Image 3 is masked at 5000, 5000 (500 x 300 pixels), image 2 is not.
    chosen = ee.ImageCollection(DAILY).filterDate("2021-01-11", "2021-01-17")
    place = [10, 0, 499980 + 49980, 0, -10, 4200000 - 50000]
    read = pixels(chosen.mosaic().select("B4"), crs_transform=place, dimensions=[4, 2])
    rows, columns = np.arange(5000, 5002)[:, np.newaxis], np.arange(4998, 5002)
    above, below = (formula_values(0, "uint16", rows, columns, seed) for seed in (4, 3))
    np.testing.assert_array_equal(read, np.where(columns < 5000, above, below))


@pytest.mark.parametrize(
    ("name", "compute", "dtype"),
    [
        ("median", np.median, "float64"),
        ("mean", np.mean, "float64"),
        ("max", np.max, "uint16"),
        ("min", np.min, "uint16"),
    ],
)
def test_a_statistic_is_of_all_images(name: str, compute: Any, dtype: str) -> None:
    chosen = ee.ImageCollection(DAILY).filterDate("2021-01-01", "2021-01-21").select("B4")
    read = pixels(getattr(chosen, name)())
    assert read.dtype == dtype
    expected = compute(np.stack([b4(number) for number in range(4)]), axis=0)
    np.testing.assert_allclose(read, expected, rtol=1e-15)


def test_a_cloud_masked_monthly_median_counts_clear_pixels_only() -> None:
    def clear(image: ee.Image) -> ee.Image:
        classes = image.select("SCL")
        is_clear = classes.neq(8).And(classes.neq(9)).And(classes.neq(3))
        return image.updateMask(is_clear).select("B4")

    start = ee.Date("2021-02-01")
    chosen = ee.ImageCollection(DAILY).filterDate(start, start.advance(1, "month")).map(clear)
    read = pixels(chosen.median())
    numbers = [number for number in NUMBERS if time_of(number).month == 2]
    stack = np.stack([b4(number) for number in numbers])
    classes = np.stack([scene_class(number) for number in numbers])
    clouded = np.isin(classes, [3, 8, 9])
    assert clouded.any()
    with np.errstate(all="ignore"):
        expected = np.ma.median(np.ma.array(stack, mask=clouded), axis=0)
    np.testing.assert_array_equal(read, np.ma.filled(expected, -np.inf))


def test_an_index_keeps_the_time_it_is_told_to() -> None:
    def ndvi(image: ee.Image) -> ee.Image:
        index = image.normalizedDifference(["B8", "B4"]).rename("ndvi")
        return index.copyProperties(image, ["system:time_start"])

    mapped = ee.ImageCollection(DAILY).limit(2).map(ndvi)
    info = mapped.getInfo()["features"]
    assert [image["properties"]["system:index"] for image in info] == [index_of(0), index_of(1)]
    assert info[1]["properties"]["system:time_start"] == time_of(1).timestamp() * 1000
    assert [band["id"] for band in info[0]["bands"]] == ["ndvi"]
    data_type = info[0]["bands"][0]["data_type"]
    assert data_type == {"type": "PixelType", "precision": "float", "min": -1, "max": 1}
    near = formula_values(1, "uint16", ROWS, COLUMNS, 2).astype(np.float64)
    expected = ((near - b4(1)) / (near + b4(1))).astype(np.float32)
    np.testing.assert_array_equal(pixels(mapped.sort("system:time_start", False).first()), expected)


def test_a_composite_of_nothing_has_no_bands() -> None:
    nothing = ee.ImageCollection(DAILY).filterDate("2030-01-01", "2031-01-01")
    for composite in (nothing.median(), nothing.mosaic(), ee.ImageCollection([]).mean()):
        assert composite.bandNames().getInfo() == []
        assert composite.getInfo()["bands"] == []
    with pytest.raises(ee.EEException, match="'B4' was applied to an Image with no bands"):
        pixels(nothing.median().select("B4"))
    with pytest.raises(ee.EEException, match=r"must also have no bands\. Got 0 and 1"):
        nothing.median().multiply(2).getInfo()


def test_the_first_of_nothing_is_null() -> None:
    nothing = ee.ImageCollection(DAILY).filterDate("2030-01-01", "2031-01-01")
    assert nothing.first().getInfo() is None
    refused = "Image.clipToBoundsAndScale: Parameter 'input' is required."
    with pytest.raises(ee.EEException) as caught:
        ee.data.getDownloadId(
            {"image": nothing.first(), "region": [-122.5, 37.3, -122.4, 37.4], "scale": 10}
        )
    assert str(caught.value) == refused


def test_a_composite_counts_in_degrees_until_it_is_told_otherwise() -> None:
    info = ee.ImageCollection(DAILY).select("B4").median().getInfo()
    assert info["bands"] == [
        {
            "id": "B4",
            "data_type": {"type": "PixelType", "precision": "double"},
            "crs": "EPSG:4326",
            "crs_transform": [1, 0, 0, 0, 1, 0],
        }
    ]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            lambda: ee.ImageCollection("projects/demo/assets/none").size(),
            "ImageCollection.load: ImageCollection asset 'projects/demo/assets/none'" + MISSING,
        ),
        (
            lambda: ee.FeatureCollection("projects/demo/assets/none").size(),
            "Collection.loadTable: Collection asset 'projects/demo/assets/none'" + MISSING,
        ),
        (
            lambda: ee.Image(DAILY).bandNames(),
            f"Image.load: Asset '{DAILY}' is not an Image.",
        ),
        (
            lambda: ee.ImageCollection(DAILY).filterDate("2019-02-29").size(),
            "Date: Bad date/time '2019-02-29'.",
        ),
        (
            lambda: ee.ImageCollection(DAILY).filterDate("2021-02-01", "2021-02-01").size(),
            "Collection.filter: Empty date ranges not supported for the current operation.",
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_real_words(bad: Any, message: str) -> None:
    with pytest.raises(ee.EEException) as caught:
        bad().getInfo()
    assert str(caught.value) == message


def test_images_with_other_bands_make_no_composite() -> None:
    mixed = ee.ImageCollection([ee.Image(1), ee.Image(2).rename("b")])
    with pytest.raises(ee.EEException, match="Expected a homogeneous image collection"):
        mixed.max().getInfo()


def test_a_table_is_a_region() -> None:
    fields = ee.FeatureCollection(REGIONS)
    assert fields.size().getInfo() == 2
    south = fields.filter(ee.Filter.eq("name", "south"))
    assert south.first().getInfo()["geometry"]["coordinates"][0][0] == [-122.495, 37.28]
    image = ee.Image(f"{DAILY}/{index_of(0)}").select("B4")
    by_table = download(image=image, region=south.geometry(), scale=10, format="NPY")
    box = ee.Geometry.BBox(-122.495, 37.28, -122.49, 37.29)
    by_box = download(image=image, region=box, scale=10, format="NPY")
    assert by_table == by_box


def test_a_table_clips_to_its_features() -> None:
    image = ee.Image(f"{DAILY}/{index_of(0)}").select("B4")
    content = download(image=image.clip(ee.FeatureCollection(REGIONS)), scale=100, format="NPY",
                       region=ee.Geometry.BBox(-122.5, 37.28, -122.49, 37.31))  # fmt: skip
    array = np.lib.format.read_array(io.BytesIO(content))["B4"]
    rows = np.flatnonzero(array.any(axis=1))
    # Nothing between the two fields, at 37.29 to 37.30 degrees: about a third of the height.
    empty = ~array.any(axis=1)
    assert 9 <= empty[rows[0] : rows[-1]].sum() <= 14


@pytest.fixture(scope="module")
def before_the_last_image() -> Iterator[str]:
    """Return the URL of an emulator whose clock stands one second before image 72 appears."""
    shown = datetime(2021, 12, 30, tzinfo=UTC).timestamp()
    with serve(CATALOG, clock=lambda: shown - 1) as emulator:
        yield emulator.url


def test_a_late_image_is_not_there_before_its_time(before_the_last_image: str) -> None:
    with initialised(before_the_last_image):
        assert ee.ImageCollection(DAILY).size().getInfo() == len(NUMBERS) - 1
        with pytest.raises(ee.EEException, match="not found"):
            ee.Image(f"{DAILY}/{index_of(72)}").getInfo()


def test_geometries_of_every_kind_are_regions() -> None:
    image = ee.Image(f"{DAILY}/{index_of(0)}").select("B4")
    corners = [[-122.5, 37.3], [-122.49, 37.31]]
    ring = [[-122.5, 37.3], [-122.49, 37.3], [-122.49, 37.31]]
    shapes: list[dict[str, Any]] = [
        {"type": "LineString", "coordinates": corners},
        {"type": "MultiPoint", "coordinates": corners},
        {"type": "MultiLineString", "coordinates": [corners, corners]},
        {"type": "LinearRing", "coordinates": [*ring, ring[0]]},
        {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
    ]
    shapes.append({"type": "GeometryCollection", "geometries": [shapes[0], shapes[0]]})
    sizes = set()
    for shape in shapes:
        region = ee.Geometry(shape)
        content = download(image=image, region=region, scale=10, format="NPY")
        sizes.add(np.lib.format.read_array(io.BytesIO(content)).shape)
    box = download(image=image, region=ee.Geometry.BBox(-122.5, 37.3, -122.49, 37.31), scale=10,
                   format="NPY")  # fmt: skip
    height, width = np.lib.format.read_array(io.BytesIO(box)).shape
    assert all(abs(h - height) <= 2 and abs(w - width) <= 2 for h, w in sizes)
