"""Whatever happens to its requests, a download has the pixels that one request would have had."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airflow_provider.earthengine.download.fetch.rasters import FetchedRasters, fetch_rasters
from airflow_provider.earthengine.download.fetch.tiles import Fetching, check_tile
from airflow_provider.earthengine.download.fields.job import DownloadFields, Worker, read_job
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo
from airflow_provider.earthengine.download.plan.plan import plan_job
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.plan.requests import Download
from airflow_provider.earthengine.download.plan.tiles import BandGroup, Tile
from airflow_provider.earthengine.download.raster.canvas import Canvas, NpyCanvas
from airflow_provider.earthengine.download.raster.decode import DecodedRaster
from airflow_provider.earthengine.download.transport.connections import Cancellation
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.emulator.faults import Damage, Flip, Status
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import (
    ComputationTooLargeError,
    DownloadCancelledError,
    FetchTimeoutError,
    PlanError,
    RasterMismatchError,
    RequestTooLargeError,
)
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from tests.support.expected import SENTINEL2_ID, sentinel2_values

# 60 x 40 px of two bands: 4 bytes of values and a mask byte for each band, 14,400 as counted.
WINDOW = {
    "bands": ["B3", "B4"], "crs": "EPSG:32610", "crs_transform": [10, 0, 500180, 0, -10, 4199700],
    "dimensions": [60, 40],
}  # fmt: skip
FOUR_TILES = {"tile_byte_count": 4096}
CREATE, PIXELS = "thumbnails.create", "thumbnails.getPixels"
TOO_LARGE = Status(400, message="User memory limit exceeded.")


class ArrayCanvas(Canvas):
    """Keeps the pixels of GeoTIFFs in memory."""

    def _begin(self, raster: DecodedRaster, places: Mapping[int, int]) -> None:
        shape = len(self._plan.bands), self._grid.height, self._grid.width
        self.pixels = np.zeros(shape, raster.array.dtype)

    def _check(self, raster: DecodedRaster) -> None:
        pass

    def _write(
        self, raster: DecodedRaster, column: int, row: int, places: Mapping[int, int]
    ) -> None:
        for position, index in places.items():
            window = self.pixels[index - 1, row : row + raster.height]
            window[:, column : column + raster.width] = raster.band(position)

    def _dtypes(self) -> list[str]:
        return [self.pixels.dtype.name] * len(self._plan.bands)

    def finish(self) -> None:
        pass

    def close(self) -> None:
        pass


class FullDiskCanvas(ArrayCanvas):
    """Cannot be written to."""

    def _write(self, *_: Any) -> None:
        raise OSError("the disk is full")


class Stage:
    """A folder of kept tiles."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.taken: list[str] = []
        folder.mkdir()

    def kept(self) -> list[Path]:
        return sorted(self._folder.iterdir())

    def take(self, tile: Tile, path: Path) -> bool:
        if not (self._folder / tile.name).exists():
            return False
        shutil.copy(self._folder / tile.name, path)
        self.taken.append(tile.name)
        return True

    def keep(self, tile: Tile, path: Path, seconds: float) -> None:
        assert 0 < seconds < 60
        shutil.copy(path, self._folder / tile.name)


class Place:
    """Downloads from the emulator into a folder, without a bucket."""

    def __init__(self, hook: EarthEngineHook, scratch: Path) -> None:
        self.hook = hook
        self.scratch = scratch
        self.cancellation = Cancellation()
        self.stage: Stage | None = None
        self.canvas: type[Canvas] = ArrayCanvas
        self.layout: str | None = None
        self.slept: list[float] = []
        self.opened = ExitStack()

    def fetch(self, limits: dict[str, Any] | None = None, **params: Any) -> FetchedRasters:
        fields = DownloadFields(
            SENTINEL2_ID, {**WINDOW, "format": "GEO_TIFF", **params}, "demo",
            layout="as_served" if params.get("format") == "NPY" else self.layout, limits=limits,
        )  # fmt: skip
        job = read_job(fields, "run", Worker(lambda: None, lambda _: b"", {}))
        plan = plan_job(job, self.hook)
        policy = RetryPolicy(attempts=4, sleep=self.slept.append, uniform=lambda _, high: high)
        fetching = Fetching(
            self.hook, plan.image, "scene", self.scratch, job.limits, policy, self.cancellation,
            self.stage,
        )  # fmt: skip
        return fetch_rasters(fetching, plan.download, self._open)

    def _open(self, download: Download, plan: RasterPlan, grid: PixelGrid) -> Canvas:
        is_npy = download.params.file_format == "NPY"
        kind = NpyCanvas if is_npy else self.canvas
        canvas = kind(self.scratch.parent / f"canvas{plan.suffix}", plan, grid)
        return self.opened.enter_context(closing(canvas))


@pytest.fixture
def place(emulator: Emulator, earthengine_default: str, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "scratch").mkdir()
    with EarthEngineHook(earthengine_default) as hook:
        hook.get_conn()
        place = Place(hook, tmp_path / "scratch")
        with place.opened:
            yield place


def assert_pixels(fetched: FetchedRasters, place: Place) -> None:
    for canvas, raster in zip(fetched.canvases, fetched.rasters, strict=True):
        if isinstance(canvas, ArrayCanvas):
            arrays = list(canvas.pixels)
        else:
            canvas.finish()
            array = np.load(canvas.path)
            arrays = [array[name] for name in array.dtype.names]
        for band, pixels in zip(raster.bands, arrays, strict=True):
            values = sentinel2_values(band.id, 20, 30, 60, 40)
            np.testing.assert_array_equal(pixels, values)
            facts = band.statistics
            assert (facts.minimum, facts.maximum) == (values.min(), values.max())
            assert facts.mean == pytest.approx(values.mean())
    assert list(place.scratch.iterdir()) == []


@pytest.mark.parametrize(
    "params", [{}, {"format": "NPY"}, {"format": "ZIPPED_GEO_TIFF_PER_BAND"}], ids=str
)
def test_tiles_are_put_together_to_the_whole(
    params: dict[str, Any], place: Place, emulator: Emulator
) -> None:
    fetched = place.fetch(FOUR_TILES, **params)
    assert_pixels(fetched, place)
    assert len(fetched.canvases) == (2 if "ZIPPED" in str(params) else 1)
    assert emulator.counts()[PIXELS] == len(fetched.download.tiles) >= 4


def test_what_fits_in_one_request_is_one(place: Place, emulator: Emulator) -> None:
    fetched = place.fetch()
    assert fetched.body is not None
    assert (fetched.canvases, fetched.download.tiles) == ((), ())
    assert emulator.counts()[PIXELS] == 1
    assert fetched.body.path.read_bytes()[:2] in (b"II", b"MM")
    assert [band.id for band in fetched.rasters[0].bands] == ["B3", "B4"]


def test_a_request_that_cannot_be_computed_is_cut_into_four_and_each_again(
    place: Place, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    with emulator.fault(PIXELS, TOO_LARGE, times=3):
        fetched = place.fetch()
    assert_pixels(fetched, place)
    assert "Fetching it in 4 tiles instead." in caplog.text
    assert emulator.counts()[PIXELS] == 1 + 4 + 2 * 4
    assert len(fetched.download.tiles) == 4


def test_what_is_never_computed_is_named_after_three_cuts(place: Place, emulator: Emulator) -> None:
    with (
        # The whole, its quarters, theirs, and the first of theirs.
        emulator.fault(PIXELS, TOO_LARGE, times=1 + 4 + 16 + 1),
        pytest.raises(ComputationTooLargeError, match=r"cut into four 3 times.*User memory") as no,
    ):
        place.fetch({"max_concurrent_requests": 1})
    assert no.value.facts["status"] == 400


@pytest.mark.parametrize(
    ("limits", "message", "count"),
    [
        (None, "Total request size (14400 bytes) must be less than or equal to 8000 bytes.", 2),
        (None, "Pixel grid dimensions (60x40) must be less than or equal to 32.", 4),
        (FOUR_TILES, "Pixel grid dimensions (32x21) must be less than or equal to 16.", None),
    ],
)
def test_a_size_that_is_refused_is_cut_by_the_numbers_of_the_refusal(
    limits: dict[str, Any] | None, message: str, count: int | None, place: Place, emulator: Emulator
) -> None:
    with emulator.fault(CREATE, Status(400, message=message)):
        fetched = place.fetch(limits)
    assert_pixels(fetched, place)
    if count is not None:
        assert emulator.counts()[PIXELS] == count


def test_a_refusal_that_cutting_does_not_heed_is_the_error(
    place: Place, emulator: Emulator
) -> None:
    message = "Total request size (4000 bytes) must be less than or equal to 50331648 bytes."
    with (
        emulator.fault(CREATE, Status(400, message=message), times=1),
        pytest.raises(RequestTooLargeError, match="4000 bytes"),
    ):
        place.fetch({**FOUR_TILES, "max_concurrent_requests": 1})


def test_a_file_that_is_stored_as_it_is_served_is_not_cut(place: Place, emulator: Emulator) -> None:
    place.layout = "as_served"
    with emulator.fault(PIXELS, TOO_LARGE), pytest.raises(ComputationTooLargeError):
        place.fetch()


def test_pieces_are_not_more_requests_than_are_allowed(place: Place, emulator: Emulator) -> None:
    with emulator.fault(PIXELS, TOO_LARGE), pytest.raises(PlanError, match="takes 4 requests"):
        place.fetch({"max_requests": 3})


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Status(503), Status(429), Flip()], ids=repr)
def test_a_tile_that_fails_is_fetched_again_and_no_other(
    fault: Any, place: Place, emulator: Emulator
) -> None:
    with emulator.fault(PIXELS, fault, skip=2):
        fetched = place.fetch(FOUR_TILES)
    assert_pixels(fetched, place)
    assert emulator.counts()[PIXELS] == len(fetched.download.tiles) + 1


@pytest.mark.parametrize(
    ("what", "field", "params"),
    [
        ("grid_shift", "crs_transform", {}),
        ("grid_size", "dimensions", {}),
        ("bands", "bands", {"format": "NPY"}),
    ],
)
def test_a_tile_that_is_another_is_refused(
    what: Any, field: str, params: dict[str, Any], place: Place, emulator: Emulator
) -> None:
    with emulator.fault(PIXELS, Damage(what), skip=2), pytest.raises(RasterMismatchError) as no:
        place.fetch(FOUR_TILES, **params)
    assert no.value.facts["field"] == field


def test_a_tile_without_a_place_is_refused_by_its_crs() -> None:
    grid = PixelGrid("EPSG:32610", (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), 3, 2)
    group = BandGroup((BandInfo("b", "uint8", grid),), grid, ((0, 1),))
    raster = DecodedRaster(np.zeros((1, 2, 3), "uint8"), grid.transform, None)
    with pytest.raises(RasterMismatchError, match="whose crs is none, but EPSG:32610 was"):
        check_tile(raster, Tile(0, 0, 1, 0, 0, 3, 2), group)


def test_a_canvas_that_cannot_be_written_is_the_error_and_nothing_is_fetched_again(
    place: Place, emulator: Emulator
) -> None:
    place.canvas = FullDiskCanvas
    with pytest.raises(OSError, match="the disk is full"):
        place.fetch({**FOUR_TILES, "max_concurrent_requests": 1})
    assert emulator.counts()[PIXELS] < 4


def test_kept_tiles_are_not_fetched_and_a_damaged_one_is(
    place: Place, emulator: Emulator, tmp_path: Path
) -> None:
    place.stage = Stage(tmp_path / "stage")
    fetched = place.fetch(FOUR_TILES)
    assert_pixels(fetched, place)
    kept = place.stage.kept()
    assert len(kept) == len(fetched.download.tiles) == emulator.counts()[PIXELS]
    emulator.clear_requests()
    kept[0].write_bytes(kept[0].read_bytes()[:-200])
    again = place.fetch(FOUR_TILES)
    assert_pixels(again, place)
    assert emulator.counts()[PIXELS] == 1
    assert len(place.stage.taken) == len(kept)
    assert kept[0].stat().st_size == place.stage.kept()[0].stat().st_size


def test_a_kept_tile_for_which_there_is_no_room_is_the_error(place: Place, tmp_path: Path) -> None:
    place.stage = Stage(tmp_path / "stage")
    place.fetch(FOUR_TILES)
    place.canvas = FullDiskCanvas
    with pytest.raises(OSError, match="the disk is full"):
        place.fetch(FOUR_TILES)


def test_time_that_is_up_ends_a_download_before_its_next_request_or_wait(
    place: Place, emulator: Emulator
) -> None:
    words = r"not finished within limits\['total_seconds'\], 1e-06 s; raise it"
    with pytest.raises(FetchTimeoutError, match=words):
        place.fetch({**FOUR_TILES, "total_seconds": 1e-6})
    assert emulator.counts().get(PIXELS, 0) == 0
    # A wait of a minute would end after it.
    with (
        emulator.fault(PIXELS, Status(429, retry_after="60")),
        pytest.raises(FetchTimeoutError, match=r"total_seconds'\], 30 s"),
    ):
        place.fetch({**FOUR_TILES, "total_seconds": 30, "max_concurrent_requests": 1})


def test_a_cancelled_download_asks_for_no_pixel(place: Place, emulator: Emulator) -> None:
    place.cancellation.cancel()
    with pytest.raises(DownloadCancelledError):
        place.fetch(FOUR_TILES)
    assert emulator.counts().get(PIXELS, 0) == 0


def test_all_pixels_are_counted_and_a_missing_tile_is_noticed(place: Place) -> None:
    fetched = place.fetch(FOUR_TILES)
    assert not fetched.is_all_masked
    marked = replace(fetched, rasters=(replace(fetched.rasters[0], is_all_masked=True),))
    assert marked.is_all_masked
    (plan,), grid = fetched.download.rasters, fetched.download.rasters[0].grid
    assert grid is not None
    empty = ArrayCanvas(place.scratch, plan, grid)
    with pytest.raises(RasterMismatchError, match=r"pixels is 0, but 2,400"):
        empty.describe()
