"""A value from outside -> a typed and bounded one, or a :class:`ForeignValueError`.

JSON can hold any type anywhere, NaN, numbers of thousands of digits and deeply nested lists. No
such value is used before it is read here, with bounds on depth, size and digits. The caller decides
which error of this package a wrong value is.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from airflow_provider.earthengine.one_line import one_line

MAX_DEPTH = 32
MAX_TEXT_LENGTH = 100_000
MAX_JSON_BYTE_COUNT = 24 << 20
"""JSON text that somebody keeps in a bucket is not longer."""
MAX_JSON_DEPTH = 64
MILLISECOND, MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# In JSON, protocol buffers write 64-bit integers and non-finite numbers as text.
# Source: https://protobuf.dev/programming-guides/json, read 2026-11.
_INTEGER_TEXT = re.compile(r"-?[0-9]{1,19}")
_NUMBER_TEXTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_INT64 = 2**63
# An empty dict takes 64 bytes, and two in the text; the item of 5,000 bands has 35,000 of them.
_MAX_CONTAINERS = 500_000
_SHOWN = reprlib.Repr()
_SHOWN.maxlevel, _SHOWN.maxdict, _SHOWN.maxlist, _SHOWN.maxtuple = 2, 4, 4, 4
_SHOWN.maxstring, _SHOWN.maxlong, _SHOWN.maxother = 60, 40, 60


class ForeignValueError(ValueError):
    """A value is not what is required; the message has its place, the value and what is wanted."""


@dataclass(frozen=True)
class Foreign:
    """A value from outside, and its place in what was received.

    :param value: as the JSON parser returns it; None also if it is absent.
    :param place: its name in messages, for example ``bands[0].id``.
    """

    value: Any
    place: str = "the answer"

    @property
    def is_absent(self) -> bool:
        """Whether the value is absent or null."""
        return self.value is None

    def at(self, name: str) -> Foreign:
        """Return the field of a mapping; an absent value if it has no field of that name."""
        return Foreign(self.fields().get(name), f"{self.place}.{name}")

    def fields(self) -> Mapping[str, Any]:
        """Return the fields of a mapping whose keys are texts."""
        if not isinstance(self.value, Mapping) or not all(isinstance(k, str) for k in self.value):
            self.refuse("an object with fields")
        return self.value

    def items(self, count: int | None = None) -> list[Foreign]:
        """Return the items of a list.

        :param count: the required number of items; None for any.
        """
        if not isinstance(self.value, list | tuple):
            self.refuse("a list")
        if count is not None and len(self.value) != count:
            self.refuse(f"a list of {count}")
        return [Foreign(item, f"{self.place}[{n}]") for n, item in enumerate(self.value)]

    def text(self, most: int = MAX_TEXT_LENGTH) -> str:
        """Return a text of 1 to ``most`` characters that UTF-8 can encode."""
        if not isinstance(self.value, str) or not 0 < len(self.value) <= most:
            self.refuse(f"a text of 1 to {most:,} characters")
        if _is_broken(self.value):
            self.refuse("a text that UTF-8 can encode")
        return self.value

    def optional_items(self) -> list[Foreign]:
        """Return the items of a list; none if it is absent."""
        return [] if self.is_absent else self.items()

    def optional_text(self) -> str:
        """Return a text likewise; "" if it is empty or absent."""
        return "" if self.value in (None, "") else self.text()

    def number(self) -> float:
        """Return a number, which may be NaN or infinite; one too large for a double is infinite."""
        value = self.value
        if isinstance(value, str):
            value = _NUMBER_TEXTS.get(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse("a number")
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf

    def finite(self) -> float:
        """Return a finite number."""
        number = self.number()
        if not math.isfinite(number):
            self.refuse("a finite number")
        return number

    def whole(self, least: int = -_INT64, most: int = _INT64 - 1) -> int:
        """Return a whole number from ``least`` to ``most``."""
        value = self.value
        if isinstance(value, str) and _INTEGER_TEXT.fullmatch(value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or not least <= value <= most:
            self.refuse(f"a whole number from {least} to {most}")
        return int(value)

    def moment(self, unit: timedelta) -> datetime:
        """Return the time of a number of units since 1970 in UTC."""
        # Not as a double, which cannot count the microseconds of a century.
        is_whole = isinstance(self.value, int) and not isinstance(self.value, bool)
        count = self.value if is_whole else self.finite()
        try:
            return _EPOCH + unit * count
        except OverflowError:
            self.refuse("a time between the years 1 and 9999")

    def time(self) -> datetime:
        """Return the time of a text in ISO 8601 that has an offset."""
        try:
            moment = datetime.fromisoformat(self.text())
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.refuse("a time with an offset")
        return moment

    def plain(self, depth: int = MAX_DEPTH) -> Any:
        """Return the data as JSON that every parser reads.

        NaN, infinities and integers of more than 64 bits become text.

        :param depth: the maximum number of levels of lists and objects.
        """
        value = self.value
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return _mended(value)
        if isinstance(value, int):
            return value if -_INT64 <= value < 2 * _INT64 else _digits(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if depth == 0:
            self.refuse(f"at most {MAX_DEPTH} levels of lists and objects")
        if isinstance(value, Mapping):
            fields = self.fields().items()
            return {
                _mended(key): Foreign(each, self.place).plain(depth - 1) for key, each in fields
            }
        return [Foreign(item.value, self.place).plain(depth - 1) for item in self.items()]

    def refuse(self, wanted: str) -> NoReturn:
        """Raise the error that names the value and what is wanted.

        :raises ForeignValueError: always.
        """
        raise ForeignValueError(f"{self.place} is {shown(self.value)}, not {wanted}")


def parse_json(content: bytes, place: str) -> Foreign:
    """Return the value of JSON text in UTF-8.

    :param place: its name in messages.
    :raises ForeignValueError: if it is not JSON, or longer, deeper or larger than is ever needed.
    """
    if len(content) > MAX_JSON_BYTE_COUNT or has_many_containers(content):
        raise ForeignValueError(f"{place} is too large")
    try:
        value = json.loads(content.decode())
    except (ValueError, RecursionError):
        raise ForeignValueError(f"{place} is not JSON that can be read") from None
    level = [value]
    for _ in range(MAX_JSON_DEPTH + 1):
        level = [each for each in level if isinstance(each, dict | list)]
        if not level:
            return Foreign(value, place)
        level = [
            each
            for container in level
            for each in (container.values() if isinstance(container, dict) else container)
        ]
    raise ForeignValueError(f"{place} has more than {MAX_JSON_DEPTH} levels of lists and objects")


def has_many_containers(content: bytes) -> bool:
    """Return whether JSON text may have more lists and objects than is ever needed."""
    return content.count(b"[") + content.count(b"{") > _MAX_CONTAINERS


def shown(value: Any) -> str:
    """Return the value for an error message, as one short line."""
    try:
        text = _SHOWN.repr(value)
    except (ValueError, RecursionError):  # ValueError: more digits than Python prints.
        text = f"a {type(value).__name__}"
    return one_line(text)[:80]


def _is_broken(text: str) -> bool:
    """Return whether the text has a lone surrogate, which JSON can hold and UTF-8 cannot."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _mended(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode() if _is_broken(text) else text


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # More digits than Python prints.
        return hex(value)
