"""Functions of geometries, and of features for theirs: combining, comparing, shaping, measuring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument
from airflow_provider.earthengine.emulator.values.areas import (
    area_of,
    difference_of,
    intersection_of,
    symmetric_difference_of,
    union_of,
)
from airflow_provider.earthengine.emulator.values.elements import (
    Element,
    ErrorMargin,
    Feature,
    geometry_of,
)
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.surroundings import (
    bounds_of,
    buffer_of,
    centroid_of,
    contains,
    distance_between,
)

COVERAGE = "the DAG of daily ingestion, to compare the outline of an image with a region"
_REGIONS = "a DAG that makes its region of other geometries"


def _error_margin(session: Session, arguments: Arguments) -> ErrorMargin:
    return ErrorMargin(float(arguments["value"]))


def _place(function: str, value: Geometry | Element) -> Geometry:
    """Return a geometry, or that of an element."""
    geometry = value if isinstance(value, Geometry) else geometry_of(value)
    if geometry is None:
        raise invalid_argument(f"{function}: The element has no geometry.")
    return geometry


def _combining(
    name: str, combine: Callable[[Geometry, Geometry], Geometry], sent_by: str = _REGIONS
) -> list[Function]:
    return [_of_two(kind, name, combine, kind, sent_by) for kind in _KINDS]


def _comparing(name: str, compare: Callable[[Geometry, Geometry], bool]) -> list[Function]:
    return [_of_two(kind, name, compare, "Boolean", _REGIONS) for kind in _KINDS]


def _of_two(
    kind: str, name: str, compute: Callable[..., Any], result: str, sent_by: str, *more: Parameter
) -> Function:
    """Return a function of two geometries, or of two features for theirs.

    :param more: parameters that change nothing.
    """
    full_name = f"{kind}.{name}"

    def call(session: Session, arguments: Arguments) -> Any:
        left, right = arguments["left"], arguments["right"]
        computed = compute(_place(full_name, left), _place(full_name, right))
        return _with_geometry(left, computed) if result == "Feature" else computed

    parameters = (Parameter("left", _KINDS[kind]), Parameter("right", _KINDS[kind]), *_HOW, *more)
    return Function(full_name, parameters, result, sent_by, call)


def _shaping(name: str, shape: Callable[..., Geometry], *more: Parameter) -> list[Function]:
    return [_of_one(kind, name, shape, kind, _REGIONS, *more) for kind in _KINDS]


def _of_one(
    kind: str, name: str, compute: Callable[..., Any], result: str, sent_by: str, *more: Parameter
) -> Function:
    """Return a function of a geometry, or of a feature for its own.

    :param more: other arguments of ``compute``.
    """
    full_name, parameter = f"{kind}.{name}", kind.lower()

    def call(session: Session, arguments: Arguments) -> Any:
        value = arguments[parameter]
        others = (arguments[each.name] for each in more)
        computed = compute(_place(full_name, value), *others)
        return _with_geometry(value, computed) if result == "Feature" else computed

    parameters = (Parameter(parameter, _KINDS[kind]), *more, *_HOW)
    return Function(full_name, parameters, result, sent_by, call)


def _with_geometry(element: Element, geometry: Geometry) -> Feature:
    return Feature(geometry, element.properties, element.id)


def _read(name: str, read: Callable[[Geometry], Any], result: str) -> Function:
    def call(session: Session, arguments: Arguments) -> Any:
        return read(arguments["geometry"])

    parameters = (Parameter("geometry", "Geometry"),)
    return Function(f"Geometry.{name}", parameters, result, _REGIONS, call)


# The functions' prefixes, and the type that each takes.
_KINDS = {"Geometry": "Geometry", "Feature": "Element"}
_HOW = (
    Parameter("maxError", "ErrorMargin", None),
    Parameter("proj", "Projection", None, is_served=False),
)
_SPHERICAL = Parameter("spherical", "Boolean", False, is_served=False)

FUNCTIONS = (
    Function(
        "ErrorMargin",
        (
            Parameter("value", "Float", 0.0),
            Parameter("unit", "String", "meters", is_served=False),
        ),
        "ErrorMargin",
        "the official client for a number as maxError",
        _error_margin,
    ),
    *_combining("intersection", intersection_of, COVERAGE),
    *_combining("union", union_of, COVERAGE),
    *_combining("difference", difference_of, COVERAGE),
    *_combining("symmetricDifference", symmetric_difference_of),
    *_comparing("contains", contains),
    *_comparing("containedIn", lambda left, right: contains(right, left)),
    *_comparing("intersects", lambda left, right: left.intersects(right)),
    *_comparing("disjoint", lambda left, right: not left.intersects(right)),
    *_shaping("centroid", centroid_of),
    *_shaping("bounds", bounds_of),
    *_shaping("buffer", buffer_of, Parameter("distance", "Float")),
    *(_of_one(kind, "area", area_of, "Float", COVERAGE) for kind in _KINDS),
    *(
        _of_two(kind, "distance", distance_between, "Float", _REGIONS, _SPHERICAL)
        for kind in _KINDS
    ),
    _read("coordinates", lambda geometry: geometry.as_json()["coordinates"], "List<Object>"),
    _read("type", lambda geometry: geometry.kind, "String"),
)
