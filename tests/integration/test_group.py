"""A raster that a group of tasks fetches in sections is the one that the operator publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from rio_cogeo.cogeo import cog_validate

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID, sentinel2_values
from tests.support.group_tasks import Group, make_impatient

WIDTH, HEIGHT = 600, 1300
WINDOW: dict[str, Any] = {
    "bands": ["B3", "B4"],
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 499980, 0, -10, 4200000],
    "dimensions": [WIDTH, HEIGHT],
    "name": "scene",
    "format": "GEO_TIFF",
}
# One request has a row of blocks: three sections.
ROW = {"tile_byte_count": WIDTH * 512 * 6}
# What says who published a download, when and with how many requests, and how long its file is.
OWN = {"id", "created", "href", "file:size", "file:checksum", "earthengine:etag",
       "airflow:task_id", "airflow:run_id", "earthengine:generation",
       "earthengine:usage"}  # fmt: skip


def formula_asset(name: str, dtype: str, **band: Any) -> dict[str, Any]:
    bands = [
        {"id": f"b{number}", "dtype": dtype, "crs": "EPSG:32601", "dimensions": [900, 1400],
         "crs_transform": [10, 0, 500000, 0, -10, 4000000], **band}
        for number in range(2)
    ]  # fmt: skip
    properties = {"system:time_start": 1610218671000, "some": "text"}
    return {
        "id": f"projects/demo/assets/{name}", "kind": "formula", "version": 1, "bands": bands,
        "properties": properties,
    }  # fmt: skip


ASSETS = [
    formula_asset("holes", "float32",
                  nan=[{"left": 2, "top": 1, "width": 30, "height": 20}],
                  masked=[{"left": 4, "top": 500, "width": 700, "height": 200}]),
    formula_asset("doubles", "float64"),
    formula_asset("south_up", "int16", crs_transform=[10, 0, 500000, 0, 10, 4000000]),
    formula_asset("all_masked", "float32",
                  masked=[{"left": 0, "top": 0, "width": 900, "height": 1400}]),
]  # fmt: skip


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    make_impatient(monkeypatch)


@pytest.fixture
def fields(connections: object, bucket: str) -> dict[str, Any]:
    return {
        "image": SENTINEL2_ID, "download_params": WINDOW, "s3_bucket": bucket,
        "s3_prefix": "a", "limits": ROW,
    }  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_left(s3: SeaweedFS, bucket: str) -> Iterator[None]:
    """Whatever a test leaves, the download's last task has swept."""
    yield
    client = s3.client()
    listed = client.list_objects_v2(Bucket=bucket, Prefix="earthengine-staging")
    assert not listed.get("Contents")
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


@pytest.fixture
def assets(emulator: Emulator) -> Iterator[Emulator]:
    with emulator.restored_assets():
        for description in ASSETS:
            emulator.put_asset(description)
        yield emulator


def operator(fields: dict[str, Any], run_id: str = "run") -> tuple[list[str], str]:
    context = task_context(run_id=run_id)
    task = EarthEngineToS3Operator(task_id="download", **fields)
    return task.execute(context), context["ti"].xcom["item"]  # type: ignore[arg-type]  # a stand-in


def read_item(uri: str, s3: SeaweedFS) -> Any:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    item = json.loads(s3.client().get_object(Bucket=bucket, Key=key)["Body"].read())
    return without_own(item)


def without_own(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_own(each) for key, each in value.items() if key not in OWN}
    return [without_own(each) for each in value] if isinstance(value, list) else value


def assert_scene(uri: str) -> None:
    with open_raster(uri) as got:
        for index, band in enumerate(WINDOW["bands"], start=1):
            wanted = sentinel2_values(band, 0, 0, WIDTH, HEIGHT)
            np.testing.assert_array_equal(got.read(index), wanted)


def assert_same_raster(uri: str, other: str, s3: SeaweedFS, tmp_path: Path) -> None:
    """All pixels of all levels are the same, and all that the files say."""
    paths = []
    for number, each in enumerate((uri, other)):
        bucket, _, key = each.removeprefix("s3://").partition("/")
        paths.append(tmp_path / f"{number}.tif")
        s3.client().download_file(bucket, key, str(paths[-1]))
        assert cog_validate(paths[-1], strict=True) == (True, [], [])
    with rasterio.open(paths[0]) as got, rasterio.open(paths[1]) as wanted:
        facts = ("profile", "descriptions", "nodatavals", "colorinterp", "scales", "offsets")
        for fact in facts:
            assert str(getattr(got, fact)) == str(getattr(wanted, fact)), fact
        assert got.tags() == wanted.tags()
        factors = got.overviews(1)
        assert factors == wanted.overviews(1) != []
    for level in (None, *range(len(factors))):
        options = {} if level is None else {"overview_level": level}
        with (
            rasterio.open(paths[0], **options) as got,
            rasterio.open(paths[1], **options) as other_,
        ):
            np.testing.assert_array_equal(got.read(), other_.read())


KINDS: dict[str, dict[str, Any]] = {
    "a grid of the user's": {},
    "a file for each band": {
        "download_params": {**WINDOW, "format": "ZIPPED_GEO_TIFF_PER_BAND"},
        "limits": {"tile_byte_count": WIDTH * 512 * 6},
    },
    "bands of unlike types and pixels, a file for each": {
        "download_params": {
            "bands": ["B3", "TCI_R", "B11"], "region": [-122.999, 37.82, -122.93, 37.94],
            "name": "scene",
        },
        "limits": {"tile_byte_count": 700 * 512 * 3},
    },
    "bands of unlike types in one file": {
        "download_params": {**WINDOW, "bands": ["B3", "TCI_R"]},
    },
    "holes": {
        "image": "projects/demo/assets/holes", "download_params": {"format": "GEO_TIFF"},
        "limits": {"tile_byte_count": 900 * 512 * 10},
    },
    "holes with a value of their own": {
        "image": "projects/demo/assets/holes", "download_params": {"format": "GEO_TIFF"},
        "limits": {"tile_byte_count": 900 * 512 * 10}, "nodata": -9999, "compression": "zstd",
    },
    "tiles of parts of a block": {
        "image": "projects/demo/assets/doubles", "download_params": {"format": "GEO_TIFF"},
        "limits": {"tile_byte_count": 300 * 512 * 9}, "compression": "none",
    },
    "south-up": {
        "image": "projects/demo/assets/south_up", "download_params": {"format": "GEO_TIFF"},
        "limits": {"tile_byte_count": 900 * 512 * 6},
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("assets")
@pytest.mark.parametrize("kind", KINDS)
def test_sections_make_what_the_operator_makes(
    fields: dict[str, Any], s3: SeaweedFS, tmp_path: Path, kind: str
) -> None:
    fields = {**fields, **KINDS[kind]}
    group = Group(**fields, section_requests=1)
    sections = group.plan()
    assert len(sections) > 2
    for section in sections[::-1]:
        group.fetch(section)
    uris = group.publish(sections)
    others, item = operator({**fields, "s3_prefix": "other"})
    assert read_item(group.context["ti"].xcom["item"], s3) == read_item(item, s3)
    for uri, other in zip(uris, others, strict=True):
        assert_same_raster(uri, other, s3, tmp_path)


def test_the_pixels_are_those_of_the_formula(fields: dict[str, Any]) -> None:
    (uri,) = Group(**fields, section_requests=1).run()
    assert_scene(uri)


@pytest.mark.slow
def test_operator_and_group_find_what_the_other_has_published(
    fields: dict[str, Any], emulator: Emulator
) -> None:
    uris = Group(**fields, section_requests=1).run()
    emulator.clear_requests()
    assert operator(fields)[0] == uris
    assert Group("next", **fields).plan() == []
    assert Group("next", **fields).publish([]) == uris
    assert emulator.requests == []

    other = {**fields, "s3_prefix": "b"}
    uris, _ = operator(other)
    emulator.clear_requests()
    assert Group("next", **other).run() == uris
    assert emulator.requests == []


@pytest.mark.slow
@pytest.mark.parametrize("if_exists", ["replace", "replace_changed"])
def test_a_group_replaces_what_the_operator_published(
    fields: dict[str, Any], if_exists: str
) -> None:
    fields = {**fields, "if_exists": if_exists}
    operator({**fields, "download_params": {**WINDOW, "bands": ["B4"]}}, "earlier")
    group = Group(**fields, section_requests=1)
    uris = group.run()
    assert_scene(uris[0])
    # Replaced once by each run, whichever of its tasks is cleared.
    assert group.plan() == []


def test_a_download_of_one_section_is_left_to_the_last_task(
    fields: dict[str, Any], emulator: Emulator
) -> None:
    for limits in ({}, ROW):
        group = Group(**{**fields, "limits": limits, "if_exists": "replace"}, section_requests=64)
        emulator.clear_requests()
        assert group.plan() == []
        assert "thumbnails.getPixels" not in emulator.counts()
        (uri,) = group.publish([])
        assert_scene(uri)


def test_only_the_plan_is_made_if_that_is_asked(fields: dict[str, Any], emulator: Emulator) -> None:
    group = Group(**fields, plan_only=True)
    assert group.plan() == []
    assert group.context["ti"].xcom["plan"]["requests"] == 3
    assert group.publish([]) == []
    assert "thumbnails.getPixels" not in emulator.counts()


@pytest.mark.usefixtures("assets")
def test_a_group_without_a_valid_pixel_is_marked_as_the_operator_does(
    fields: dict[str, Any], s3: SeaweedFS, bucket: str
) -> None:
    fields |= {
        "image": "projects/demo/assets/all_masked", "download_params": {"format": "GEO_TIFF"},
        "limits": {"tile_byte_count": 900 * 512 * 10},
        "on_empty": {"no_pixels": "fail", "all_masked": "mark"},
    }  # fmt: skip
    with pytest.raises(AirflowSkipException):
        Group(**fields, section_requests=1).run()
    (listed,) = s3.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert listed["Key"] == "a/all_masked.empty.json"
    # Until the next check is due, the first task is skipped.
    with pytest.raises(AirflowSkipException):
        Group("next", **fields).plan()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"layout": "as_served"}, "layout is 'as_served', but only layout 'cog'"),
        ({"layout": "zip", "download_params": {**WINDOW, "format": "ZIPPED_GEO_TIFF"}},
         "layout is 'zip', but only layout 'cog'"),
        ({"download_params": {**WINDOW, "format": "NPY"}}, "layout is 'as_served'"),
        ({"section_requests": 0}, "section_requests is 0"),
        ({"section_requests": "many"}, "section_requests is 'many'"),
    ],
)  # fmt: skip
def test_what_cannot_be_fetched_in_sections_is_refused(
    fields: dict[str, Any], emulator: Emulator, wrong: dict[str, Any], named: str
) -> None:
    with pytest.raises(AirflowFailException, match=named):
        Group(**{**fields, **wrong}).plan()
    assert emulator.requests == []


def test_more_sections_than_airflow_expands_are_refused_before_anything_is_sent(
    fields: dict[str, Any], s3: SeaweedFS, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    with pytest.raises(AirflowFailException, match=r"3 sections of at most 1 req.* at most 2, "):
        Group(**fields, section_requests=1).plan()
    assert not s3.client().list_objects_v2(Bucket=bucket).get("Contents")
