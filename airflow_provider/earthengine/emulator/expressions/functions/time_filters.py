"""Functions that create filters by time: windows and seasons."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_provider.earthengine.emulator.expressions.functions.filters import SIDES, operands
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import DateRange, Element, Filter

_LAST = {
    "year": 1 << 31,
    "month": 12,
    "day_of_year": 366,
    "day_of_month": 31,
    "day_of_week": 7,
    "hour": 23,
    "minute": 59,
}
_FIRST = {
    "year": -(1 << 31),
    "month": 1,
    "day_of_year": 1,
    "day_of_month": 1,
    "day_of_week": 1,
    "hour": 0,
    "minute": 0,
}


def _date_range_contains(session: Session, arguments: Arguments) -> Filter:
    name = "Filter.dateRangeContains"
    span = arguments["leftValue"]
    if not isinstance(span, DateRange):
        raise unsupported(f"{name} of anything but a DateRange and a field")
    if span.end <= span.start:
        # The real service's text, seen in many public error reports up to 2026.
        raise invalid_argument(
            "Collection.filter: Empty date ranges not supported for the current operation."
        )
    _, right = operands(name, arguments)

    def matches(one: Element, other: Element) -> bool:
        time = right(one, other)
        return isinstance(time, int | float) and span.start <= time < span.end

    return Filter(matches)


def _calendar_range(session: Session, arguments: Arguments) -> Filter:
    field, start, end = arguments["field"], arguments["start"], arguments["end"]
    return _in_calendar(field, start, start if end is None else end)


def _day_of_year(session: Session, arguments: Arguments) -> Filter:
    return _in_calendar("day_of_year", arguments["start"], arguments["end"])


def _in_calendar(field: str, start: int, last: int) -> Filter:
    if field not in _LAST:
        raise unsupported(f"the field '{field}' of Filter.calendarRange")
    for value in (start, last):
        if not _FIRST[field] <= value <= _LAST[field]:
            raise _bad_range(field, value)

    def matches(one: Element, other: Element) -> bool:
        time = one.properties.get("system:time_start")
        if not isinstance(time, (int, float)):
            return False
        value = _part_of_time(datetime.fromtimestamp(time / 1000, UTC), field)
        # A range that ends before it starts wraps around: from November to February.
        return bool(start <= value <= last if start <= last else value >= start or value <= last)

    return Filter(matches)


def _part_of_time(moment: datetime, field: str) -> int:
    if field == "day_of_year":
        return moment.timetuple().tm_yday
    if field == "day_of_week":
        return moment.isoweekday()
    part: int = getattr(moment, "day" if field == "day_of_month" else field)
    return part


def _bad_range(field: str, value: object) -> ApiError:
    return invalid_argument(f"Filter.calendarRange: {value} is out of the range of '{field}'.")


_BY_SEASON = "a DAG that chooses images by season"

FUNCTIONS = (
    Function(
        "Filter.dateRangeContains",
        SIDES,
        "Filter",
        "the official client for filterDate(): a DAG that chooses images by window",
        _date_range_contains,
    ),
    Function(
        "Filter.calendarRange",
        (
            Parameter("start", "Integer"),
            Parameter("end", "Integer", None),
            Parameter("field", "String", "day_of_year"),
        ),
        "Filter",
        _BY_SEASON,
        _calendar_range,
    ),
    Function(
        "Filter.dayOfYear",
        (Parameter("start", "Integer"), Parameter("end", "Integer")),
        "Filter",
        _BY_SEASON,
        _day_of_year,
    ),
)
