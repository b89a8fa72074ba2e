"""Rendered fields -> :class:`ImageQuery`, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from airflow_provider.earthengine.catalog.image_query import TIME_START, ImageQuery
from airflow_provider.earthengine.catalog.property_conditions import (
    check_conditions_in_part,
    read_conditions,
)
from airflow_provider.earthengine.download.fields.asset_id import find_asset_id
from airflow_provider.earthengine.download.fields.literals import is_literal
from airflow_provider.earthengine.download.fields.region import (
    Region,
    is_region_file,
    read_region,
    read_region_form,
)
from airflow_provider.earthengine.download.fields.values import (
    is_unset,
    read_count,
    read_number,
    read_text,
    read_time,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

# What Earth Engine takes as a number of images.
_MAX_COUNT = 2**31 - 1


def read_query(
    *,
    collection: Any,
    start: Any,
    end: Any,
    region: Any = None,
    filters: Any = None,
    min_coverage_percent: Any = None,
    sort: Any = None,
    limit: Any = None,
) -> ImageQuery:
    """Return the query that the fields describe; each may be text.

    :param start: a datetime, or text such as "2021-01-09" or "2021-01-09T00:00:00+00:00"; UTC
        unless it has an offset.
    :param end: likewise; exclusive.
    :raises DownloadParamsError: if a field is invalid or the window has no length.
    """
    begins, ends = read_time("start", start), read_time("end", end)
    check_window(begins, ends)
    place = None if is_unset(region) else _read_region(region)
    return ImageQuery(
        collection=_read_collection(collection),
        start=begins,
        end=ends,
        region=place,
        conditions=read_conditions(filters),
        min_coverage_percent=_read_coverage(min_coverage_percent, has_region=place is not None),
        sort=TIME_START if is_unset(sort) else _read_sort(sort),
        limit=None if is_unset(limit) else _read_limit(limit),
    )


def check_query(fields: Mapping[str, Any]) -> None:
    """Raise if a literal can never be right; templates, XComArgs and the like are not checked.

    :param fields: the fields that are given, by name; others are unknown.
    :raises DownloadParamsError: if one is invalid, or two contradict each other.
    """
    literals = {
        name: value
        for name, value in fields.items()
        if is_literal(value) and not (name != "collection" and is_unset(value))
    }
    for name, read in _READERS.items():
        if name in literals:
            read(literals[name])
    if isinstance(fields.get("filters"), Mapping):
        check_conditions_in_part(fields["filters"], is_literal)
    if {"start", "end"} <= set(literals):
        check_window(read_time("start", literals["start"]), read_time("end", literals["end"]))
    if "region" in fields and is_unset(fields["region"]):
        _read_coverage(literals.get("min_coverage_percent"), has_region=False)


def check_window(start: datetime, end: datetime) -> None:
    """Raise unless the window has a positive length.

    :raises DownloadParamsError: if it does not; says which timetable or dates to use.
    """
    if start == end:
        raise DownloadParamsError(
            f"The window from {start.isoformat()} to {end.isoformat()} has no length, like the "
            "data interval of runs with a cron schedule in Airflow 3; schedule the DAG with "
            "CronDataIntervalTimetable, or set both dates, such as start='{{ ds }}' and "
            "end='{{ macros.ds_add(ds, 1) }}'.",
            field="start",
        )
    if start > end:
        raise DownloadParamsError(
            f"The window starts at {start.isoformat()}, after its end at {end.isoformat()}; "
            "swap start and end.",
            field="start",
        )


def _read_collection(value: Any) -> str:
    collection = find_asset_id(read_text("collection", value).rstrip("/"))
    if collection is None:
        raise DownloadParamsError(
            f"collection is {shown(value)}; write the asset id of an image collection, such as "
            "'COPERNICUS/S2_SR_HARMONIZED'.",
            field="collection",
        )
    return collection


def _read_region(value: Any) -> Region:
    _refuse_file(value)
    return read_region(value)


def _refuse_file(value: Any) -> None:
    if is_region_file(value):
        raise DownloadParamsError(
            f"region is {shown(value)}, the name of a file, which only downloads can read; pass "
            "the GeoJSON itself.",
            field="region",
        )


def _check_region(value: Any) -> None:
    _refuse_file(value)
    read_region_form(value)


def _read_coverage(value: Any, *, has_region: bool) -> float | None:
    if is_unset(value):
        return None
    percent = read_number("min_coverage_percent", value)
    if not 0 <= percent <= 100:
        raise DownloadParamsError(
            f"min_coverage_percent is {shown(value)}; write a number from 0 to 100.",
            field="min_coverage_percent",
        )
    if not has_region:
        raise DownloadParamsError(
            "min_coverage_percent is given without region; set the region to cover.",
            field="min_coverage_percent",
        )
    return percent or None


def _read_sort(value: Any) -> str:
    text = read_text("sort", value)
    if not text.removeprefix("-").strip():
        raise DownloadParamsError(
            f"sort is {shown(value)}; write a property, with '-' before it for descending order.",
            field="sort",
        )
    return text


def _read_limit(value: Any) -> int:
    return read_count("limit", value, most=_MAX_COUNT)


_READERS: dict[str, Callable[[Any], object]] = {
    "collection": _read_collection,
    "start": lambda value: read_time("start", value),
    "end": lambda value: read_time("end", value),
    "region": _check_region,
    "filters": read_conditions,
    "min_coverage_percent": lambda value: _read_coverage(value, has_region=True),
    "sort": _read_sort,
    "limit": _read_limit,
}
