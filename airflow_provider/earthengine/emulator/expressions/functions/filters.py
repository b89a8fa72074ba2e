"""Functions that create filters: by properties, and combinations of filters.

A filter compares a field with a value, or two fields: of one element, or of two in a join.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument
from airflow_provider.earthengine.emulator.values.elements import (
    Date,
    Element,
    Filter,
    property_of,
)

Compare = Callable[[Any, Any], bool]
# One side of a comparison: reads its value from the elements of the first and second collection.
Operand = Callable[[Element, Element], Any]


def operands(name: str, arguments: Arguments) -> tuple[Operand, Operand]:
    """Return what reads the left and the right side: a field of the element of that side, or a
    value.
    """
    given = {key for key in _SIDES if arguments[key] is not None}
    if given not in _PAIRS:
        raise invalid_argument(f"{name}: A field and a value, or two fields, must be specified.")
    left, right = arguments["leftField"], arguments["rightField"]
    left_value, right_value = (plain(arguments[key]) for key in ("leftValue", "rightValue"))
    return (
        (lambda one, _: left_value) if left is None else (lambda one, _: _read(one, left)),
        (lambda _, other: right_value) if right is None else (lambda _, other: _read(other, right)),
    )


def _read(element: Element, field: str) -> Any:
    return plain(property_of(element, field))


def plain(value: Any) -> Any:
    """Return a time as the number that properties hold; any other value as it is."""
    return value.milliseconds if isinstance(value, Date) else value


def _comparison(name: str, compare: Compare, unless: bool = False) -> Function:
    """Return a filter function.

    :param unless: whether the filter passes where ``compare`` fails. An element without the
        property always fails it.
    """
    full_name = f"Filter.{name}"

    def call(session: Session, arguments: Arguments) -> Filter:
        left, right = operands(full_name, arguments)

        def matches(one: Element, other: Element) -> bool:
            return _holds(compare, left(one, other), right(one, other)) is not unless

        return Filter(matches)

    return Function(full_name, SIDES, "Filter", _BY_PROPERTY, call)


def _holds(compare: Compare, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    try:
        return compare(left, right)
    except TypeError:
        return False


def _max_difference(session: Session, arguments: Arguments) -> Filter:
    left, right = operands("Filter.maxDifference", arguments)
    most = float(arguments["difference"])

    def measure(one: Element, other: Element) -> float:
        values = left(one, other), right(one, other)
        if not all(isinstance(value, int | float) for value in values):
            return math.inf
        return float(abs(values[0] - values[1]))

    return Filter(lambda one, other: measure(one, other) <= most, measure)


def _range_contains(session: Session, arguments: Arguments) -> Filter:
    field = arguments["field"]
    low, high = plain(arguments["minValue"]), plain(arguments["maxValue"])
    return Filter(
        lambda one, other: _holds(lambda value, _: bool(low <= value <= high), _read(one, field), 0)
    )


def _of_texts(compare: Callable[[str, str], bool]) -> Compare:
    return lambda left, right: (
        isinstance(left, str) and isinstance(right, str) and compare(left, right)
    )


def _contains(values: Any, value: Any) -> bool:
    return isinstance(values, list) and value in values


def _not_null(session: Session, arguments: Arguments) -> Filter:
    names = arguments["properties"]
    return Filter(lambda one, _: all(one.properties.get(name) is not None for name in names))


def _and(session: Session, arguments: Arguments) -> Filter:
    parts: list[Filter] = arguments["filters"]
    measures = [part.measure for part in parts if part.measure is not None]
    return Filter(
        lambda one, other: all(part.matches(one, other) for part in parts),
        measures[0] if len(measures) == 1 else None,
    )


def _or(session: Session, arguments: Arguments) -> Filter:
    parts: list[Filter] = arguments["filters"]
    return Filter(lambda one, other: any(part.matches(one, other) for part in parts))


def _not(session: Session, arguments: Arguments) -> Filter:
    part: Filter = arguments["filter"]
    return Filter(lambda one, other: not part.matches(one, other))


_BY_PROPERTY = "a DAG that chooses images by property; geedim"
_SIDES = ("leftField", "rightValue", "rightField", "leftValue")
_PAIRS = (
    {"leftField", "rightValue"},
    {"rightField", "leftValue"},
    {"leftField", "rightField"},
)
SIDES = (
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
    _comparison("notEquals", lambda a, b: bool(a == b), unless=True),
    _comparison("greaterThanOrEquals", lambda a, b: bool(a < b), unless=True),
    _comparison("lessThanOrEquals", lambda a, b: bool(a > b), unless=True),
    _comparison("listContains", _contains),
    _comparison("stringContains", _of_texts(lambda a, b: b in a)),
    _comparison("stringStartsWith", _of_texts(str.startswith)),
    _comparison("stringEndsWith", _of_texts(str.endswith)),
    Function(
        "Filter.maxDifference",
        (Parameter("difference", "Float"), *SIDES),
        "Filter",
        "a DAG that joins images of nearly the same time",
        _max_difference,
    ),
    Function(
        "Filter.rangeContains",
        (
            Parameter("field", "String"),
            Parameter("minValue", "Object"),
            Parameter("maxValue", "Object"),
        ),
        "Filter",
        _BY_PROPERTY,
        _range_contains,
    ),
    Function(
        "Filter.notNull",
        (Parameter("properties", "List<String>"),),
        "Filter",
        _BY_PROPERTY,
        _not_null,
    ),
    Function("Filter.and", _FILTERS, "Filter", _BY_PROPERTY, _and),
    Function("Filter.or", _FILTERS, "Filter", _BY_PROPERTY, _or),
    Function("Filter.not", (Parameter("filter", "Filter"),), "Filter", _BY_PROPERTY, _not),
)
