"""Does a user's value consist of plain values? Checked before anything else is done with it.

A field may contain anything: arrays, dates, a list that contains itself, a number with a thousand
digits. After this check there are only text, numbers, booleans, None, lists and dicts, and not too
many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.exceptions import DownloadParamsError

MAX_DEPTH = 64
"""How deeply lists and dicts may be nested; a region's coordinates take nine levels."""

# Counts and times in microseconds fit; a larger integer is not a number that anybody meant.
_MAX_BITS = 64
# The most that a request to Earth Engine may carry, in bytes.
_MAX_SIZE = limits.MAX_PAYLOAD_BYTE_COUNT
# Always fine; a large region has a million of them.
_NUMBERS = frozenset({float, bool, type(None)})


def check_plain(
    field: str, value: Any, max_depth: int = MAX_DEPTH, *, any_text: bool = False
) -> None:
    """Raise unless the value consists of plain values, within bounds.

    :param any_text: accept text that is only ever written as JSON, which can escape anything.
    :raises DownloadParamsError: if it does not; says what is in it and what to use instead.
    """
    size = 0
    todo: list[tuple[Iterable[Any], int]] = [((value,), 0)]
    while todo:
        values, depth = todo.pop()
        for each in values:
            if type(each) in _NUMBERS:
                continue
            if isinstance(each, str) or not _is_container(each):
                size += _check_scalar(field, each, any_text)
                continue
            # Even a digit takes two bytes, with its comma.
            size += 2 * len(each)
            if size > _MAX_SIZE:
                raise _too_large(field)
            if depth == max_depth:
                raise DownloadParamsError(
                    f"{field} is nested too deeply to be read: it has more than {max_depth} levels "
                    "of lists and dicts.",
                    field=field,
                )
            if isinstance(each, Mapping):
                _check_keys(field, each, any_text)
            todo.append((each.values() if isinstance(each, Mapping) else each, depth + 1))
        if size > _MAX_SIZE:
            raise _too_large(field)


def check_text(field: str, text: str, *, any_text: bool = False) -> None:
    """Raise if the text is too long, or contains a lone surrogate, which cannot be encoded.

    :param any_text: only its length matters.
    :raises DownloadParamsError: if it is or does.
    """
    if len(text) > _MAX_SIZE:
        raise _too_large(field)
    if any_text:
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DownloadParamsError(
            f"{field} contains a lone surrogate, which is not a character; remove it.", field=field
        ) from None


def _too_large(field: str) -> DownloadParamsError:
    return DownloadParamsError(
        f"{field} is larger than the {_MAX_SIZE:,} bytes that a request to Earth Engine may "
        "carry; write less.",
        field=field,
    )


def _is_container(value: Any) -> bool:
    is_bytes = isinstance(value, str | bytes | bytearray | memoryview)
    return isinstance(value, Mapping | Sequence) and not is_bytes


def _check_scalar(field: str, value: Any, any_text: bool) -> int:
    """Return the value's size; raise unless it is text or a number."""
    if isinstance(value, str):
        check_text(field, value, any_text=any_text)
        return len(value)
    if isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise DownloadParamsError(
                f"{field} contains an integer of {value.bit_length():,} bits; use at most "
                f"{_MAX_BITS}.",
                field=field,
            )
        return 0
    if isinstance(value, float):
        return 0
    raise DownloadParamsError(
        f"{field} contains a {_name_of(type(value))}; use only text, numbers, lists and dicts, as "
        "in JSON.",
        field=field,
    )


def _check_keys(field: str, value: Mapping[Any, Any], any_text: bool) -> None:
    for key in value:
        if not isinstance(key, str):
            raise DownloadParamsError(
                f"{field} contains a dict with a key of type {_name_of(type(key))}; use text.",
                field=field,
            )
        check_text(field, key, any_text=any_text)


def _name_of(kind: type) -> str:
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
