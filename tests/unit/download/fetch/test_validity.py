"""What pixels show about the mask, and what is asked of Earth Engine where they show nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ee
import pytest

from airflow_provider.earthengine.download.fetch.validity import (
    Validity,
    judge_band,
    mark_masked,
)
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo
from airflow_provider.earthengine.download.plan.raster_plan import GridAsk, RasterPlan
from airflow_provider.earthengine.download.raster.facts import (
    BandFacts,
    BandStatistics,
    RasterFacts,
)
from airflow_provider.earthengine.emulator.faults import Status
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import ServiceUnavailableError
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook

SOME, ALL, UNKNOWN = Validity.SOME_VALID, Validity.ALL_MASKED, Validity.UNKNOWN
ASSET = "projects/demo/assets/half"
GRID = PixelGrid("EPSG:32610", (10.0, 0.0, 600_000.0, 0.0, -10.0, 4_100_000.0), 30, 40)
UPPER, LOWER = GRID.window(0, 0, 30, 20), GRID.window(0, 20, 30, 20)


def band(dtype: str, low: float | None, high: float | None, percent: float = 100.0) -> BandFacts:
    return BandFacts(dtype, dtype, None, BandStatistics(low, high, low, percent))


@pytest.mark.parametrize(
    ("facts", "nodata", "validity"),
    [
        (band("uint8", None, None, 0.0), 5.0, ALL),
        (band("uint8", 0, 0), 5.0, SOME),
        (band("float32", None, None, 0.0), None, ALL),
        (band("float32", 0, 0), None, UNKNOWN),
        (band("float32", 0, 1), None, SOME),
        (band("float32", 3, 3), None, SOME),
        # Infinity alone has no least.
        (band("float32", None, None), None, SOME),
        (band("uint16", None, None, 0.0), None, UNKNOWN),
        (band("uint16", 0, 0), None, UNKNOWN),
        (band("uint16", 1, 1), None, SOME),
        (band("uint16", 0, 9), None, SOME),
        (band("int16", -32768, -32768), None, UNKNOWN),
        (band("int16", -32767, -32767), None, SOME),
        (band("int16", 0, 0), None, UNKNOWN),
        (band("int8", -128, -128), None, UNKNOWN),
    ],
)
def test_one_value_that_masked_pixels_have_too_shows_nothing(
    facts: BandFacts, nodata: float | None, validity: Validity
) -> None:
    assert judge_band(facts, nodata) is validity


@pytest.fixture
def session(emulator: Emulator, earthengine_default: str) -> Iterator[EarthEngineHook]:
    """The upper half of the image is masked, and the pixels around the lower half's too."""
    masked = [{"left": 0, "top": 0, "width": 30, "height": 20}]
    bands = [
        {"id": dtype, "dtype": dtype, "crs": GRID.crs, "crs_transform": list(GRID.transform),
         "dimensions": [30, 40], "masked": masked}
        for dtype in ("uint8", "int16", "float32")
    ]  # fmt: skip
    with emulator.restored_assets(), EarthEngineHook(earthengine_default) as hook:
        emulator.put_asset({"id": ASSET, "kind": "formula", "bands": bands})
        hook.get_conn()
        emulator.clear_requests()
        yield hook


def marked(
    session: EarthEngineHook, *bands: BandFacts, grid: PixelGrid | None = UPPER, **params: Any
) -> RasterFacts:
    infos = tuple(BandInfo(each.id, each.dtype, grid) for each in bands)
    plan = RasterPlan(".tif", infos, GridAsk())
    facts = RasterFacts(Path("x"), plan, grid, bands, ("earlier",))
    (found,) = mark_masked(session, ee.Image(ASSET), read_params(params), [facts])
    return found


ZEROS, LEAST, NONE = band("uint8", 0, 0), band("int16", -32768, -32768), band("float32", 0, 0, 0)


def test_where_all_are_masked_it_is_said_of_each_band(
    session: EarthEngineHook, emulator: Emulator
) -> None:
    found = marked(session, ZEROS, NONE)
    assert found.is_all_masked
    assert found.warnings == (
        "earlier", "No pixel of band uint8, float32 is valid; all are masked.",
    )  # fmt: skip
    assert emulator.counts()["value:compute"] == 1


@pytest.mark.parametrize("grid", [LOWER, GRID], ids=["all valid", "half of them"])
def test_where_some_are_valid_the_user_hears_that_they_look_alike(
    grid: PixelGrid, session: EarthEngineHook
) -> None:
    found = marked(session, ZEROS, LEAST, NONE, grid=grid)
    assert not found.is_all_masked
    assert found.warnings == (
        "earlier",
        (
            "All pixels of band uint8, int16 have the value of masked pixels, but some are valid; "
            "nodata distinguishes them."
        ),
    )


def test_neighbours_of_the_raster_are_not_asked_about(session: EarthEngineHook) -> None:
    """Right below these pixels are valid ones."""
    assert marked(session, ZEROS, grid=GRID.window(5, 18, 10, 2)).is_all_masked
    assert not marked(session, ZEROS, grid=GRID.window(5, 19, 10, 2)).is_all_masked


def test_pixels_that_a_region_clips_away_are_masked(session: EarthEngineHook) -> None:
    elsewhere = {"type": "Polygon", "coordinates": [[[5, 43], [5.1, 43], [5.1, 43.1], [5, 43]]]}
    assert not marked(session, ZEROS, grid=LOWER).is_all_masked
    assert marked(session, ZEROS, grid=LOWER, region=elsewhere).is_all_masked


@pytest.mark.parametrize("facts", [band("uint8", 0, 9), band("float32", 1, 1)], ids=str)
def test_a_band_with_a_pixel_that_is_valid_is_not_asked_about(
    facts: BandFacts, session: EarthEngineHook, emulator: Emulator
) -> None:
    found = marked(session, ZEROS, facts)
    assert (found.is_all_masked, found.warnings) == (False, ("earlier",))
    assert emulator.counts().get("value:compute", 0) == 0


@pytest.mark.parametrize("how", ["no place", "refused"])
def test_where_it_cannot_be_asked_it_is_said_to_be_unknown(
    how: str, session: EarthEngineHook, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    if how == "no place":
        grid = PixelGrid("", (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), 10, 10)
        found = marked(session, ZEROS, grid=grid)
    else:
        with emulator.fault("value:compute", Status(400, message="Computation timed out.")):
            found = marked(session, ZEROS)
        assert "could not reduce the mask" in caplog.text
    assert not found.is_all_masked
    assert found.warnings[1:] == (
        (
            "All pixels of band uint8 have the value of masked pixels, and it is unknown whether "
            "any is valid; nodata distinguishes them."
        ),
    )


def test_an_answer_that_makes_no_sense_is_an_error(session: EarthEngineHook) -> None:
    class Odd:
        def compute_value(self, _: object) -> object:
            return {"uint8": "many"}

    plan = RasterPlan(".tif", (BandInfo("uint8", "uint8", UPPER),), GridAsk())
    facts = RasterFacts(Path("x"), plan, UPPER, (ZEROS,), ())
    with pytest.raises(ServiceUnavailableError):
        mark_masked(Odd(), ee.Image(ASSET), read_params({}), [facts])  # type: ignore[arg-type]
