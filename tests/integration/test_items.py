"""What an item says of its data, through the operator: its id, times, place and properties."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyproj
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from shapely.geometry import Point, shape

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.bucket import read_item
from stack.seaweedfs import SeaweedFS
from tests.integration.series import PIXELS, collection, day, list_images
from tests.support.airflow_task import task_context
from tests.support.stac_extensions import check_item

pytestmark = pytest.mark.usefixtures("connections")

ASSET = "projects/demo/assets/placed"
GRID = {
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 600_000, 0, -10, 4_100_000],
    "dimensions": [20, 10],
}
SCENE = {"download_params": {"format": "GEO_TIFF"}, "image": ASSET}
TAKEN = 1610218671000  # 2021-01-09T18:57:51Z

Publish = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def assets(emulator: Emulator) -> Iterator[Emulator]:
    with emulator.restored_assets():
        put(emulator)
        yield emulator


def put(emulator: Emulator, *grids: dict[str, Any], **properties: Any) -> None:
    """Put an image with a band for each grid into the catalog."""
    bands = [
        {"id": f"B{number}", "dtype": "uint16", **grid}
        for number, grid in enumerate(grids or (GRID,), 1)
    ]
    asset = {"id": ASSET, "kind": "formula", "bands": bands, "properties": properties}
    emulator.put_asset(asset)


@pytest.fixture
def publish(bucket: str, s3: SeaweedFS) -> Publish:
    def execute(context: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """Download, and return the item, checked against STAC's core and the extensions."""
        context = context or task_context()
        chosen = {**SCENE, "s3_bucket": bucket, **fields}
        EarthEngineToS3Operator(task_id="download", **chosen).execute(context)  # type: ignore[arg-type]  # a stand-in
        key = context["ti"].xcom["item"].removeprefix(f"s3://{bucket}/")
        item = read_item(s3.client(), bucket, key)
        check_item(item)
        return item

    return execute


def cron_context(**facts: Any) -> dict[str, Any]:
    """Return the context of a run under a cron schedule, whose data interval has no length."""
    now = datetime(2026, 3, 7, tzinfo=UTC)
    return {**task_context(**facts), "data_interval_start": now, "data_interval_end": now}


def times(item: dict[str, Any]) -> tuple[Any, ...]:
    properties = item["properties"]
    names = ("datetime", "start_datetime", "end_datetime")
    return properties["earthengine:time_source"], *(properties.get(name) for name in names)


class TestIds:
    def test_twelve_months_are_twelve_items(self, publish: Publish) -> None:
        params = {"format": "GEO_TIFF", "name": "santa_cruz"}
        prefixes = [f"composites/2026/{month:02}" for month in (1, 2, 3)]
        ids = [publish(s3_prefix=each, download_params=params)["id"] for each in prefixes]
        assert ids == [f"composites~2026~{month:02}~santa_cruz.tif" for month in (1, 2, 3)]

    def test_each_format_of_a_name_is_an_item_of_its_own(self, publish: Publish) -> None:
        ids = {
            publish(download_params={"format": each, "name": "n"})["id"]
            for each in ("GEO_TIFF", "NPY", "ZIPPED_GEO_TIFF_PER_BAND")
        }
        assert ids == {"n.tif", "n.npy", "n.bands"}

    def test_an_id_stays_over_re_runs_and_needs_no_escape_in_a_url(self, publish: Publish) -> None:
        fields = {"s3_prefix": "São Paulo/a b~c", "if_exists": "replace"}
        first = publish(**fields)
        again = publish(task_context(run_id="scheduled__2026-02-01"), **fields)
        assert first["id"] == again["id"] == "S~~C3~~A3o~~20Paulo~a~~20b~~7Ec~placed.tif"
        assert first["properties"]["created"] != again["properties"]["created"]


class TestTimes:
    def test_an_image_has_its_own_time(self, publish: Publish, assets: Emulator) -> None:
        put(assets, **{"system:time_start": TAKEN, "system:time_end": TAKEN + 9000})
        assert times(publish()) == (
            "image", "2021-01-09T18:57:51Z", "2021-01-09T18:57:51Z", "2021-01-09T18:58:00Z"
        )  # fmt: skip

    def test_a_composite_under_a_cron_schedule_is_not_of_the_runs_day(
        self, publish: Publish
    ) -> None:
        item = publish(cron_context())
        assert times(item) == ("unknown", None, "1678-01-01T00:00:00Z", "2262-01-01T00:00:00Z")

    def test_a_data_interval_that_has_a_length_is_a_window(self, publish: Publish) -> None:
        assert times(publish()) == (
            "data_interval", None, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
        )  # fmt: skip

    @pytest.mark.parametrize("make_context", [cron_context, task_context])
    def test_what_the_user_says_goes_before_the_run(
        self, publish: Publish, make_context: Callable[[], dict[str, Any]]
    ) -> None:
        """A composite of January, whose function chose the dates."""
        record = {
            "start_datetime": "2026-01-01",
            "end_datetime": "2026-02-01",
            "licence": "CC0-1.0",
        }
        item = publish(make_context(), record=record)
        assert times(item) == ("record", None, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
        assert item["properties"]["license"] == "CC0-1.0"

    def test_times_that_stac_does_not_take_are_refused_before_anything_is_sent(
        self, publish: Publish, assets: Emulator
    ) -> None:
        assets.clear_requests()
        with pytest.raises(AirflowFailException, match="start_datetime and end_datetime together"):
            publish(record={"start_datetime": "2026-01-01"})
        assert assets.counts() == {}

    @pytest.mark.slow
    @pytest.mark.parametrize("by", ["image", "date"])
    def test_a_listing_knows_the_time(self, publish: Publish, assets: Emulator, by: str) -> None:
        assets.put_asset(collection())
        (fields,) = list_images(by=by, end=day(1))
        item = publish(cron_context(), **fields, download_params=PIXELS)
        if by == "image":
            assert times(item) == ("image", "2021-01-01T10:00:00Z", None, None)
        else:
            assert times(item) == (
                "image", "2021-01-01T00:00:00Z", "2021-01-01T00:00:00Z", "2021-01-02T00:00:00Z"
            )  # fmt: skip

    def test_a_listing_tells_the_time_of_an_image_that_does_not(self, publish: Publish) -> None:
        source = {"name": "a", "start_time": "2021-01-01T10:00:00Z", "images": [[ASSET, 1]]}
        item = publish(cron_context(), source=source)
        assert times(item) == ("listing", "2021-01-01T10:00:00Z", None, None)

    def test_a_time_that_is_none_is_said_and_does_not_stop_the_record(
        self, publish: Publish, assets: Emulator
    ) -> None:
        put(assets, **{"system:time_start": TAKEN * 1000})
        item = publish(cron_context(), record={"datetime": "2021-01-09"})
        assert times(item) == ("record", "2021-01-09T00:00:00Z", None, None)
        (warning,) = item["properties"]["earthengine:warnings"]
        assert "1610218671000000, not a time in milliseconds since 1970" in warning


def degrees(west: float, north: float, step: float, width: int, height: int) -> dict[str, Any]:
    return {
        "crs": "EPSG:4326",
        "crs_transform": [step, 0, west, 0, -step, north],
        "dimensions": [width, height],
    }


def ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


WORLD = [-180, -90, 180, 90]


class TestPlaces:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("grid", "boxes", "bbox"),
        [
            (degrees(-122.5, 37.5, 0.01, 50, 30), [[-122.5, 37.2, -122, 37.5]], None),
            (degrees(0, 90, 1, 360, 180), [WORLD], WORLD),
            (degrees(-180.25, 90.25, 0.5, 721, 361), [WORLD], WORLD),
            (
                degrees(170, 10, 0.5, 40, 20), [[170, 0, 180, 10], [-180, 0, -170, 10]],
                [170, 0, -170, 10],
            ),
        ],
    )  # fmt: skip
    def test_a_rectangle_of_degrees_is_one_wherever_it_lies(
        self,
        publish: Publish,
        assets: Emulator,
        grid: dict[str, Any],
        boxes: list[list[float]],
        bbox: list[float] | None,
    ) -> None:
        put(assets, grid)
        item = publish()
        rings = [[ring(*each)] for each in boxes]  # type: ignore[arg-type]  # four
        kind = "Polygon" if len(rings) == 1 else "MultiPolygon"
        coordinates = rings[0] if len(rings) == 1 else rings
        assert item["geometry"] == {"type": kind, "coordinates": coordinates}
        assert item["bbox"] == (bbox or boxes[0])

    def test_fiji_is_not_a_belt_round_the_globe(self, publish: Publish, assets: Emulator) -> None:
        grid = {
            "crs": "EPSG:32701",
            "crs_transform": [1000, 0, 0, 0, -1000, 8_100_000],
            "dimensions": [300, 100],
        }
        put(assets, grid)
        item = publish()
        west, _, east, _ = item["bbox"]
        assert west > 178 > 0 > -178 > east
        assert_holds_the_pixels(item, grid)

    def test_a_raster_round_the_pole_reaches_it(self, publish: Publish, assets: Emulator) -> None:
        grid = {
            "crs": "EPSG:3031",
            "crs_transform": [20_000, 0, -3_000_000, 0, -20_000, 3_000_000],
            "dimensions": [300, 300],
        }
        put(assets, grid)
        item = publish()
        assert item["bbox"][:3] == [-180, -90, 180]
        assert_holds_the_pixels(item, grid)

    def test_all_bands_are_in_the_outline_not_only_the_one_with_most_pixels(
        self, publish: Publish, assets: Emulator
    ) -> None:
        wide, fine = degrees(-123, 38, 0.5, 4, 2), degrees(-100, 38, 0.01, 100, 100)
        put(assets, fine, wide)
        item = publish(download_params={})
        assert item["bbox"] == [-123, 37, -99, 38]
        assert {tuple(shape(item["geometry"]).bounds)} == {(-123, 37, -99, 38)}
        assert len(item["geometry"]["coordinates"]) == 2

    def test_a_crs_with_a_code_is_named_by_it(self, publish: Publish) -> None:
        asset = publish()["assets"]["data"]
        assert (asset["proj:code"], "proj:wkt2" in asset) == ("EPSG:32610", False)


def assert_holds_the_pixels(item: dict[str, Any], grid: dict[str, Any]) -> None:
    """Corners of pixels, shrunk by one all round, lie in the geometry by pyproj's word."""
    outline = shape(item["geometry"])
    a, _, c, _, e, f = grid["crs_transform"]
    width, height = grid["dimensions"]
    columns, rows = np.meshgrid(np.arange(1, width, 7), np.arange(1, height, 7))
    to_degrees = pyproj.Transformer.from_crs(grid["crs"], "EPSG:4326", always_xy=True)
    places = np.column_stack(to_degrees.transform(a * columns.ravel() + c, e * rows.ravel() + f))
    assert all(outline.intersects(Point(place)) for place in places)


ODD = {
    "system:index": "placed",
    "system:time_start": TAKEN,
    "system:footprint": {"type": "LinearRing", "coordinates": [[-122.5, 37.0], [-122.0, 37.5]]},
    "a=b": "c=d",
    "lines": "one\ntwo\r\n",
    "nul": "before\0after",
    "long": "x" * 90_000,
    "Scale": 1,
    "scale": "1",
    "AREA_OR_POINT": "Point",
    "CLOUDS": 12.5,
}


@pytest.mark.parametrize("limits", [None, {"tile_byte_count": 300}], ids=["whole", "in tiles"])
def test_all_properties_come_back_from_a_cog(
    publish: Publish, assets: Emulator, limits: Any
) -> None:
    put(assets, **ODD)
    item = publish(limits=limits)
    with open_raster(item["assets"]["data"]["href"]) as dataset:
        tags = dataset.tags()
        assert tuple(dataset.transform)[:6] == tuple(GRID["crs_transform"])
    read = json.loads(tags.pop("EARTHENGINE_PROPERTIES"))
    assert {name: read.get(name) for name in ODD} == ODD
    assert read == json.loads(item["properties"]["earthengine:properties"])
    assert tags == {"CLOUDS": "12.5", "AREA_OR_POINT": "Area"}


RGB = ("red", "green", "blue")


class TestBands:
    def test_a_band_that_the_download_does_not_have_cannot_be_described(
        self, publish: Publish, assets: Emulator
    ) -> None:
        """No pixel is fetched for a typing mistake."""
        assets.clear_requests()
        with pytest.raises(AirflowFailException, match="names B11, which the download does not"):
            publish(record={"bands": {"B11": {"scale": 2}}})
        assert not any("thumbnails" in each or "pixels" in each for each in assets.counts())

    @pytest.mark.parametrize("limits", [None, {"tile_byte_count": 300}], ids=["whole", "in tiles"])
    def test_the_scale_that_the_user_gives_is_in_the_item_and_the_file(
        self, publish: Publish, limits: Any
    ) -> None:
        item = publish(record={"bands": {"B1": {"scale": 0.0001, "offset": -0.1}}}, limits=limits)
        (band,) = item["assets"]["data"]["bands"]
        assert (band["raster:scale"], band["raster:offset"]) == (0.0001, -0.1)
        with open_raster(item["assets"]["data"]["href"]) as dataset:
            assert (dataset.scales, dataset.offsets) == ((0.0001,), (-0.1,))

    @pytest.mark.parametrize("order", [("red", "green", "blue"), ("blue", "red", "green", "nir")])
    def test_colours_are_in_the_file(
        self, publish: Publish, assets: Emulator, order: tuple[str, ...]
    ) -> None:
        bands = [{"id": name, "dtype": "uint16", **GRID} for name in order]
        assets.put_asset({"id": ASSET, "kind": "formula", "bands": bands})
        with open_raster(publish()["assets"]["data"]["href"]) as dataset:
            found = [each.name for each in dataset.colorinterp]
        assert found == [name if name in RGB else "undefined" for name in order]
