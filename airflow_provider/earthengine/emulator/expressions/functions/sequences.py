"""Functions that make lists of others: counting, joining, pairing, replacing, removing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.columns import statistics_of
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import Feature, Filter, Reducer
from airflow_provider.earthengine.emulator.values.images import Image

_LONGEST = 1_000_000
_SENT_BY = "a DAG that computes months, names or bands on the server"


def _sequence(session: Session, arguments: Arguments) -> list[float]:
    """Return equal steps; ``step`` counts for nothing where ``end`` and ``count`` are given.

    Source: https://developers.google.com/earth-engine/apidocs/ee-list-sequence (2026-11).
    """
    start, end, step, count = (arguments[name] for name in ("start", "end", "step", "count"))
    if end is None and count is None:
        raise invalid_argument("List.sequence: Either 'end' or 'count' must be specified.")
    if count is None:
        if step == 0:
            raise invalid_argument("List.sequence: The step must not be zero.")
        count = max((end - start) // step + 1, 0)
    elif end is not None:
        step = (end - start) / max(count - 1, 1)
    _check_length("List.sequence", count)
    values = [start + step * number for number in range(int(count))]
    return [int(value) if float(value).is_integer() else value for value in values]


def _check_length(function: str, count: float) -> None:
    if count > _LONGEST:
        raise unsupported(f"{function} of more than {_LONGEST:,} values")


def _repeat(session: Session, arguments: Arguments) -> list[Any]:
    _check_length("List.repeat", arguments["count"])
    return [arguments["value"]] * int(arguments["count"])


def _place(function: str, values: list[Any], index: float, beyond: int = 0) -> int:
    """Return the place of an index, of which negative ones count backwards.

    :param beyond: how many places after the last one are allowed.
    """
    place = int(index) + (len(values) if index < 0 else 0)
    if not 0 <= place < len(values) + beyond:
        raise invalid_argument(
            f"{function}: List index out of bounds: {int(index)} for a list of {len(values)}."
        )
    return place


def _insert(values: list[Any], index: float, element: Any) -> list[Any]:
    place = _place("List.insert", values, index, beyond=1)
    return [*values[:place], element, *values[place:]]


def _set(values: list[Any], index: float, element: Any) -> list[Any]:
    place = _place("List.set", values, index)
    return [*values[:place], element, *values[place + 1 :]]


def _remove(values: list[Any], element: Any) -> list[Any]:
    if element not in values:
        return values
    place = values.index(element)
    return values[:place] + values[place + 1 :]


def _replace(values: list[Any], old: Any, new: Any) -> list[Any]:
    return _set(values, values.index(old), new) if old in values else values


def _distinct(values: list[Any]) -> list[Any]:
    return [value for place, value in enumerate(values) if value not in values[:place]]


def _flatten(values: list[Any]) -> list[Any]:
    flat: list[Any] = []
    waiting = values[::-1]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value[::-1]
        else:
            flat.append(value)
    return flat


def _unzip(values: list[Any]) -> list[list[Any]]:
    if not all(isinstance(value, list) for value in values):
        raise invalid_argument("List.unzip: The elements must be lists.")
    return [list(each) for each in zip(*values, strict=False)]


def _join(values: list[Any], separator: str) -> str:
    if not all(isinstance(value, str | int | float) for value in values):
        raise unsupported("List.join of anything but texts, numbers and booleans")
    return separator.join(_written(value) for value in values)


def _written(value: str | float) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _iterate(session: Session, arguments: Arguments) -> Any:
    result = arguments["first"]
    for value in arguments["list"]:
        result = arguments["function"].call(value, result)
    return result


def _filter(values: list[Any], condition: Filter) -> list[Any]:
    """Return what passes; of what is no element, the property ``item`` is its value."""
    elements = (
        value if isinstance(value, Image | Feature) else Feature(None, {"item": value})
        for value in values
    )
    passed = [condition.passes(element) for element in elements]
    return [value for value, is_kept in zip(values, passed, strict=True) if is_kept]


def _reduce(values: list[Any], reducer: Reducer) -> Any:
    if not reducer.outputs or reducer.inputs != 1:
        raise unsupported(f"List.reduce with Reducer.{reducer.name}")
    results = statistics_of(
        "List.reduce", [value for value in values if value is not None], reducer
    )
    return next(iter(results.values())) if len(results) == 1 else results


def _typed(name: str, expected: type | tuple[type, ...], result: str) -> Function:
    def call(values: list[Any], index: float) -> Any:
        value = values[_place(f"List.{name}", values, index)]
        if not isinstance(value, expected) or isinstance(value, bool):
            raise invalid_argument(f"List.{name}: The value is not a {result}.")
        return value

    return _of_list(name, call, result, _INDEX)


def _of_list(
    name: str, compute: Callable[..., Any], result: str, *parameters: Parameter
) -> Function:
    """Return a function of a list and of other arguments, in their order."""

    def call(session: Session, arguments: Arguments) -> Any:
        return compute(arguments["list"], *(arguments[each.name] for each in parameters))

    return Function(f"List.{name}", (_LIST, *parameters), result, _SENT_BY, call)


_LIST = Parameter("list", "List<Object>")
_OTHER = Parameter("other", "List<Object>")
_INDEX = Parameter("index", "Integer")
_ELEMENT = Parameter("element", "Object")
_ANY = "List<Object>"

FUNCTIONS = (
    Function(
        "List.sequence",
        (
            Parameter("start", "Number"),
            Parameter("end", "Number", None),
            Parameter("step", "Number", 1),
            Parameter("count", "Integer", None),
        ),
        _ANY,
        "a DAG that makes a composite of each month",
        _sequence,
    ),
    Function(
        "List.repeat",
        (Parameter("value", "Object"), Parameter("count", "Integer")),
        _ANY,
        _SENT_BY,
        _repeat,
    ),
    _of_list("add", lambda values, element: [*values, element], _ANY, _ELEMENT),
    _of_list("cat", lambda values, other: values + other, _ANY, _OTHER),
    _of_list("insert", _insert, _ANY, _INDEX, _ELEMENT),
    _of_list("set", _set, _ANY, _INDEX, _ELEMENT),
    _of_list("remove", _remove, _ANY, _ELEMENT),
    _of_list(
        "removeAll", lambda values, other: [v for v in values if v not in other], _ANY, _OTHER
    ),
    _of_list(
        "replace", _replace, _ANY, Parameter("oldval", "Object"), Parameter("newval", "Object")
    ),
    _of_list("reverse", lambda values: values[::-1], _ANY),
    _of_list("distinct", _distinct, _ANY),
    _of_list("flatten", _flatten, _ANY),
    _of_list(
        "zip",
        lambda values, other: [list(pair) for pair in zip(values, other, strict=False)],
        "List<List<Object>>",
        _OTHER,
    ),
    _of_list("unzip", _unzip, "List<List<Object>>"),
    _of_list("filter", _filter, _ANY, Parameter("filter", "Filter")),
    _of_list("join", _join, "String", Parameter("separator", "String", "")),
    _of_list("frequency", lambda values, element: values.count(element), "Integer", _ELEMENT),
    _of_list(
        "indexOf",
        lambda values, element: values.index(element) if element in values else -1,
        "Integer",
        _ELEMENT,
    ),
    _of_list(
        "containsAll",
        lambda values, other: all(value in values for value in other),
        "Boolean",
        _OTHER,
    ),
    _of_list("equals", lambda values, other: values == other, "Boolean", _OTHER),
    _of_list("reduce", _reduce, "Object", Parameter("reducer", "Reducer")),
    _typed("getNumber", (int, float), "Number"),
    _typed("getString", str, "String"),
    Function(
        "List.iterate",
        (_LIST, Parameter("function", "Algorithm"), Parameter("first", "Object")),
        "Object",
        _SENT_BY,
        _iterate,
    ),
)
