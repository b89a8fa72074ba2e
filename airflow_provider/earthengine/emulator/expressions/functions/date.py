"""Functions that make dates and spans of time, all in UTC."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import Date, DateRange

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = {
    "week": timedelta(weeks=1),
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
}


def read_date(value: Any) -> int:
    """Return the milliseconds since 1970 of a date, a number or a text.

    :raises ApiError: if it is not a date; with the real service's text, seen in public tracebacks.
    """
    if isinstance(value, Date):
        return value.milliseconds
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value)
    if not isinstance(value, str):
        raise _bad_date(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _bad_date(value) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _bad_date(value: object) -> ApiError:
    return invalid_argument(f"Date: Bad date/time '{value}'.")


def _check_zone(name: str, arguments: Arguments) -> None:
    if arguments["timeZone"] not in {None, "UTC", "GMT", "Etc/UTC"}:
        raise unsupported(f"the time zone '{arguments['timeZone']}' of {name}")


def _date(session: Session, arguments: Arguments) -> Date:
    _check_zone("Date", arguments)
    return Date(read_date(arguments["value"]))


def _date_range(session: Session, arguments: Arguments) -> DateRange:
    """Return a span; without an end it is one millisecond long, according to the algorithm list."""
    _check_zone("DateRange", arguments)
    start = read_date(arguments["start"])
    end = arguments["end"]
    return DateRange(start, start + 1 if end is None else read_date(end))


def _advance(session: Session, arguments: Arguments) -> Date:
    _check_zone("Date.advance", arguments)
    moment = _EPOCH + timedelta(milliseconds=read_date(arguments["date"]))
    delta, unit = arguments["delta"], arguments["unit"].lower().removesuffix("s")
    if unit in _STEPS:
        moment += _STEPS[unit] * delta
    elif unit in {"month", "year"} and float(delta).is_integer():
        months = moment.year * 12 + moment.month - 1 + int(delta) * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        moment = moment.replace(year=year, month=month + 1, day=day)
    else:
        raise unsupported(f"advancing a date by {delta} '{arguments['unit']}'")
    return Date((moment - _EPOCH) // timedelta(milliseconds=1))


_ZONE = Parameter("timeZone", "String", None)

FUNCTIONS = (
    Function(
        "Date",
        (Parameter("value", "Object"), _ZONE),
        "Date",
        "the official client for ee.Date(value)",
        _date,
    ),
    Function(
        "DateRange",
        (Parameter("start", "Object"), Parameter("end", "Object", None), _ZONE),
        "DateRange",
        "the official client for filterDate()",
        _date_range,
    ),
    Function(
        "Date.advance",
        (
            Parameter("date", "Date"),
            Parameter("delta", "Float"),
            Parameter("unit", "String"),
            _ZONE,
        ),
        "Date",
        "a DAG that counts its window by months",
        _advance,
    ),
)
