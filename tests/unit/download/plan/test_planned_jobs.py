"""What is planned of an image as Earth Engine describes it: pixels, warnings, refusals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import ee
import pytest

from airflow_provider.earthengine.download.fields.job import DownloadFields, Worker, read_job
from airflow_provider.earthengine.download.plan.describe import explain_refusal
from airflow_provider.earthengine.download.plan.plan import Plan, plan_job
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import (
    DownloadParamsError,
    EmptyImageError,
    PlanError,
    RequestRejectedError,
    SourceChangedError,
)
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from tests.support.expected import SENTINEL2_ID

ASSETS = "projects/demo/assets"
SCENE, DEGREES, PARTLY = f"{ASSETS}/scene", f"{ASSETS}/degrees", f"{ASSETS}/partly"
UTM = {"crs": "EPSG:32610", "crs_transform": [10, 0, 600_000, 0, -10, 4_100_000]}
DEGREE = {"crs": "EPSG:4326", "crs_transform": [1, 0, 0, 0, 1, 0]}
# In the scene, about 9 x 11 of its pixels.
REGION = [-121.8750, 37.0365, -121.8740, 37.0375]
OCEAN = [5, 43, 5.1, 43.1]
ZIP = "ZIPPED_GEO_TIFF_PER_BAND"


def image(asset_id: str, *bands: dict[str, Any], version: int = 7) -> dict[str, Any]:
    return {"id": asset_id, "kind": "formula", "version": version, "bands": list(bands)}


B = {"id": "b", "dtype": "uint16", **UTM, "dimensions": [400, 300]}
C = {"id": "c", "dtype": "uint8", **UTM, "dimensions": [400, 300]}
PLACEHOLDER = {"id": "msk", "dtype": "uint8", **DEGREE, "dimensions": [1, 1]}


@pytest.fixture(autouse=True)
def assets(emulator: Emulator) -> Iterator[Emulator]:
    with emulator.restored_assets():
        emulator.put_asset(image(SCENE, B, C))
        emulator.put_asset(image(DEGREES, {**B, **DEGREE, "dimensions": [20, 15]}))
        emulator.put_asset(image(PARTLY, B, PLACEHOLDER))
        emulator.clear_requests()
        yield emulator


@pytest.fixture
def session(earthengine_default: str) -> Iterator[EarthEngineHook]:
    with EarthEngineHook(earthengine_default) as hook:
        hook.get_conn()
        yield hook


def plan(session: EarthEngineHook, source: Any = SCENE, **params: Any) -> Plan:
    fields = {
        name: params.pop(name)
        for name in ("nodata", "layout", "limits", "record")
        if name in params
    }
    given = DownloadFields(
        source if isinstance(source, str) else source.serialize(),
        {"format": "GEO_TIFF", **params}, "demo", "a", **fields,
    )  # fmt: skip
    return plan_job(read_job(given, "run", Worker(lambda: None, lambda _: b"", {})), session)


def sizes(planned: Plan) -> list[tuple[str, int, int]]:
    grids = [raster.grid for raster in planned.download.rasters]
    assert all(grids)
    return [(grid.crs, grid.width, grid.height) for grid in grids if grid]


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({}, ("EPSG:32610", 400, 300)),
        ({"scale": 100}, ("EPSG:32610", 40, 30)),
        ({**UTM, "dimensions": [20, 10]}, ("EPSG:32610", 20, 10)),
        ({"region": REGION, "dimensions": [4, 5]}, ("EPSG:4326", 4, 5)),
    ],
    ids=str,
)
def test_the_pixels_are_those_that_earth_engine_names_and_one_request_asks(
    params: dict[str, Any], wanted: tuple[str, int, int], session: EarthEngineHook, assets: Emulator
) -> None:
    planned = plan(session, **params)
    assert [size[1:] for size in sizes(planned)] == [wanted[1:]]
    assert planned.info.version == 7
    assert planned.info.warnings == ()
    assert assets.counts()["value:compute"] == 1


def test_what_is_said_of_a_band_that_the_download_lacks_is_refused(
    session: EarthEngineHook,
) -> None:
    record = {"bands": {"b": {"unit": "m"}, "d": {"unit": "m"}}}
    with pytest.raises(
        DownloadParamsError, match=r"record\['bands'\] names d, which the"
    ) as raised:
        plan(session, record=record)
    assert raised.value.facts["field"] == "record"


def test_a_plan_is_said_in_lines_and_in_plain_values(session: EarthEngineHook) -> None:
    planned = plan(session, scale=100, bands=["c", "b"], format=ZIP)
    # 40 x 30 px, of a byte and two, and each with a mask byte.
    assert planned.to_dict() == {
        "requests": 1,
        "byte_count": 40 * 30 * (1 + 1 + 2 + 1),
        "raster_byte_count": 40 * 30 * (1 + 2),
        "files": ["s3://demo/a/scene.c.tif", "s3://demo/a/scene.b.tif"],
        "item": "s3://demo/a/scene.bands.json",
        "warnings": [],
    }
    first, *others = planned.lines()
    assert first == (
        f"Plan: {SCENE} as ZIPPED_GEO_TIFF_PER_BAND, 1 request of 0.0 MiB in total as Earth Engine "
        "counts, to s3://demo/a/scene.bands.json"
    )
    assert [line.partition("; ")[0] for line in others] == [
        "  scene.c.tif: c (uint8)", "  scene.b.tif: b (uint16)",
    ]  # fmt: skip
    small = plan(session, limits={"tile_byte_count": 65_536})
    assert f"{small.download.request_count} requests of 0.6 MiB" in next(small.lines())
    zipped = plan(session, scale=100, format=ZIP, layout="zip")
    assert zipped.to_dict()["files"] == ["s3://demo/a/scene.zip"]


def test_an_image_that_was_replaced_since_is_noticed(
    session: EarthEngineHook, assets: Emulator
) -> None:
    planned = plan(session)
    planned.check_unchanged(session)
    assets.put_asset(image(SCENE, B, C, version=8))
    with pytest.raises(SourceChangedError, match=r"version 7, now 8") as caught:
        planned.check_unchanged(session)
    assert caught.value.facts == {"version": 8}


def test_what_has_no_version_is_not_asked_again(session: EarthEngineHook, assets: Emulator) -> None:
    planned = plan(session, ee.Image(SCENE).add(1))
    assert planned.info.version is None
    assets.clear_requests()
    planned.check_unchanged(session)
    assert assets.counts().get("value:compute", 0) == 0


COMPUTED = {
    "a constant": lambda: ee.Image(7),
    "a sum with a constant": lambda: ee.Image(SCENE).add(0).addBands(ee.Image(7)),
    "a composite": lambda: ee.ImageCollection([ee.Image(SCENE)]).median(),
}


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.parametrize("params", [{}, {"crs": "EPSG:32610"}], ids=str)
def test_bands_without_pixels_of_their_own_are_refused_by_name(
    name: str, params: dict[str, Any], session: EarthEngineHook
) -> None:
    words = r"Band (b|constant) has no grid of its own.*give crs and scale"
    with pytest.raises(PlanError, match=words):
        plan(session, COMPUTED[name](), region=REGION, format=ZIP, name="x", **params)


@pytest.mark.parametrize("name", COMPUTED)
def test_where_the_parameters_name_pixels_it_is_planned(
    name: str, session: EarthEngineHook
) -> None:
    planned = plan(session, COMPUTED[name](), **UTM, dimensions=[20, 10], name="x")
    assert {size[1:] for size in sizes(planned)} == {(20, 10)}


def test_pixels_of_one_degree_are_its_own_where_a_source_has_them(
    session: EarthEngineHook,
) -> None:
    planned = plan(session, ee.Image(DEGREES).add(1), name="x")
    assert sizes(planned) == [("EPSG:4326", 20, 15)]


@pytest.mark.parametrize(
    ("source", "params", "words"),
    [
        (SCENE, {"region": REGION, "crs": "EPSG:4326"},
         (r"^Band b: the result is 1 x 1 px of about 111,319 m, but the image has pixels of about "
         r"10 m; with crs alone")),
        (SCENE, {"region": REGION, "scale": 1000},
         r"^Band b: the region of about 8\d x 111 m is smaller than one pixel of 1,000 m\.$"),
        (DEGREES, {"region": [18.5, 13.5, 60, 60]},
         (r"^Band b: the result is 2 x 2 px of about 111,319 m, but the region is about "
         r"[\d,]+ x 5,176,356 m; the image does not cover more\.$")),
        (DEGREES, {"region": [[2.4, 3.4], [2.5, 3.4], [2.5, 3.5], [2.4, 3.4]]},
         r"is smaller than one pixel of 111,319 m"),
        (DEGREES, {"region": {"type": "Polygon", "coordinates": [
            [[2.4, 3.4], [2.5, 3.4], [2.5, 3.5], [2.4, 3.4]]]}},
         r"is smaller than one pixel of 111,319 m"),
    ],
)  # fmt: skip
def test_few_or_coarse_pixels_are_warned_of_once(
    source: str, params: dict[str, Any], words: str, session: EarthEngineHook
) -> None:
    (warning,) = plan(session, source, **params).info.warnings
    assert re.search(words, warning), warning


@pytest.mark.parametrize(
    ("source", "params"),
    [
        (SCENE, {"region": REGION}),
        (SCENE, {"region": REGION, "scale": 50}),
        (DEGREES, {"region": [2.2, 3.2, 5.8, 6.8]}),
        # As many pixels as the region has room for, though few.
        (DEGREES, {"region": [2.0, 3.0, 4.0, 5.0]}),
    ],
)
def test_pixels_that_fit_are_not_warned_of(
    source: str, params: dict[str, Any], session: EarthEngineHook
) -> None:
    assert plan(session, source, **params).info.warnings == ()


APART = "Band msk has no pixels in the region; it is fully masked."


@pytest.mark.parametrize("params", [{"format": ZIP}, {"scale": 10, "crs": "EPSG:32610"}], ids=str)
def test_a_band_without_pixels_there_is_warned_of_and_gets_some(
    params: dict[str, Any], session: EarthEngineHook
) -> None:
    planned = plan(session, PARTLY, region=REGION, **params)
    assert planned.info.warnings == (APART,)
    of_b, *of_msk = sizes(planned)
    assert of_b[1] > 8
    assert of_msk == ([("EPSG:4326", 1, 1)] if "format" in params else [])


def test_where_no_band_has_pixels_the_image_is_empty_there(session: EarthEngineHook) -> None:
    words = r"does not intersect the image: band b has .*400.*, requested are .*swap them"
    with pytest.raises(EmptyImageError, match=words):
        plan(session, PARTLY, region=OCEAN, scale=10, crs="EPSG:32610")


def dtypes(planned: Plan) -> list[str]:
    return [band.dtype for raster in planned.download.rasters for band in raster.bands]


@pytest.mark.parametrize(
    ("nodata", "wanted"),
    [(0, ["uint16", "uint8"]), (65535, ["uint16", "uint16"]), (-1, ["int32", "int16"])],
)
def test_bands_are_as_wide_as_the_users_nodata(
    nodata: int, wanted: list[str], session: EarthEngineHook
) -> None:
    planned = plan(session, nodata=nodata, format=ZIP)
    assert dtypes(planned) == wanted
    assert all(raster.nodata == nodata for raster in planned.download.rasters)
    pinned: Mapping[str, Any] = planned.download.params.to_request()
    assert [band["dimensions"] for band in pinned["bands"]] == [[400, 300]] * 2
    assert "region" not in pinned


def test_a_fraction_is_no_nodata_of_whole_numbers(session: EarthEngineHook) -> None:
    with pytest.raises(DownloadParamsError, match=r"nodata is 0\.5, but band b holds whole") as no:
        plan(session, nodata=0.5)
    assert no.value.facts["field"] == "nodata"


def test_bands_of_one_file_with_unlike_pixels_cannot_be_filled(session: EarthEngineHook) -> None:
    with pytest.raises(PlanError, match=r"nodata is given, but the bands of one file have diff"):
        plan(session, SENTINEL2_ID, nodata=1, bands=["B1", "B2"])


REFUSALS = {
    "Image.select: Pattern 'x' did not match any bands.": (DownloadParamsError, "bands"),
    "Image.load: 'A/B' is not an Image.": (DownloadParamsError, "image"),
    "The CRS of a map projection could not be parsed.": (DownloadParamsError, "crs"),
    "Image.reproject: Parameter 'input' is required and may not be null.": (EmptyImageError, None),
    "Image with no bands.": (EmptyImageError, None),
    "Image.clip: Parameter 'image' is required.": (EmptyImageError, None),
    "Something else.": (RequestRejectedError, None),
}


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_says_which_field_to_correct_and_keeps_the_servers_words(text: str) -> None:
    kind, field = REFUSALS[text]
    error = explain_refusal(RequestRejectedError("Refused.", server_text=text))
    assert type(error) is kind
    assert error.server_text == text
    assert error.facts.get("field") == field
