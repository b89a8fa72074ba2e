"""Functions of texts: joining, comparing, cutting, searching, JSON."""

from __future__ import annotations

import json
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

_SENT_BY = "a DAG that computes names on the server"


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


def _encode(session: Session, arguments: Arguments) -> str:
    try:
        return json.dumps(
            arguments["object"], separators=(",", ":"), sort_keys=True, ensure_ascii=False
        )
    except TypeError:
        raise unsupported("String.encodeJSON of anything but texts, numbers and lists") from None


def _decode(session: Session, arguments: Arguments) -> Any:
    try:
        return json.loads(arguments["string"])
    except (ValueError, RecursionError):
        raise invalid_argument("String.decodeJSON: The text is not JSON.") from None


def _is_same(session: Session, arguments: Arguments) -> bool:
    return bool(arguments["reference"] == arguments["target"])


def _order(left: str, right: str) -> int:
    return (left > right) - (left < right)


_REGEX = (Parameter("regex", "String"),)
_FLAGS = Parameter("flags", "String", "")

FUNCTIONS = (
    _text("cat", "String", lambda a, b: a + b, "string1", "string2"),
    _text("length", "Integer", len, "string"),
    _text("toUpperCase", "String", str.upper, "string"),
    _text("toLowerCase", "String", str.lower, "string"),
    _text("compareTo", "Integer", _order, "string1", "string2"),
    Function(
        "String.equals",
        (Parameter("reference", "String"), Parameter("target", "Object")),
        "Boolean",
        _SENT_BY,
        _is_same,
    ),
    Function("String.encodeJSON", (Parameter("object", "Object"),), "String", _SENT_BY, _encode),
    Function("String.decodeJSON", (Parameter("string", "String"),), "Object", _SENT_BY, _decode),
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
