"""The expression that the triggerer writes is the one that Earth Engine's client would write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import ee
import pytest

from airflow_provider.earthengine.catalog.image_query import LISTED_COLUMNS, ImageQuery, read_rows
from airflow_provider.earthengine.catalog.query_expression import write_listing
from airflow_provider.earthengine.catalog.read_query import read_query
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from tests.integration.series import COLLECTION, CORNER, collection, day, lonlat_box

BOX = lonlat_box(CORNER[0] + 50, CORNER[1] - 80, CORNER[0] + 150, CORNER[1] - 20)
RING = [[BOX[0], BOX[1]], [BOX[2], BOX[1]], [BOX[2], BOX[3]], [BOX[0], BOX[3]], [BOX[0], BOX[1]]]
POLYGON = {"type": "Polygon", "coordinates": [RING]}
FAR = [[[x + 20, y] for x, y in RING]]
METRES = {
    "type": "Polygon",
    "coordinates": [[[600_000, 4_099_900], [600_200, 4_099_900], [600_200, 4_100_000],
                     [600_000, 4_099_900]]],
    "crs": {"type": "name", "properties": {"name": "EPSG:32610"}},
}  # fmt: skip


@pytest.fixture(autouse=True)
def series(emulator: Emulator) -> Iterator[Emulator]:
    with emulator.restored_assets():
        clouds = {"CLOUDS": [0, 10, 20], "TILE": ["10SEG"]}
        emulator.put_asset(collection(count=4, image_properties=clouds))
        yield emulator


@pytest.fixture
def hook(earthengine_default: str) -> Iterator[EarthEngineHook]:
    with EarthEngineHook(earthengine_default) as hook:
        hook.get_conn()
        yield hook


def rows_by_client(query: ImageQuery) -> Any:
    columns = ee.Reducer.toList(len(LISTED_COLUMNS), len(LISTED_COLUMNS) - 1)
    return query.to_ee().reduceColumns(columns, list(LISTED_COLUMNS)).get("list")


def in_full(node: Any, values: dict[str, Any]) -> Any:
    """Return an expression with its references and lists of constants written out."""
    if not isinstance(node, dict):
        return node
    if "valueReference" in node:
        return in_full(values[node["valueReference"]], values)
    if "arrayValue" in node:
        items = [in_full(each, values) for each in node["arrayValue"]["values"]]
        if all(set(each) == {"constantValue"} for each in items):
            return {"constantValue": [each["constantValue"] for each in items]}
        return {"arrayValue": {"values": items}}
    return {key: in_full(each, values) for key, each in node.items()}


def written_out(expression: dict[str, Any]) -> Any:
    values = expression["values"]
    return in_full(values[expression["result"]], values)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"region": BOX},
        {"region": RING},
        {"region": POLYGON},
        {"region": {"type": "Feature", "geometry": POLYGON, "properties": {}}},
        {"region": {"type": "MultiPolygon", "coordinates": [[RING], FAR]}},
        {"region": {**POLYGON, "evenOdd": True, "geodesic": False}},
        {"region": METRES},
        {"region": "projects/demo/assets/table"},
        {"filters": {"CLOUDS": {"lt": 20}}},
        {"filters": {"CLOUDS": {"lte": 10, "gte": 0}, "TILE": {"neq": "11SEG"}}},
        {"filters": {"CLOUDS": {"gt": 0.5}, "TILE": ["10SEG", "ü"]}},
        {"filters": {"TILE": "10SEG"}, "region": POLYGON},
    ],
    ids=str,
)
def test_it_is_what_the_client_writes(hook: EarthEngineHook, fields: dict[str, Any]) -> None:
    query = read_query(collection=COLLECTION, start=day(0), end=day(4), **fields)
    by_client = ee.serializer.encode(rows_by_client(query), for_cloud_api=True)
    assert written_out(json.loads(write_listing(query))) == written_out(by_client)


def test_earth_engine_lists_the_same_images_for_it(hook: EarthEngineHook) -> None:
    wanted = {"region": METRES, "filters": {"CLOUDS": {"lte": 10}}}
    query = read_query(collection=COLLECTION, start=day(0), end=day(4), **wanted)
    rows = hook.compute_value(rows_by_client(query))
    # The client parses what it is given, and sends it as it is.
    written = hook.compute_value(ee.deserializer.fromCloudApiJSON(write_listing(query)))
    assert read_rows(query, written) == read_rows(query, rows)
    assert [each.asset_id[-13:] for each in read_rows(query, rows)] == [
        f"2021010{number}T1000" for number in (1, 2, 4)
    ]
