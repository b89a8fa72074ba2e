"""What users and templates write -> plain values: numbers, booleans, times, JSON.

Templates give text: ``"20"``, ``"true"``, ``'["B3", "B8"]'``. Each function returns the intended
value, or raises an error that names the field and says what to write instead.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from airflow_provider.earthengine.download.fields.plain_values import (
    MAX_DEPTH,
    check_plain,
    check_text,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.one_line import one_line

_SHOWN_LENGTH = 60
_SHOWN_NAMES = 30
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
# A text that is longer is no number that anybody wrote.
_MAX_DIGITS = 400
# Beyond it, doubles do not tell one whole number from the next.
_MAX_COUNT = 2**53


def shown(value: Any) -> str:
    """Return the value for an error message: its repr, cut to one short line."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - the value is being refused, and must not hide why
        return f"a {type(value).__name__}"
    text = one_line(text)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def shown_names(names: Collection[str]) -> str:
    """Return names for an error message: the first few, and how many others there are."""
    first = ", ".join(
        name[:_SHOWN_LENGTH] if name.isprintable() else shown(name)
        for name in list(names)[:_SHOWN_NAMES]
    )
    more = len(names) - _SHOWN_NAMES
    return f"{first} and {more:,} others" if more > 0 else first


def is_unset(value: Any) -> bool:
    """Return whether no value was given: None, or the empty text of a template."""
    return value is None or (isinstance(value, str) and not value)


def read_json(field: str, value: Any, max_depth: int = MAX_DEPTH, *, any_text: bool = False) -> Any:
    """Return the list or dict that JSON text holds; any other value unchanged.

    Either consists of plain values, with at most ``max_depth`` levels of lists and dicts.

    :param any_text: as in :func:`check_plain`.
    """
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        check_plain(field, value, max_depth, any_text=any_text)
        return value
    check_text(field, value, any_text=any_text)
    try:
        parsed = json.loads(value)
    except RecursionError:
        raise DownloadParamsError(
            f"{field} is JSON that is nested too deeply to parse; simplify it.", field=field
        ) from None
    except ValueError as error:
        hint = (
            "it looks like Python's repr: template it with `| tojson`, or set "
            "render_template_as_native_obj=True on the DAG"
            if "'" in value or "None" in value or "True" in value or "False" in value
            else "write it as JSON"
        )
        raise DownloadParamsError(
            f"{field} is not valid JSON ({error}): {shown(value)}; {hint}.", field=field
        ) from None
    check_plain(field, parsed, max_depth, any_text=any_text)
    return parsed


def read_number(field: str, value: Any) -> int | float:
    """Return a finite number; a whole one as int, so that 20, 20.0 and "20" are one value."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        if isinstance(value, str) and len(value) > _MAX_DIGITS:
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        raise DownloadParamsError(
            f"{field} is {shown(value)}; write a number.", field=field
        ) from None
    if not math.isfinite(number):
        raise DownloadParamsError(f"{field} is {value}; write a finite number.", field=field)
    return int(number) if number.is_integer() else number


def read_count(field: str, value: Any, noun: str = "whole number", most: int = _MAX_COUNT) -> int:
    """Return a whole number above zero.

    :param noun: what it is, to go behind "write a".
    """
    number = read_number(field, value)
    if not isinstance(number, int) or not 0 < number <= most:
        bound = f", at most {most:,}" if number > most else ""
        raise DownloadParamsError(
            f"{field} is {shown(value)}; write a {noun} above 0{bound}.", field=field
        )
    return number


def read_positive_integer(field: str, value: Any) -> int:
    """Return a number of pixels: whole, and above zero."""
    return read_count(field, value, "whole number of pixels")


def read_boolean(field: str, value: Any) -> bool:
    """Return a boolean; the text "False" of a template is false, not a non-empty string."""
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    text = value.strip().lower() if isinstance(value, str) else ""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise DownloadParamsError(f"{field} is {shown(value)}; write true or false.", field=field)


def read_time(field: str, value: Any) -> datetime:
    """Return the moment, in UTC if the value has no time zone; midnight for a date.

    :raises DownloadParamsError: if the value is not a date or time.
    """
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        if isinstance(moment, date) and not isinstance(moment, datetime):
            moment = datetime.combine(moment, time(), UTC)
        return _in_utc(moment)
    # pandas' NaT is a datetime without a year; and some moments' UTC is beyond the calendar.
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise DownloadParamsError(
            f"{field} is {shown(value)}; write a date or time such as '2021-01-09' or "
            "'2021-01-09T00:00:00Z'.",
            field=field,
        ) from None


def _in_utc(moment: datetime) -> datetime:
    """Return a plain datetime: Airflow's own are of a subclass that prints otherwise."""
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC)
    return datetime(
        utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, UTC
    )


def read_text(field: str, value: Any) -> str:
    """Return text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise DownloadParamsError(
            f"{field} is {shown(value)}; write text that is not empty.", field=field
        )
    check_text(field, value)
    return value.strip()


def read_dict(field: str, value: Any) -> Mapping[str, Any]:
    """Return a dict, or what JSON text of one holds; an empty one where nothing is given."""
    given = {} if is_unset(value) else read_json(field, value)
    if not isinstance(given, Mapping):
        raise DownloadParamsError(f"{field} is {shown(value)}; write a dict.", field=field)
    return given


def read_choice(field: str, value: Any, known: Collection[str]) -> str:
    """Return the text, one of those that are known."""
    if not isinstance(value, str) or value not in known:
        raise DownloadParamsError(
            f"{field} is {shown(value)}; use one of {', '.join(known)}.", field=field
        )
    return str(value)


def read_words(field: str, value: Any, known: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Return a word for each given key: one word is for the first key; else a dict, or its JSON.

    :param known: the words of each key.
    """
    given = read_json(field, value)
    words = given if isinstance(given, Mapping) else {next(iter(known)): given}
    for key, word in words.items():
        if key not in known:
            raise DownloadParamsError(
                f"{field} has {shown(key)}; use {' or '.join(known)}.", field=field
            )
        read_choice(f"{field}[{key!r}]" if words is given else field, word, known[key])
    return dict(words)


def read_key_prefix(field: str, value: Any) -> str:
    """Return a prefix of keys without leading or trailing slashes; "" if there is none."""
    check_plain(field, value)
    # With native rendering, a template's digits arrive as a number.
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    prefix = (text or "").strip("/") if text is None or isinstance(text, str) else None
    if prefix is not None and "\\" in prefix:
        raise DownloadParamsError(
            f"{field} is {shown(value)}, and some stores treat a backslash as a slash; separate "
            "the parts with slashes.",
            field=field,
        )
    if prefix is None or not _leads_downwards(prefix):
        raise DownloadParamsError(
            f"{field} is {shown(value)}; write the prefix of the keys, for example "
            "'landsat/2026', without a bucket, empty parts, '.' or '..'.",
            field=field,
        )
    return prefix


def _leads_downwards(prefix: str) -> bool:
    parts = prefix.split("/") if prefix else []
    is_odd = any(part in ("", ".", "..") for part in parts) or ":/" in prefix
    return prefix.isprintable() and not is_odd
