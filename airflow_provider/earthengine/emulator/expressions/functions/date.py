"""Functions that make dates and spans of time, all in UTC."""

from __future__ import annotations

import calendar
import re
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

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = {
    "week": timedelta(weeks=1),
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
}


# A month or day of one digit, as in 2021-4-30.
# Source: https://developers.google.com/earth-engine/apidocs/ee-date-getrelative (2026-11).
_SHORT = re.compile(r"-(\d)(?!\d)")


def read_date(value: Any) -> int:
    """Return the milliseconds since 1970 of a date, a number or a text.

    :raises ApiError: if it is not a date; with the real service's text, seen in public tracebacks.
    """
    if isinstance(value, Date):
        return value.milliseconds
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value)
    if not isinstance(value, str):
        raise bad_date(value)
    try:
        moment = datetime.fromisoformat(_SHORT.sub(r"-0\1", value))
    except ValueError:
        raise bad_date(value) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(milliseconds=1)


def bad_date(value: object) -> ApiError:
    """Return the refusal of what is no date."""
    return invalid_argument(f"Date: Bad date/time '{value}'.")


def check_zone(name: str, arguments: Arguments) -> None:
    """Refuse any time zone but UTC."""
    if arguments["timeZone"] not in {None, "UTC", "GMT", "Etc/UTC"}:
        raise unsupported(f"the time zone '{arguments['timeZone']}' of {name}")


def _date(session: Session, arguments: Arguments) -> Date:
    check_zone("Date", arguments)
    return Date(read_date(arguments["value"]))


def _date_range(session: Session, arguments: Arguments) -> DateRange:
    """Return a span; without an end it is one millisecond long, according to the algorithm list."""
    check_zone("DateRange", arguments)
    if isinstance(arguments["start"], DateRange) and arguments["end"] is None:
        span: DateRange = arguments["start"]
        return span
    start = read_date(arguments["start"])
    end = arguments["end"]
    return DateRange(start, start + 1 if end is None else read_date(end))


def _advance(session: Session, arguments: Arguments) -> Date:
    check_zone("Date.advance", arguments)
    moment = EPOCH + timedelta(milliseconds=read_date(arguments["date"]))
    moment = advanced(moment, arguments["delta"], arguments["unit"].lower().removesuffix("s"))
    return Date((moment - EPOCH) // timedelta(milliseconds=1))


def advanced(moment: datetime, delta: float, unit: str) -> datetime:
    """Return a moment so many units of time later; a month may be cut short.

    :raises ApiError: for other units, and for parts of months and years.
    """
    if unit in _STEPS:
        return moment + _STEPS[unit] * delta
    if unit not in {"month", "year"} or not float(delta).is_integer():
        raise unsupported(f"advancing a date by {delta} '{unit}'")
    months = moment.year * 12 + moment.month - 1 + int(delta) * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


ZONE = Parameter("timeZone", "String", None)

FUNCTIONS = (
    Function(
        "Date",
        (Parameter("value", "Object"), ZONE),
        "Date",
        "the official client for ee.Date(value)",
        _date,
    ),
    Function(
        "DateRange",
        (Parameter("start", "Object"), Parameter("end", "Object", None), ZONE),
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
            ZONE,
        ),
        "Date",
        "a DAG that counts its window by months",
        _advance,
    ),
)
