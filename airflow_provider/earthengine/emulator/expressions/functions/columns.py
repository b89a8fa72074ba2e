"""Functions that read properties of all elements at once, or iterate over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import (
    Collection,
    Reducer,
    property_of,
)


def _iterate(session: Session, arguments: Arguments) -> Any:
    value = arguments["first"]
    for element in arguments["collection"].elements:
        value = arguments["function"].call(element, value)
    return value


def _reduce_columns(session: Session, arguments: Arguments) -> dict[str, Any]:
    """Return the values of properties; elements that lack a required one are left out."""
    collection: Collection = arguments["collection"]
    reducer: Reducer = arguments["reducer"]
    names = arguments["selectors"]
    if len(names) != reducer.inputs:
        raise invalid_argument(
            f"Collection.reduceColumns: The reducer needs {reducer.inputs} selectors, "
            f"not {len(names)}."
        )
    rows = [[property_of(element, name) for name in names] for element in collection.elements]
    required = reducer.inputs - reducer.optional
    rows = [row for row in rows if None not in row[:required]]
    if reducer.is_tuples:
        return {"list": rows}
    columns: list[Any] = [[row[number] for row in rows] for number in range(len(names))]
    if reducer.name == "toList":
        return {"list": columns if reducer.is_repeated else columns[0]}
    if reducer.name == "minMax" and not reducer.is_repeated:
        return {"max": max(columns[0], default=None), "min": min(columns[0], default=None)}
    if reducer.outputs and reducer.inputs == 1:
        return statistics_of("Collection.reduceColumns", columns[0], reducer)
    raise unsupported(f"Collection.reduceColumns with Reducer.{reducer.name}")


def statistics_of(function: str, column: list[Any], reducer: Reducer) -> dict[str, Any]:
    """Return the statistics of a column of numbers.

    :param function: the function that reduces it, for the message.
    """
    if not all(isinstance(value, int | float) for value in column):
        raise invalid_argument(f"{function}: The values must be numbers.")
    values, weights = np.array(column), np.ones(len(column))
    return {
        name: statistic.over_region(values, weights) if column else statistic.of_nothing
        for name, statistic in reducer.outputs
    }


def _aggregate(
    name: str, compute: Callable[[list[Any]], Any], result: str = "Number", is_number: bool = True
) -> Function:
    """Return a function of the values of a property; elements without it are left out.

    :param is_number: whether the values must be numbers.
    """
    full_name = f"AggregateFeatureCollection.{name}"

    def call(session: Session, arguments: Arguments) -> Any:
        found = (
            property_of(element, arguments["property"])
            for element in arguments["collection"].elements
        )
        values = [value for value in found if value is not None]
        if is_number and not all(isinstance(value, int | float) for value in values):
            raise invalid_argument(f"{full_name}: The values must be numbers.")
        try:
            return compute(values)
        except TypeError:
            raise invalid_argument(f"{full_name}: The values cannot be compared.") from None

    return Function(full_name, (_COLLECTION, Parameter("property", "String")), result, _LISTS, call)


def _histogram(values: list[Any]) -> dict[str, int]:
    return {str(value): values.count(value) for value in values}


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


_LISTS = "a DAG that summarises the properties of images"
_COLLECTION = Parameter("collection", "FeatureCollection")

FUNCTIONS = (
    Function(
        "Collection.iterate",
        (_COLLECTION, Parameter("function", "Algorithm"), Parameter("first", "Object", None)),
        "Object",
        "xee, to put the images of a chunk into the bands of one",
        _iterate,
    ),
    Function(
        "Collection.reduceColumns",
        (
            _COLLECTION,
            Parameter("reducer", "Reducer"),
            Parameter("selectors", "List<String>"),
            Parameter("weightSelectors", "List<String>", None, is_served=False),
        ),
        "Dictionary<Object>",
        "xee when a collection is opened; geedim, to list a collection",
        _reduce_columns,
    ),
    _aggregate("count", len, is_number=False),
    _aggregate("count_distinct", lambda values: len(set(values)), is_number=False),
    _aggregate("first", lambda values: values[0] if values else None, "<any>", is_number=False),
    _aggregate("min", lambda values: min(values, default=None), "<any>", is_number=False),
    _aggregate("max", lambda values: max(values, default=None), "<any>", is_number=False),
    _aggregate("sum", sum),
    _aggregate("histogram", _histogram, "Dictionary<Object>", is_number=False),
    _aggregate("mean", _mean),
)
