"""Functions that take dates apart, write them and count between them, all in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.date import (
    EPOCH,
    ZONE,
    advanced,
    bad_date,
    check_zone,
    read_date,
)
from airflow_provider.earthengine.emulator.expressions.functions.date_patterns import (
    read_pattern,
    write_date,
)
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import Date, DateRange

_ISO = "yyyy-MM-dd'T'HH:mm:ss"
_DAY = timedelta(days=1)
# Years and months count by their average length.
_LENGTHS = {
    "year": 365.2425 * _DAY,
    "month": 365.2425 / 12 * _DAY,
    "week": 7 * _DAY,
    "day": _DAY,
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
}
_UNITS = tuple(_LENGTHS)


def _moment(arguments: Arguments, name: str = "date") -> datetime:
    return EPOCH + timedelta(milliseconds=read_date(arguments[name]))


def _date(moment: datetime) -> Date:
    return Date((moment - EPOCH) // timedelta(milliseconds=1))


def _unit(function: str, text: str) -> str:
    unit = text.lower().removesuffix("s")
    if unit not in _LENGTHS:
        raise invalid_argument(f"{function}: Unknown unit '{text}'.")
    return unit


def _format(session: Session, arguments: Arguments) -> str:
    check_zone("Date.format", arguments)
    return write_date(_moment(arguments), arguments["format"] or _ISO)


def _parse(session: Session, arguments: Arguments) -> Date:
    check_zone("Date.parse", arguments)
    try:
        return _date(read_pattern(arguments["date"], arguments["format"]))
    except ValueError:
        raise bad_date(arguments["date"]) from None


def start_of(moment: datetime, unit: str) -> datetime:
    """Return the beginning of the unit of time around a moment; a week begins on Monday."""
    if unit == "week":
        return start_of(moment - moment.weekday() * _DAY, "day")
    fields = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}
    kept = ("year", "month", "day", "hour", "minute", "second").index(unit)
    later = list(fields)[kept:]
    return moment.replace(**{name: fields[name] for name in later})  # type: ignore[arg-type]  # all are integers


def _get(session: Session, arguments: Arguments) -> int:
    check_zone("Date.get", arguments)
    moment, unit = _moment(arguments), _unit("Date.get", arguments["unit"])
    part: int = moment.isocalendar().week if unit == "week" else getattr(moment, unit)
    return part


def _get_relative(session: Session, arguments: Arguments) -> int:
    name = "Date.getRelative"
    check_zone(name, arguments)
    moment = _moment(arguments)
    unit, outer = _unit(name, arguments["unit"]), _unit(name, arguments["inUnit"])
    # Source: https://developers.google.com/earth-engine/apidocs/ee-date-getrelative (2026-11).
    if _LENGTHS[unit] >= _LENGTHS[outer]:
        return 0
    if "week" in {unit, outer}:
        raise unsupported(f"weeks in {name}")
    if unit == "month":
        return moment.month - 1
    return (moment - start_of(moment, outer)) // _LENGTHS[unit]


def _get_range(session: Session, arguments: Arguments) -> DateRange:
    check_zone("Date.getRange", arguments)
    start, end = _around("Date.getRange", arguments)
    return DateRange(_date(start).milliseconds, _date(end).milliseconds)


def _get_fraction(session: Session, arguments: Arguments) -> float:
    check_zone("Date.getFraction", arguments)
    start, end = _around("Date.getFraction", arguments)
    return (_moment(arguments) - start) / (end - start)


def _around(function: str, arguments: Arguments) -> tuple[datetime, datetime]:
    unit = _unit(function, arguments["unit"])
    start = start_of(_moment(arguments), unit)
    return start, advanced(start, 1, unit)


def _difference(session: Session, arguments: Arguments) -> float:
    unit = _unit("Date.difference", arguments["unit"])
    return (_moment(arguments) - _moment(arguments, "start")) / _LENGTHS[unit]


def _unit_ratio(session: Session, arguments: Arguments) -> float:
    name = "Date.unitRatio"
    numerator, denominator = (
        _LENGTHS[_unit(name, arguments[part])] for part in ("numerator", "denominator")
    )
    return numerator / denominator


def _made(function: str, make: Callable[[], datetime]) -> Date:
    try:
        return _date(make())
    except (ValueError, OverflowError) as error:
        raise _not_a_date(function, error) from None


def _not_a_date(function: str, error: Exception) -> ApiError:
    return invalid_argument(f"{function}: {error}.")


def _from_ymd(session: Session, arguments: Arguments) -> Date:
    check_zone("Date.fromYMD", arguments)
    parts = [int(arguments[name]) for name in ("year", "month", "day")]
    return _made("Date.fromYMD", lambda: datetime(parts[0], parts[1], parts[2], tzinfo=UTC))


def _update(session: Session, arguments: Arguments) -> Date:
    check_zone("Date.update", arguments)
    names = ("year", "month", "day", "hour", "minute", "second")
    changes: dict[str, Any] = {
        name: int(arguments[name]) for name in names if arguments[name] is not None
    }
    second = arguments["second"]
    if second is not None:
        changes["microsecond"] = round((second - int(second)) * 1e6)
    return _made("Date.update", lambda: _moment(arguments).replace(**changes))


def _image_date(session: Session, arguments: Arguments) -> Date:
    time = arguments["image"].properties.get("system:time_start")
    if not isinstance(time, int | float):
        raise invalid_argument("Date: Parameter 'value' is required.")
    return Date(int(time))


_TIMES = "a DAG that names or groups images by their time"
_DATE = Parameter("date", "Date")
_WITH_UNIT = (_DATE, Parameter("unit", "String"))
_CHANGES = tuple(
    Parameter(name, "Integer", None) for name in ("year", "month", "day", "hour", "minute")
)

FUNCTIONS = (
    Function(
        "Date.format", (_DATE, Parameter("format", "String", None), ZONE), "String", _TIMES, _format
    ),
    Function(
        "Date.parse",
        (Parameter("format", "String"), Parameter("date", "String"), ZONE),
        "Date",
        _TIMES,
        _parse,
    ),
    Function("Date.get", (*_WITH_UNIT, ZONE), "Long", _TIMES, _get),
    Function(
        "Date.getRelative",
        (*_WITH_UNIT, Parameter("inUnit", "String"), ZONE),
        "Long",
        _TIMES,
        _get_relative,
    ),
    Function("Date.getRange", (*_WITH_UNIT, ZONE), "DateRange", _TIMES, _get_range),
    Function("Date.getFraction", (*_WITH_UNIT, ZONE), "Float", _TIMES, _get_fraction),
    Function(
        "Date.difference",
        (_DATE, Parameter("start", "Date"), Parameter("unit", "String")),
        "Float",
        _TIMES,
        _difference,
    ),
    Function(
        "Date.unitRatio",
        (Parameter("numerator", "String"), Parameter("denominator", "String")),
        "Float",
        _TIMES,
        _unit_ratio,
    ),
    Function(
        "Date.millis",
        (_DATE,),
        "Long",
        _TIMES,
        lambda session, arguments: read_date(arguments["date"]),
    ),
    Function(
        "Date.fromYMD",
        (*(Parameter(name, "Integer") for name in ("year", "month", "day")), ZONE),
        "Date",
        _TIMES,
        _from_ymd,
    ),
    Function(
        "Date.update",
        (_DATE, *_CHANGES, Parameter("second", "Number", None), ZONE),
        "Date",
        _TIMES,
        _update,
    ),
    Function("Image.date", (Parameter("image", IMAGE),), "Date", _TIMES, _image_date),
)
