"""Functions of numbers: arithmetic, comparing, rounding, bits, writing and reading."""

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
_MOST_PLACES = 63
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


def _bits(name: str, compute: Callable[[int, int], int]) -> list[Function]:
    """Return a function of the bits of integers, under both of its names."""

    def of_integers(left: float, right: float) -> int:
        return compute(_integer(left), _integer(right))

    return [_number(each, of_integers) for each in (name, _with_underscores(name))]


def _shift(value: int, places: int) -> int:
    """Return a number whose bits are moved to the left, or by a negative number to the right."""
    if abs(places) > _MOST_PLACES:
        raise ValueError(f"a shift by {abs(places)} places is more than {_MOST_PLACES}")
    return value << places if places >= 0 else value >> -places


def _complement(value: float) -> int:
    return ~_integer(value)


def _integer(value: float) -> int:
    if not float(value).is_integer():
        # The real service's text for images, by analogy.
        raise invalid_argument("Bitwise operands must be integer only.")
    return int(value)


def _with_underscores(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _cast(low: int, high: int) -> Callable[[float], int]:
    """Return what cuts decimals off and moves what is out of range to the nearest bound."""
    return lambda value: int(min(max(value, low), high))


def _in_range(name: str, compute: Callable[[float, float, float], float]) -> Function:
    def call(session: Session, arguments: Arguments) -> float:
        return compute(*(arguments[each] for each in ("number", "min", "max")))

    parameters = (
        Parameter("number", "Number"),
        Parameter("min", "Float"),
        Parameter("max", "Float"),
    )
    return Function(f"Number.{name}", parameters, "Number", _SENT_BY, call)


def _clamp(number: float, low: float, high: float) -> float:
    return min(max(number, low), high)


def _unit_scale(number: float, low: float, high: float) -> float:
    return 0 if low == high else (number - low) / (high - low)


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


FUNCTIONS = (
    _number("add", lambda a, b: a + b),
    _number("subtract", lambda a, b: a - b),
    _number("multiply", lambda a, b: a * b),
    # Source: the algorithm list, for the division by zero.
    _number("divide", lambda a, b: a / b if b else 0.0),
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
    _number("hypot", math.hypot),
    # The left value is x.
    # Source: https://developers.google.com/earth-engine/apidocs/ee-number-atan2 (2025-10).
    _number("atan2", lambda x, y: math.atan2(y, x)),
    *_bits("bitwiseAnd", lambda a, b: a & b),
    *_bits("bitwiseOr", lambda a, b: a | b),
    *_bits("bitwiseXor", lambda a, b: a ^ b),
    *_bits("leftShift", _shift),
    *_bits("rightShift", lambda a, b: _shift(a, -b)),
    _of_number("bitwiseNot", _complement),
    _of_number("bitwise_not", _complement),
    _of_number("not", lambda a: int(not a)),
    _of_number("abs", abs),
    _of_number("signum", lambda a: (a > 0) - (a < 0)),
    _of_number("round", _round),
    _of_number("floor", math.floor),
    _of_number("ceil", math.ceil),
    _of_number("float", float),
    _of_number("toFloat", float),
    _of_number("double", float),
    _of_number("toDouble", float),
    _of_number("sqrt", math.sqrt),
    _of_number("exp", math.exp),
    _of_number("log", math.log),
    _of_number("log10", math.log10),
    *(
        _of_number(name, compute)
        for name, compute in {
            "sin": math.sin,
            "cos": math.cos,
            "tan": math.tan,
            "asin": math.asin,
            "acos": math.acos,
            "atan": math.atan,
            "sinh": math.sinh,
            "cosh": math.cosh,
            "tanh": math.tanh,
            "cbrt": lambda a: math.copysign(abs(a) ** (1 / 3), a),
        }.items()
    ),
    *(
        _of_number(name, _cast(low, high))
        for (low, high), names in {
            (0, 2**8 - 1): ("uint8", "toUint8", "byte", "toByte"),
            (-(2**7), 2**7 - 1): ("int8", "toInt8"),
            (0, 2**16 - 1): ("uint16", "toUint16"),
            (-(2**15), 2**15 - 1): ("int16", "toInt16", "short", "toShort"),
            (0, 2**32 - 1): ("uint32", "toUint32"),
            (-(2**31), 2**31 - 1): ("int32", "toInt32", "int", "toInt"),
            (-(2**63), 2**63 - 1): ("int64", "toInt64", "long", "toLong"),
        }.items()
        for name in names
    ),
    _in_range("clamp", _clamp),
    _in_range("unitScale", _unit_scale),
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
)
