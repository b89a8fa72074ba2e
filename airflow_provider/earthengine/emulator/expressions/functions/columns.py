"""Functions that read properties of all elements at once, or iterate over them."""

from __future__ import annotations

from typing import Any

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


def reducer_function(name: str, parameters: tuple[Parameter, ...], sent_by: str) -> Function:
    """Return the function that makes a reducer of that name."""

    def call(session: Session, arguments: Arguments) -> Reducer:
        return Reducer(name)

    return Function(f"Reducer.{name}", parameters, "Reducer", sent_by, call)


def _to_list(session: Session, arguments: Arguments) -> Reducer:
    size, optional = arguments["tupleSize"], int(arguments["numOptional"])
    if size is None and not optional:
        return Reducer("toList")
    if size is None or not 0 <= optional <= size or size < 1:
        raise invalid_argument("Reducer.toList: 'numOptional' must be at most 'tupleSize'.")
    return Reducer("toList", int(size), is_tuples=True, optional=optional)


def _repeat(session: Session, arguments: Arguments) -> Reducer:
    reducer: Reducer = arguments["reducer"]
    if reducer.inputs != 1 or reducer.is_tuples:
        raise unsupported("Reducer.repeat of a reducer of several columns")
    return Reducer(reducer.name, int(arguments["count"]), is_repeated=True)


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
    raise unsupported(f"Collection.reduceColumns with Reducer.{reducer.name}")


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
    Function(
        "Reducer.toList",
        (Parameter("tupleSize", "Integer", None), Parameter("numOptional", "Integer", 0)),
        "Reducer",
        "xee when a collection is opened; geedim and EarthEngineListImagesOperator, to list one",
        _to_list,
    ),
    reducer_function("minMax", (), "geedim, for the time of a composite"),
    reducer_function("allNonZero", (), "geedim, for the fill mask of the images of a composite"),
    Function(
        "Reducer.repeat",
        (Parameter("reducer", "Reducer"), Parameter("count", "Integer")),
        "Reducer",
        "xee when a collection is opened; geedim, to list a collection",
        _repeat,
    ),
)
