"""Functions of numbers and texts: arithmetic, comparing, writing and cutting."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported

_SENT_BY = "a DAG that computes dates, names or limits on the server"
# What printf of Java and of Python write alike.
_FORMAT = re.compile(r"[^%]*%[-+ 0]*\d*(?:\.\d+)?[dsfeEgxXo][^%]*")


def _number(name: str, compute: Callable[[Any, Any], Any]) -> Function:
    def call(session: Session, arguments: Arguments) -> Any:
        return _computed(f"Number.{name}", compute, arguments["left"], arguments["right"])

    parameters = (Parameter("left", "Number"), Parameter("right", "Number"))
    return Function(f"Number.{name}", parameters, "Number", _SENT_BY, call)


def _of_number(name: str, compute: Callable[[Any], Any]) -> Function:
    def call(session: Session, arguments: Arguments) -> Any:
        return _computed(f"Number.{name}", compute, arguments["input"])

    return Function(f"Number.{name}", (Parameter("input", "Number"),), "Number", _SENT_BY, call)


def _computed(function: str, compute: Callable[..., Any], *operands: Any) -> Any:
    try:
        return compute(*operands)
    except (ValueError, OverflowError) as error:
        raise invalid_argument(f"{function}: {error}.") from None


def _round(value: float) -> float:
    return value if isinstance(value, int) else math.floor(value + 0.5)


def _format(session: Session, arguments: Arguments) -> str:
    pattern, number = arguments["pattern"], arguments["number"]
    if _FORMAT.fullmatch(pattern) is None:
        raise unsupported(f"the pattern '{pattern}' of Number.format")
    is_whole = pattern[pattern.index("%") :].rstrip("\n")
    takes_integer = re.search(r"%[-+ 0]*\d*[dxXo]", is_whole) is not None
    if takes_integer and not float(number).is_integer():
        raise invalid_argument(f"Number.format: '{pattern}' needs an integer, not {number}.")
    text: str = pattern % (int(number) if takes_integer else number)
    return text


def _parse(session: Session, arguments: Arguments) -> float:
    text, radix = arguments["input"].strip(), int(arguments["radix"])
    try:
        return int(text, radix)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise invalid_argument(f"Number.parse: '{text}' is not a number.") from None


def _text(name: str, result: str, call: Callable[..., Any], *names: str) -> Function:
    """Return a function of texts, given its parameters' names."""

    def invoke(session: Session, arguments: Arguments) -> Any:
        return call(*(arguments[each] for each in names))

    parameters = tuple(Parameter(each, "String") for each in names)
    return Function(f"String.{name}", parameters, result, _SENT_BY, invoke)


def _pattern(function: str, regex: str, flags: str) -> tuple[re.Pattern[str], bool]:
    """Return a compiled pattern, and whether it applies to all places."""
    if set(flags) - {"g", "i"}:
        raise unsupported(f"the flags '{flags}' of {function}")
    try:
        return re.compile(regex, re.IGNORECASE if "i" in flags else 0), "g" in flags
    except re.error as error:
        raise invalid_argument(f"{function}: '{regex}' is not a pattern: {error}.") from None


def _replace(session: Session, arguments: Arguments) -> str:
    pattern, is_everywhere = _pattern("String.replace", arguments["regex"], arguments["flags"])
    if "$" in arguments["replacement"] or "\\" in arguments["replacement"]:
        raise unsupported("groups in the replacement of String.replace")
    count = 0 if is_everywhere else 1
    return pattern.sub(lambda _: arguments["replacement"], arguments["input"], count)


def _split(session: Session, arguments: Arguments) -> list[str]:
    pattern, _ = _pattern("String.split", arguments["regex"], arguments["flags"])
    if pattern.groups:
        raise unsupported("groups in the pattern of String.split")
    return [part for part in pattern.split(arguments["string"]) if part is not None]


def _match(session: Session, arguments: Arguments) -> list[str]:
    """Return the match and its groups, or with the flag g all matches."""
    pattern, is_everywhere = _pattern("String.match", arguments["regex"], arguments["flags"])
    if is_everywhere:
        return [match[0] for match in pattern.finditer(arguments["input"])]
    match = pattern.search(arguments["input"])
    return [] if match is None else [match[0], *(group or "" for group in match.groups())]


def _slice(session: Session, arguments: Arguments) -> str:
    end = arguments["end"]
    text: str = arguments["string"]
    return text[int(arguments["start"]) : None if end is None else int(end)]


_REGEX = (Parameter("regex", "String"),)
_FLAGS = Parameter("flags", "String", "")

FUNCTIONS = (
    _number("add", lambda a, b: a + b),
    _number("subtract", lambda a, b: a - b),
    _number("pow", lambda a, b: float(a) ** b),
    _number("mod", lambda a, b: math.fmod(a, b) if b else 0),
    _number("min", min),
    _number("max", max),
    _number("eq", lambda a, b: int(a == b)),
    _number("neq", lambda a, b: int(a != b)),
    _number("lt", lambda a, b: int(a < b)),
    _number("lte", lambda a, b: int(a <= b)),
    _number("gt", lambda a, b: int(a > b)),
    _number("gte", lambda a, b: int(a >= b)),
    _number("and", lambda a, b: int(bool(a) and bool(b))),
    _number("or", lambda a, b: int(bool(a) or bool(b))),
    _of_number("not", lambda a: int(not a)),
    _of_number("abs", abs),
    _of_number("round", _round),
    _of_number("floor", math.floor),
    _of_number("ceil", math.ceil),
    _of_number("int", int),
    _of_number("toInt", int),
    _of_number("float", float),
    _of_number("toFloat", float),
    _of_number("double", float),
    _of_number("toDouble", float),
    _of_number("sqrt", math.sqrt),
    _of_number("exp", math.exp),
    _of_number("log", math.log),
    _of_number("log10", math.log10),
    Function(
        "Number.format",
        (Parameter("number", "Number"), Parameter("pattern", "String", "%s")),
        "String",
        _SENT_BY,
        _format,
    ),
    Function(
        "Number.parse",
        (Parameter("input", "String"), Parameter("radix", "Integer", 10.0)),
        "Number",
        _SENT_BY,
        _parse,
    ),
    _text("cat", "String", lambda a, b: a + b, "string1", "string2"),
    _text("length", "Integer", len, "string"),
    _text("toUpperCase", "String", str.upper, "string"),
    _text("toLowerCase", "String", str.lower, "string"),
    _text("trim", "String", str.strip, "string"),
    _text("index", "Integer", str.find, "target", "pattern"),
    _text("rindex", "Integer", str.rfind, "target", "pattern"),
    Function(
        "String.slice",
        (
            Parameter("string", "String"),
            Parameter("start", "Integer"),
            Parameter("end", "Integer", None),
        ),
        "String",
        _SENT_BY,
        _slice,
    ),
    Function(
        "String.split",
        (Parameter("string", "String"), *_REGEX, _FLAGS),
        "List<String>",
        _SENT_BY,
        _split,
    ),
    Function(
        "String.match",
        (Parameter("input", "String"), *_REGEX, _FLAGS),
        "List<String>",
        _SENT_BY,
        _match,
    ),
    Function(
        "String.replace",
        (Parameter("input", "String"), *_REGEX, Parameter("replacement", "String"), _FLAGS),
        "String",
        _SENT_BY,
        _replace,
    ),
)
