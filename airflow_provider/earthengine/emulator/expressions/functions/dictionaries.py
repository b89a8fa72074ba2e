"""Functions of dictionaries: what DAGs compute from statistics and properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument, unsupported

Entries = dict[str, Any]

_SENT_BY = "a DAG that computes with the statistics of a region"


def _get(session: Session, arguments: Arguments) -> Any:
    dictionary, key = arguments["dictionary"], arguments["key"]
    if key not in dictionary and arguments["defaultValue"] is not None:
        return arguments["defaultValue"]
    return _value_of("Dictionary.get", dictionary, key)


def _value_of(function: str, dictionary: Entries, key: str) -> Any:
    if key not in dictionary:
        raise _no_key(function, dictionary, key)
    return dictionary[key]


def _no_key(function: str, dictionary: Entries, key: str) -> ApiError:
    return invalid_argument(
        f"{function}: Dictionary does not contain key: '{key}'. "
        f"Available keys: [{', '.join(dictionary)}]"
    )


def _make(session: Session, arguments: Arguments) -> Entries:
    """Return a dictionary of another, or of a list of keys and values in turn."""
    given = arguments["input"]
    if given is None or isinstance(given, dict):
        return given or {}
    if isinstance(given, list) and len(given) % 2 == 0:
        return _from_lists(given[::2], given[1::2])
    raise unsupported("Dictionary of anything but a dictionary or a list of keys and values")


def _from_lists(keys: list[Any], values: list[Any]) -> Entries:
    if len(keys) != len(values):
        raise invalid_argument("Dictionary.fromLists: The lists must be of the same length.")
    if not all(isinstance(key, str) for key in keys):
        raise invalid_argument("Dictionary.fromLists: The keys must be texts.")
    return dict(zip(keys, values, strict=True))


def _combine(first: Entries, second: Entries, overwrite: bool) -> Entries:
    """Return the entries of both, without those that are null."""
    merged = {**first, **second} if overwrite else {**second, **first}
    return {key: value for key, value in merged.items() if value is not None}


def _chosen(function: str, dictionary: Entries, names: list[str], ignore: bool) -> set[str]:
    """Return the keys that are named.

    :param ignore: whether a name without an entry is not an error.
    """
    for name in names:
        if name not in dictionary:
            if any(letter in ".*+?[](){}|^$\\" for letter in name):
                raise unsupported(f"the pattern '{name}' of {function}")
            if not ignore:
                raise _no_key(function, dictionary, name)
    return set(names) & set(dictionary)


def _select(dictionary: Entries, names: list[str], ignore: bool) -> Entries:
    chosen = _chosen("Dictionary.select", dictionary, names, ignore)
    return {key: value for key, value in dictionary.items() if key in chosen}


def _remove(dictionary: Entries, names: list[str], ignore: bool) -> Entries:
    chosen = _chosen("Dictionary.remove", dictionary, names, ignore)
    return {key: value for key, value in dictionary.items() if key not in chosen}


def _rename(dictionary: Entries, old: list[str], new: list[str], overwrite: bool) -> Entries:
    if len(old) != len(new):
        raise invalid_argument("Dictionary.rename: The lists must be of the same length.")
    _chosen("Dictionary.rename", dictionary, old, ignore=False)
    rest = {key: value for key, value in dictionary.items() if key not in old}
    taken = [key for key in new if key in rest]
    if taken and not overwrite:
        raise invalid_argument(f"Dictionary.rename: The key '{taken[0]}' is taken.")
    return {**rest, **{after: dictionary[before] for before, after in zip(old, new, strict=True)}}


def _map(session: Session, arguments: Arguments) -> Entries:
    function = arguments["baseAlgorithm"]
    mapped = {key: function.call(key, value) for key, value in arguments["dictionary"].items()}
    return {key: value for key, value in mapped.items() if value is not None}


def _keys(dictionary: Entries) -> list[str]:
    return sorted(dictionary)


def _values(dictionary: Entries, keys: list[str] | None) -> list[Any]:
    wanted = _keys(dictionary) if keys is None else keys
    return [_value_of("Dictionary.values", dictionary, key) for key in wanted]


def _typed(name: str, expected: type | tuple[type, ...], result: str) -> Function:
    def call(dictionary: Entries, key: str) -> Any:
        value = _value_of(f"Dictionary.{name}", dictionary, key)
        if value is not None and (not isinstance(value, expected) or isinstance(value, bool)):
            raise invalid_argument(f"Dictionary.{name}: The value of '{key}' is not a {result}.")
        return value

    return _of_dictionary(name, call, result, _KEY)


def _of_dictionary(
    name: str, compute: Callable[..., Any], result: str, *parameters: Parameter
) -> Function:
    """Return a function of a dictionary and of other arguments, in their order."""

    def call(session: Session, arguments: Arguments) -> Any:
        return compute(arguments["dictionary"], *(arguments[each.name] for each in parameters))

    return Function(f"Dictionary.{name}", (_DICTIONARY, *parameters), result, _SENT_BY, call)


_TYPE = "Dictionary<Object>"
_DICTIONARY = Parameter("dictionary", _TYPE)
_KEY = Parameter("key", "String")
_SELECTORS = (
    Parameter("selectors", "List<String>"),
    Parameter("ignoreMissing", "Boolean", False),
)

FUNCTIONS = (
    Function("Dictionary", (Parameter("input", "Object", None),), _TYPE, _SENT_BY, _make),
    Function(
        "Dictionary.fromLists",
        (Parameter("keys", "List<String>"), Parameter("values", "List<Object>")),
        _TYPE,
        _SENT_BY,
        lambda session, arguments: _from_lists(arguments["keys"], arguments["values"]),
    ),
    Function(
        "Dictionary.get",
        (_DICTIONARY, _KEY, Parameter("defaultValue", "Object", None)),
        "Object",
        "xee when a collection is opened",
        _get,
    ),
    _typed("getNumber", (int, float), "Number"),
    _typed("getString", str, "String"),
    Function(
        "Dictionary.combine",
        (
            Parameter("first", _TYPE),
            Parameter("second", _TYPE),
            Parameter("overwrite", "Boolean", True),
        ),
        _TYPE,
        _SENT_BY,
        lambda session, arguments: _combine(
            arguments["first"], arguments["second"], arguments["overwrite"]
        ),
    ),
    _of_dictionary("contains", lambda dictionary, key: key in dictionary, "Boolean", _KEY),
    _of_dictionary("keys", _keys, "List<String>"),
    _of_dictionary("values", _values, "List<Object>", Parameter("keys", "List<String>", None)),
    _of_dictionary("size", len, "Integer"),
    _of_dictionary(
        "set",
        lambda dictionary, key, value: {**dictionary, key: value},
        _TYPE,
        _KEY,
        Parameter("value", "Object"),
    ),
    _of_dictionary("select", _select, _TYPE, *_SELECTORS),
    _of_dictionary("remove", _remove, _TYPE, *_SELECTORS),
    _of_dictionary(
        "rename",
        _rename,
        _TYPE,
        Parameter("from", "List<String>"),
        Parameter("to", "List<String>"),
        Parameter("overwrite", "Boolean", False),
    ),
    Function(
        "Dictionary.map",
        (_DICTIONARY, Parameter("baseAlgorithm", "Algorithm")),
        _TYPE,
        _SENT_BY,
        _map,
    ),
)
