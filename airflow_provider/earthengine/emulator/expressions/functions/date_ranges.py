"""Functions of spans of time, which begin with their start and end before their end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.date import read_date
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.values.elements import Date, DateRange

_TIMES = "a DAG that computes dates on the server"


def _of_range(name: str, compute: Callable[..., Any], result: str, *others: Parameter) -> Function:
    """Return a function of a span and perhaps of another value."""

    def call(session: Session, arguments: Arguments) -> Any:
        return compute(arguments["dateRange"], *(arguments[each.name] for each in others))

    parameters = (Parameter("dateRange", "DateRange"), *others)
    return Function(f"DateRange.{name}", parameters, result, _TIMES, call)


def _contains(span: DateRange, other: Any) -> bool:
    if isinstance(other, DateRange):
        return span.start <= other.start and other.end <= span.end
    return span.start <= read_date(other) < span.end


def _intersection(one: DateRange, other: DateRange) -> DateRange:
    start = max(one.start, other.start)
    return DateRange(start, max(start, min(one.end, other.end)))


def _intersects(one: DateRange, other: DateRange) -> bool:
    return max(one.start, other.start) < min(one.end, other.end)


def _union(one: DateRange, other: DateRange) -> DateRange:
    return DateRange(min(one.start, other.start), max(one.end, other.end))


_OTHER = Parameter("other", "DateRange")

FUNCTIONS = (
    _of_range("start", lambda span: Date(span.start), "Date"),
    _of_range("end", lambda span: Date(span.end), "Date"),
    _of_range("isEmpty", lambda span: span.start >= span.end, "Boolean"),
    _of_range("contains", _contains, "Boolean", Parameter("other", "Object")),
    _of_range("intersection", _intersection, "DateRange", _OTHER),
    _of_range("intersects", _intersects, "Boolean", _OTHER),
    _of_range("union", _union, "DateRange", _OTHER),
)
