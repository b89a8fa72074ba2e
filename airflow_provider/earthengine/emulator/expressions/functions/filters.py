"""Functions that create filters: by property, time or place, and combinations of these."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import (
    Date,
    DateRange,
    Element,
    Feature,
    Filter,
    geometry_of,
)
from airflow_provider.earthengine.emulator.values.geometries import Geometry

Compare = Callable[[Any, Any], bool]

_LAST = {"year": 1 << 31, "month": 12, "day_of_year": 366, "day_of_month": 31, "hour": 23}
_FIRST = {"year": -(1 << 31), "month": 1, "day_of_year": 1, "day_of_month": 1, "hour": 0}


def _operands(name: str, arguments: Arguments) -> tuple[str, Any]:
    """Return the field of an element to compare, and the value to compare it with.

    Filters on two fields are for joins, which no known client sends.
    """
    given = {key for key in _SIDES if arguments[key] is not None}
    if given == {"leftField", "rightValue"}:
        return arguments["leftField"], arguments["rightValue"]
    if given == {"rightField", "leftValue"}:
        return arguments["rightField"], arguments["leftValue"]
    if {"leftField", "rightField"} <= given:
        raise unsupported(f"{name} of two fields")
    raise invalid_argument(f"{name}: A field and a value must be specified.")


def _is_field_left(arguments: Arguments) -> bool:
    return arguments["leftField"] is not None


def _comparison(name: str, compare: Compare) -> Function:
    """Return a filter function; an element without the property does not pass."""
    full_name = f"Filter.{name}"

    def call(session: Session, arguments: Arguments) -> Filter:
        field, value = _operands(full_name, arguments)
        wanted = value.milliseconds if isinstance(value, Date) else value
        is_left = _is_field_left(arguments)

        def passes(element: Element) -> bool:
            found = element.properties.get(field)
            if found is None:
                return False
            try:
                return compare(found, wanted) if is_left else compare(wanted, found)
            except TypeError:
                return False

        return Filter(passes)

    return Function(full_name, _PARAMETERS, "Filter", _BY_PROPERTY, call)


def _contains(values: Any, value: Any) -> bool:
    return isinstance(values, list) and value in values


def _date_range_contains(session: Session, arguments: Arguments) -> Filter:
    name = "Filter.dateRangeContains"
    field, span = _operands(name, arguments)
    if _is_field_left(arguments) or not isinstance(span, DateRange):
        raise unsupported(f"{name} of anything but a DateRange and a field")
    if span.end <= span.start:
        # The real service's text, seen in many public error reports up to 2026.
        raise invalid_argument(
            "Collection.filter: Empty date ranges not supported for the current operation."
        )

    def passes(element: Element) -> bool:
        time = element.properties.get(field)
        return isinstance(time, (int, float)) and span.start <= time < span.end

    return Filter(passes)


def _intersects(session: Session, arguments: Arguments) -> Filter:
    name = "Filter.intersects"
    field, place = _operands(name, arguments)
    if field not in {".all", ".geo"} or not _is_field_left(arguments):
        raise unsupported(f"{name} of anything but the elements' own geometry")
    geometry = place.geometry if isinstance(place, Feature) else place
    if not isinstance(geometry, Geometry):
        raise invalid_argument(f"{name}: Parameter 'rightValue' must be a geometry.")

    known: dict[object, bool] = {}  # images of a collection often share their outline

    def passes(element: Element) -> bool:
        own = geometry_of(element)
        if own is None:  # an image without bounds is everywhere, a feature without is nowhere
            return not isinstance(element, Feature)
        outline = (own.projection, *(ring.tobytes() for ring in own.rings))
        if outline not in known:
            known[outline] = bool(own.rings and geometry.rings) and own.intersects(geometry)
        return known[outline]

    return Filter(passes)


def _not_null(session: Session, arguments: Arguments) -> Filter:
    names = arguments["properties"]
    return Filter(lambda element: all(element.properties.get(name) is not None for name in names))


def _calendar_range(session: Session, arguments: Arguments) -> Filter:
    field, start, end = arguments["field"], arguments["start"], arguments["end"]
    if field not in _LAST:
        raise unsupported(f"the field '{field}' of Filter.calendarRange")
    last = start if end is None else end
    for value in (start, last):
        if not _FIRST[field] <= value <= _LAST[field]:
            raise _bad_range(field, value)

    def passes(element: Element) -> bool:
        time = element.properties.get("system:time_start")
        if not isinstance(time, (int, float)):
            return False
        value = _part_of_time(datetime.fromtimestamp(time / 1000, UTC), field)
        # A range that ends before it starts wraps around: from November to February.
        return bool(start <= value <= last if start <= last else value >= start or value <= last)

    return Filter(passes)


def _part_of_time(moment: datetime, field: str) -> int:
    if field == "day_of_year":
        return moment.timetuple().tm_yday
    part: int = getattr(moment, "day" if field == "day_of_month" else field)
    return part


def _bad_range(field: str, value: object) -> ApiError:
    return invalid_argument(f"Filter.calendarRange: {value} is out of the range of '{field}'.")


def _and(session: Session, arguments: Arguments) -> Filter:
    parts: list[Filter] = arguments["filters"]
    return Filter(lambda element: all(part.passes(element) for part in parts))


def _or(session: Session, arguments: Arguments) -> Filter:
    parts: list[Filter] = arguments["filters"]
    return Filter(lambda element: any(part.passes(element) for part in parts))


def _not(session: Session, arguments: Arguments) -> Filter:
    part: Filter = arguments["filter"]
    return Filter(lambda element: not part.passes(element))


_BY_PROPERTY = "a DAG that chooses images by property; geedim"
_SIDES = ("leftField", "rightValue", "rightField", "leftValue")
_PARAMETERS = (
    Parameter("leftField", "String", None),
    Parameter("rightValue", "Object", None),
    Parameter("rightField", "String", None),
    Parameter("leftValue", "Object", None),
)
_FILTERS = (Parameter("filters", "List<Filter>"),)

FUNCTIONS = (
    _comparison("equals", lambda a, b: bool(a == b)),
    _comparison("lessThan", lambda a, b: bool(a < b)),
    _comparison("greaterThan", lambda a, b: bool(a > b)),
    _comparison("listContains", _contains),
    Function(
        "Filter.dateRangeContains",
        _PARAMETERS,
        "Filter",
        "the official client for filterDate(): a DAG that chooses images by window",
        _date_range_contains,
    ),
    Function(
        "Filter.intersects",
        (*_PARAMETERS, Parameter("maxError", "ErrorMargin", None, is_served=False)),
        "Filter",
        "the official client for filterBounds(): a DAG that chooses images by region",
        _intersects,
    ),
    Function(
        "Filter.notNull",
        (Parameter("properties", "List<String>"),),
        "Filter",
        _BY_PROPERTY,
        _not_null,
    ),
    Function(
        "Filter.calendarRange",
        (
            Parameter("start", "Integer"),
            Parameter("end", "Integer", None),
            Parameter("field", "String", "day_of_year"),
        ),
        "Filter",
        "a DAG that chooses images by season",
        _calendar_range,
    ),
    Function("Filter.and", _FILTERS, "Filter", _BY_PROPERTY, _and),
    Function("Filter.or", _FILTERS, "Filter", _BY_PROPERTY, _or),
    Function("Filter.not", (Parameter("filter", "Filter"),), "Filter", _BY_PROPERTY, _not),
)
