"""A query of a collection -> the expression that lists its images, written without ``ee``.

For the triggerer, which has no session of ``ee``. A test compares it with what ``ee`` itself makes
of the same query.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.catalog.image_query import LISTED_COLUMNS, TIME_START, ImageQuery
from airflow_provider.earthengine.catalog.property_conditions import PropertyCondition
from airflow_provider.earthengine.download.fields.region import Region
from airflow_provider.earthengine.download.fields.templates import function_call

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_ERROR_METRES = 1
# How the client writes each comparison: the function, the argument for the property, and whether it
# is negated. Source: https://github.com/google/earthengine-api, ``python/ee/filter.py``, 1.7.50.
_FUNCTIONS = {
    "eq": ("Filter.equals", False),
    "neq": ("Filter.equals", True),
    "lt": ("Filter.lessThan", False),
    "gte": ("Filter.lessThan", True),
    "gt": ("Filter.greaterThan", False),
    "lte": ("Filter.greaterThan", True),
}


def write_listing(query: ImageQuery) -> str:
    """Return the expression of the rows of a listing, as JSON text.

    :param query: of a window, a region and conditions; its coverage, order and limit are ignored.
    """
    images = function_call("ImageCollection.load", id=_constant(query.collection))
    filters = [
        _in_window(query.start, query.end),
        *(() if query.region is None else (_meets(query.region),)),
        *(_compare(condition) for condition in query.conditions),
    ]
    for each in filters:
        images = function_call("Collection.filter", collection=images, filter=each)
    # Only the index is required: an image without a time is still listed.
    reducer = function_call(
        "Reducer.toList",
        tupleSize=_constant(len(LISTED_COLUMNS)),
        numOptional=_constant(len(LISTED_COLUMNS) - 1),
    )
    rows = function_call(
        "Collection.reduceColumns",
        collection=images,
        reducer=reducer,
        selectors=_constant(list(LISTED_COLUMNS)),
    )
    listing = function_call("Dictionary.get", dictionary=rows, key=_constant("list"))
    return json.dumps({"result": "0", "values": {"0": listing}}, allow_nan=False)


def _in_window(start: datetime, end: datetime) -> dict[str, Any]:
    window = function_call("DateRange", start=_milliseconds(start), end=_milliseconds(end))
    return function_call(
        "Filter.dateRangeContains", leftValue=window, rightField=_constant(TIME_START)
    )


def _meets(region: Region) -> dict[str, Any]:
    place = function_call("Feature", geometry=_geometry(region))
    return function_call("Filter.intersects", leftField=_constant(".all"), rightValue=place)


def _geometry(region: Region) -> dict[str, Any]:
    """Return the region, with the same edges as in downloads."""
    if isinstance(region, str):
        table = function_call("Collection.loadTable", tableId=_constant(region))
        margin = function_call("ErrorMargin", value=_constant(_MAX_ERROR_METRES))
        return function_call("Collection.geometry", collection=table, maxError=margin)
    if isinstance(region, Mapping):
        members = {"coordinates": _constant(region["coordinates"])}
        if "crs" in region:
            members["crs"] = _projection(region["crs"]["properties"]["name"])
        function = f"GeometryConstructors.{region['type']}"
        return function_call(function, **members, geodesic=_constant(value=False))
    if isinstance(region[0], Sequence):
        return function_call(
            "GeometryConstructors.Polygon",
            coordinates=_constant([region]),
            geodesic=_constant(value=False),
        )
    return function_call(
        "GeometryConstructors.Rectangle",
        coordinates=_constant(region),
        crs=_projection("EPSG:4326"),
        geodesic=_constant(value=False),
    )


def _projection(crs: str) -> dict[str, Any]:
    return function_call("Projection", crs=_constant(crs))


def _compare(condition: PropertyCondition) -> dict[str, Any]:
    name, value = _constant(condition.property_name), _constant(condition.value)
    if condition.operator == "in":
        return function_call("Filter.listContains", leftValue=value, rightField=name)
    function, is_negated = _FUNCTIONS[condition.operator]
    compared = function_call(function, leftField=name, rightValue=value)
    return function_call("Filter.not", filter=compared) if is_negated else compared


def _constant(value: Any) -> dict[str, Any]:
    return {"constantValue": value}


def _milliseconds(moment: datetime) -> dict[str, Any]:
    return _constant(round((moment - _EPOCH) / timedelta(milliseconds=1)))
