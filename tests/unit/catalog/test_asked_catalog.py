"""What a query finds in a catalog, and with how many requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider.earthengine.catalog import versions
from airflow_provider.earthengine.catalog.image_query import region_geometry
from airflow_provider.earthengine.catalog.listing import list_downloads
from airflow_provider.earthengine.catalog.read_query import read_query
from airflow_provider.earthengine.catalog.versions import present_versions
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import (
    AssetNotFoundError,
    DownloadParamsError,
    EarthEngineProviderError,
)
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from tests.integration.series import COLLECTION, CORNER, collection, day, lonlat_box

BOX = lonlat_box(CORNER[0] + 50, CORNER[1] - 80, CORNER[0] + 150, CORNER[1] - 20)
RING = [[BOX[0], BOX[1]], [BOX[2], BOX[1]], [BOX[2], BOX[3]], [BOX[0], BOX[3]], [BOX[0], BOX[1]]]
AREA = {"type": "Polygon", "coordinates": [RING]}
ELSEWHERE = [5, 43, 5.1, 43.1]
NAMES = [f"2021010{number}T1000" for number in range(1, 5)]


@pytest.fixture(autouse=True)
def series(emulator: Emulator) -> Iterator[Emulator]:
    """Four images, one a day, with clouds of 20, 0, 10 and 20 per cent."""
    with emulator.restored_assets():
        clouds = {"CLOUDS": [20, 0, 10]}
        emulator.put_asset(collection(count=4, image_properties=clouds))
        emulator.clear_requests()
        yield emulator


@pytest.fixture
def hook(earthengine_default: str) -> Iterator[EarthEngineHook]:
    with EarthEngineHook(earthengine_default) as hook:
        yield hook


def found(hook: EarthEngineHook, by: str = "image", **fields: Any) -> list[str]:
    wanted = {"collection": COLLECTION, "start": day(0), "end": day(4), **fields}
    return [each.name for each in list_downloads(hook, read_query(**wanted), by)[0]]


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({}, (0, 1, 2, 3)),
        ({"start": day(1), "end": day(3)}, (1, 2)),
        # A window ends before its end, to the millisecond.
        ({"end": "2021-01-02T10:00:00Z"}, (0,)),
        ({"end": "2021-01-02T10:00:00.001Z"}, (0, 1)),
        ({"start": "2021-01-03T10:00:00Z"}, (2, 3)),
        ({"limit": 2}, (0, 1)),
        ({"sort": "-system:time_start"}, (3, 2, 1, 0)),
        ({"sort": "CLOUDS", "limit": 2}, (1, 2)),
        ({"filters": {"CLOUDS": 20}}, (0, 3)),
        ({"filters": {"CLOUDS": {"lt": 20}}}, (1, 2)),
        ({"filters": {"CLOUDS": {"lte": 10, "gt": 0}}}, (2,)),
        ({"filters": {"CLOUDS": {"gte": 10}}}, (0, 2, 3)),
        ({"filters": {"CLOUDS": [0, 10]}}, (1, 2)),
        ({"filters": {"CLOUDS": {"neq": 20}}}, (1, 2)),
        ({"region": BOX}, (0, 1, 2, 3)),
        ({"region": RING}, (0, 1, 2, 3)),
        ({"region": AREA}, (0, 1, 2, 3)),
        ({"region": ELSEWHERE}, ()),
        ({"region": BOX, "min_coverage_percent": 100}, (0, 1, 2, 3)),
        ({"region": [BOX[0] - 1, *BOX[1:]], "min_coverage_percent": 50}, ()),
        ({"region": [BOX[0] - 1, *BOX[1:]]}, (0, 1, 2, 3)),
    ],
    ids=str,
)
def test_a_query_finds_these_images_in_this_order_with_one_request(
    fields: dict[str, Any], numbers: tuple[int, ...], hook: EarthEngineHook, series: Emulator
) -> None:
    assert found(hook, **fields) == [NAMES[number] for number in numbers]
    assert series.counts()["value:compute"] == 1


def test_by_date_the_limit_and_the_coverage_are_the_dates(
    hook: EarthEngineHook, series: Emulator
) -> None:
    assert found(hook, "date", limit=2, region=BOX, min_coverage_percent=100) == [
        "2021-01-01", "2021-01-02",
    ]  # fmt: skip
    assert series.counts()["value:compute"] == 2
    wide = [BOX[0] - 1, *BOX[1:]]
    assert found(hook, "date", region=wide, min_coverage_percent=50) == []


def test_a_property_that_no_image_has_is_a_warning_that_names_those_they_have(
    hook: EarthEngineHook,
) -> None:
    conditions = {"CLOUDS": {"gt": 99}, "CLOUDY": {"lt": 5}}
    query = read_query(collection=COLLECTION, start=day(0), end=day(4), filters=conditions)
    downloads, (warning,) = list_downloads(hook, query, "image")
    assert downloads == []
    assert warning.startswith(
        f"No image of {COLLECTION} in the window and region has the property CLOUDY; "
        "the properties are CLOUDS, system:"
    )


@pytest.mark.parametrize(
    ("collection_id", "error", "words"),
    [
        ("projects/demo/assets/absent", AssetNotFoundError, "absent does not exist"),
        ("projects/demo/assets/landsat7_olinda", DownloadParamsError, "not an image collection"),
    ],
)
def test_what_is_no_collection_is_said(
    collection_id: str, error: type[EarthEngineProviderError], words: str, hook: EarthEngineHook
) -> None:
    with pytest.raises(error, match=words):
        found(hook, collection=collection_id)


@pytest.mark.parametrize("region", [BOX, RING, AREA], ids=["box", "ring", "GeoJSON"])
def test_a_region_has_straight_edges_in_degrees_as_it_has_in_downloads(region: Any) -> None:
    written = json.loads(region_geometry(region).serialize())["values"]
    arguments = [each["functionInvocationValue"]["arguments"] for each in written.values()
                 if "functionInvocationValue" in each]  # fmt: skip
    assert [each["geodesic"] for each in arguments if "coordinates" in each] == [
        {"constantValue": False}
    ]


def test_versions_are_asked_in_parts_and_what_vanished_is_left_out(
    hook: EarthEngineHook, series: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_ASSETS_PER_REQUEST", 3)
    ids = [f"{COLLECTION}/{name}" for name in (*NAMES, "20210105T1000")]
    alone, absent = "projects/demo/assets/landsat7_olinda", "projects/demo/assets/absent"
    hook.get_conn()
    single = present_versions(hook, [alone, absent])
    assert list(single) == [alone]
    series.clear_requests()
    assert present_versions(hook, [*ids, alone, absent]) == {
        **dict.fromkeys(ids[:4], 1), **single,
    }  # fmt: skip
    # Two for the collection, one that a folder refuses, and one for each asset in it.
    assert series.counts()["value:compute"] == 5
    assert present_versions(hook, []) == {}
