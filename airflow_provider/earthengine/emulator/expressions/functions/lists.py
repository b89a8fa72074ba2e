"""Functions of lists, texts and conditions: what clients compute about images."""

from __future__ import annotations

from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import Collection, Element


def _get(session: Session, arguments: Arguments) -> Any:
    values, index = arguments["list"], int(arguments["index"])
    if not -len(values) <= index < len(values):
        raise invalid_argument(
            f"List.get: List index out of bounds: {index} for a list of {len(values)}."
        )
    return values[index]


def _map(session: Session, arguments: Arguments) -> list[Any]:
    return [arguments["baseAlgorithm"].call(value) for value in arguments["list"]]


def _slice(session: Session, arguments: Arguments) -> list[Any]:
    start, end, step = (arguments[name] for name in ("start", "end", "step"))
    if step is not None and step < 1:
        raise invalid_argument("List.slice: The step must be positive.")
    stop = None if end is None else int(end)
    values: list[Any] = arguments["list"]
    return values[int(start) : stop : None if step is None else int(step)]


def _sort(session: Session, arguments: Arguments) -> list[Any]:
    values, keys = arguments["list"], arguments["keys"]
    if keys is None:
        keys = values
    if len(keys) != len(values):
        raise invalid_argument("List.sort: The lists must be of the same length.")
    try:
        order = sorted(range(len(values)), key=lambda number: keys[number])
    except TypeError:
        raise invalid_argument("List.sort: The values cannot be compared.") from None
    return [values[number] for number in order]


def _contains(session: Session, arguments: Arguments) -> bool:
    return arguments["element"] in arguments["list"]


def _size(session: Session, arguments: Arguments) -> int:
    return len(arguments["list"])


def _if(session: Session, arguments: Arguments) -> Any:
    return arguments["trueCase" if arguments["condition"] else "falseCase"]


def _string(session: Session, arguments: Arguments) -> str:
    value = arguments["input"]
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise unsupported("String of anything but a text or an integer")
    return str(value)


def _property_names(session: Session, arguments: Arguments) -> list[str]:
    element: Element | Collection = arguments["element"]
    return sorted(element.properties)


def _to_dictionary(session: Session, arguments: Arguments) -> dict[str, Any]:
    element: Element | Collection = arguments["element"]
    names = arguments["properties"]
    if names is None:
        return {
            name: value
            for name, value in element.properties.items()
            if not name.startswith("system:")
        }
    return {name: element.properties[name] for name in names if name in element.properties}


_LIST = Parameter("list", "List<Object>")
_OF_BANDS = "geedim, to compare the bands of an image"

FUNCTIONS = (
    Function(
        "List.get",
        (_LIST, Parameter("index", "Integer")),
        "Object",
        "geedim; a DAG that takes one image of a list",
        _get,
    ),
    Function(
        "List.map",
        (
            _LIST,
            Parameter("baseAlgorithm", "Algorithm"),
            Parameter("dropNulls", "Boolean", False, is_served=False),
        ),
        "List<Object>",
        _OF_BANDS,
        _map,
    ),
    Function(
        "List.slice",
        (
            _LIST,
            Parameter("start", "Integer"),
            Parameter("end", "Integer", None),
            Parameter("step", "Integer", None),
        ),
        "List<Object>",
        "xee for each chunk",
        _slice,
    ),
    Function(
        "List.sort",
        (_LIST, Parameter("keys", "List<Object>", None)),
        "List<Object>",
        _OF_BANDS,
        _sort,
    ),
    Function(
        "List.contains",
        (_LIST, Parameter("element", "Object")),
        "Boolean",
        "geedim, to look for a property",
        _contains,
    ),
    Function("List.size", (_LIST,), "Integer", "a DAG that counts bands or images", _size),
    Function("List.length", (_LIST,), "Integer", "a DAG that counts bands or images", _size),
    Function(
        "If",
        (
            Parameter("condition", "Object", None),
            Parameter("trueCase", "Object", None),
            Parameter("falseCase", "Object", None),
        ),
        "Object",
        "geedim, to choose how to resample",
        _if,
    ),
    Function(
        "String", (Parameter("input", "Object"),), "String", "geedim, for a band's name", _string
    ),
    Function(
        "Element.propertyNames",
        (Parameter("element", "Element"),),
        "List<Object>",
        "geedim, to look for a property",
        _property_names,
    ),
    Function(
        "Element.toDictionary",
        (Parameter("element", "Element"), Parameter("properties", "List<String>", None)),
        "Dictionary<Object>",
        "xee when a collection is opened",
        _to_dictionary,
    ),
)
