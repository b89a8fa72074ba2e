"""Joda-Time's patterns of dates, such as ``yyyy-MM-dd``: writing and reading."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported

# The letters of Joda-Time's patterns, each with how it is written.
# Source: Joda-Time's DateTimeFormat, which the algorithm list names:
# https://joda-time.sourceforge.net/apidocs/org/joda/time/format/DateTimeFormat.html
_LETTERS: dict[str, Callable[[datetime, int], str]] = {
    "y": lambda moment, count: _year(moment.year, count),
    "Y": lambda moment, count: _year(moment.year, count),
    "x": lambda moment, count: _year(moment.isocalendar().year, count),
    "M": lambda moment, count: _named(moment, count, moment.month, "%b", "%B"),
    "E": lambda moment, count: moment.strftime("%A" if count > 3 else "%a"),
    "e": lambda moment, count: f"{moment.isoweekday():0{count}}",
    "w": lambda moment, count: f"{moment.isocalendar().week:0{count}}",
    "d": lambda moment, count: f"{moment.day:0{count}}",
    "D": lambda moment, count: f"{moment.timetuple().tm_yday:0{count}}",
    "H": lambda moment, count: f"{moment.hour:0{count}}",
    "k": lambda moment, count: f"{moment.hour or 24:0{count}}",
    "K": lambda moment, count: f"{moment.hour % 12:0{count}}",
    "h": lambda moment, count: f"{moment.hour % 12 or 12:0{count}}",
    "a": lambda moment, count: "AM" if moment.hour < 12 else "PM",
    "m": lambda moment, count: f"{moment.minute:0{count}}",
    "s": lambda moment, count: f"{moment.second:0{count}}",
    "S": lambda moment, count: f"{moment.microsecond:06}".ljust(count, "0")[:count],
}
_PATTERN = re.compile(r"''|'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
# What a text must look like for a letter, for Python to read it.
_READ = {"y": "%Y", "Y": "%Y", "M": "%m", "d": "%d", "D": "%j", "H": "%H", "m": "%M", "s": "%S"}


def write_date(moment: datetime, pattern: str) -> str:
    """Return a moment in UTC as a pattern writes it.

    :raises ApiError: if the pattern has letters that are not known; names the first.
    """
    return "".join(
        _LETTERS[letter](moment, len(run)) if letter else run
        for letter, run in _pieces("Date.format", pattern)
    )


def read_pattern(text: str, pattern: str) -> datetime:
    """Return the moment in UTC of a text.

    :raises ApiError: if the pattern has letters that are not known; names the first.
    :raises ValueError: if the text is not of the pattern.
    """
    directives = []
    for letter, run in _pieces("Date.parse", pattern):
        if letter and letter not in _READ:
            raise unsupported(f"the letter '{letter}' in a pattern of Date.parse")
        directives.append(_READ[letter] if letter else run.replace("%", "%%"))
    return datetime.strptime(text, "".join(directives)).replace(tzinfo=UTC)


def _pieces(function: str, pattern: str) -> list[tuple[str, str]]:
    """Return the pattern's parts: each a letter and its run, or no letter and a text."""
    pieces, place = [], 0
    while place < len(pattern):
        match = _PATTERN.match(pattern, place)
        if match is None:
            raise invalid_argument(f"{function}: Bad pattern '{pattern}'.")
        run, letter = match[0], match[2] or ""
        if letter and letter not in _LETTERS:
            raise unsupported(f"the letter '{letter}' in a pattern of {function}")
        if not letter and run.startswith("'"):
            run = "'" if run == "''" else str(match[1]).replace("''", "'")
        pieces.append((letter, run))
        place = match.end()
    return pieces


def _year(year: int, count: int) -> str:
    return f"{year % 100:02}" if count == 2 else f"{year:0{count}}"


def _named(moment: datetime, count: int, number: int, short: str, long: str) -> str:
    if count > 2:
        return moment.strftime(long if count > 3 else short)
    return f"{number:0{count}}"
