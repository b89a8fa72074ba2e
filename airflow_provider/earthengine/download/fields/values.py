"""What users and templates write -> plain values: numbers, booleans, times, JSON.

Templates give text: ``"20"``, ``"true"``, ``'["B3", "B8"]'``. Each function returns the intended
value, or raises an error that names the field and says what to write instead.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from airflow_provider.earthengine.exceptions import DownloadParamsError

_SHOWN_LENGTH = 60
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


def shown(value: Any) -> str:
    """Return the value for an error message: its repr, cut to one short line."""
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def read_json(field: str, value: Any) -> Any:
    """Return the list or dict that JSON text holds; any other value unchanged."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
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


def read_number(field: str, value: Any) -> int | float:
    """Return a finite number; a whole one as int, so that 20, 20.0 and "20" are one value."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
    except ValueError:
        raise DownloadParamsError(
            f"{field} is {shown(value)}; write a number.", field=field
        ) from None
    if not math.isfinite(number):
        raise DownloadParamsError(f"{field} is {value}; write a finite number.", field=field)
    return int(number) if number.is_integer() else number


def read_positive_integer(field: str, value: Any) -> int:
    """Return a whole number above zero."""
    number = read_number(field, value)
    if not isinstance(number, int) or number <= 0:
        raise DownloadParamsError(
            f"{field} is {shown(value)}; write a whole number of pixels above 0.", field=field
        )
    return number


def read_boolean(field: str, value: Any) -> bool:
    """Return a boolean; the text "False" of a template is false, not a non-empty string."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise DownloadParamsError(f"{field} is {shown(value)}; write true or false.", field=field)


def read_time(field: str, value: Any) -> datetime:
    """Return the moment in UTC, which it is in where it does not say.

    :param value: a datetime, or text such as "2021-01-09" or "2021-01-09T00:00:00+00:00".
    :raises DownloadParamsError: when it is none.
    """
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        # Airflow's own datetimes are a subclass that prints otherwise.
        return datetime.fromtimestamp(moment.timestamp(), UTC)
    except (AttributeError, ValueError, OverflowError):
        raise DownloadParamsError(
            f"{field} is {shown(value)}; write a date or time such as '2021-01-09' or "
            "'2021-01-09T00:00:00Z'.",
            field=field,
        ) from None


def read_text(field: str, value: Any) -> str:
    """Return text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise DownloadParamsError(
            f"{field} is {shown(value)}; write text that is not empty.", field=field
        )
    return value.strip()


def read_key_prefix(field: str, value: Any) -> str:
    """Return a prefix of keys without leading or trailing slashes; "" if there is none."""
    prefix = str(value or "").strip("/")
    parts = prefix.split("/") if prefix else []
    if any(part in ("", ".", "..") for part in parts) or not prefix.isprintable() or ":/" in prefix:
        raise DownloadParamsError(
            f"{field} is {shown(value)}; write the prefix of the keys, for example "
            "'landsat/2026', without a bucket, empty parts, '.' or '..'.",
            field=field,
        )
    return prefix
