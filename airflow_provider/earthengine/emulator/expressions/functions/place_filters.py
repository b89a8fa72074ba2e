"""Functions that create filters by place: elements that touch, hold or are near a geometry."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.filters import SIDES
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import (
    Element,
    Feature,
    Filter,
    geometry_of,
)
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.surroundings import contains, distance_between

# The names by which a filter reads the geometry of an element.
_OWN = {".all", ".geo"}
Relation = Callable[[Geometry, Geometry], Any]
# One side of a relation: its geometry, or None if it is everywhere or nowhere.
Place = Callable[[Element, Element], Geometry | None]


def _places(name: str, arguments: Arguments) -> tuple[Place, Place]:
    """Return what finds the left and the right geometry."""
    left, right = arguments["leftField"], arguments["rightField"]
    for field in (left, right):
        if field is not None and field not in _OWN:
            raise unsupported(f"{name} of anything but the elements' own geometry")
    for side, field in (("left", left), ("right", right)):
        if (field is None) is (arguments[f"{side}Value"] is None):
            raise invalid_argument(
                f"{name}: A field and a geometry, or two fields, must be specified."
            )
    if left is right is None:
        raise unsupported(f"{name} without a field")
    return (
        _fixed(name, "leftValue", arguments) if left is None else lambda one, _: geometry_of(one),
        _fixed(name, "rightValue", arguments)
        if right is None
        else lambda _, other: geometry_of(other),
    )


def _fixed(name: str, parameter: str, arguments: Arguments) -> Place:
    value = arguments[parameter]
    geometry = value.geometry if isinstance(value, Feature) else value
    if not isinstance(geometry, Geometry):
        raise invalid_argument(f"{name}: Parameter '{parameter}' must be a geometry.")
    return lambda one, other: geometry


def _remembered(relation: Relation) -> Relation:
    """Return a relation that is computed once for the same outlines, which images often share."""
    known: dict[object, Any] = {}

    def recall(left: Geometry, right: Geometry) -> Any:
        key = tuple(_outline(each) for each in (left, right))
        if key not in known:
            known[key] = relation(left, right)
        return known[key]

    return recall


def _outline(geometry: Geometry) -> object:
    return (geometry.kind, geometry.projection, *(ring.tobytes() for ring in geometry.rings))


def _touch(left: Geometry, right: Geometry) -> bool:
    return bool(left.rings and right.rings) and left.intersects(right)


def _related(arguments: Arguments, name: str, relation: Relation, of_unbounded: bool) -> Filter:
    """Return the filter of a relation of two geometries.

    :param of_unbounded: its value for an image without bounds, which is everywhere. A feature
        without a geometry is nowhere.
    """
    left, right = _places(name, arguments)
    relate = _remembered(relation)

    def matches(one: Element, other: Element) -> bool:
        first, second = left(one, other), right(one, other)
        if first is not None and second is not None:
            return bool(relate(first, second))
        is_nowhere = any(
            place is None and isinstance(element, Feature)
            for place, element in ((first, one), (second, other))
        )
        return of_unbounded and not is_nowhere

    return Filter(matches)


def _intersects(session: Session, arguments: Arguments) -> Filter:
    return _related(arguments, "Filter.intersects", _touch, True)


def _disjoint(session: Session, arguments: Arguments) -> Filter:
    touching = _related(arguments, "Filter.disjoint", _touch, True)
    return Filter(lambda one, other: not touching.matches(one, other))


def _contains(session: Session, arguments: Arguments) -> Filter:
    return _related(arguments, "Filter.contains", contains, False)


def _is_contained(session: Session, arguments: Arguments) -> Filter:
    def is_in(left: Geometry, right: Geometry) -> bool:
        return contains(right, left)

    return _related(arguments, "Filter.isContained", is_in, False)


def _within_distance(session: Session, arguments: Arguments) -> Filter:
    left, right = _places("Filter.withinDistance", arguments)
    most = float(arguments["distance"])
    measured = _remembered(distance_between)

    def measure(one: Element, other: Element) -> float:
        first, second = left(one, other), right(one, other)
        if first is None or second is None:
            return math.inf
        return float(measured(first, second))

    return Filter(lambda one, other: measure(one, other) <= most, measure)


_BY_PLACE = "a DAG that joins features and images by place"
_MAX_ERROR = Parameter("maxError", "ErrorMargin", None)

FUNCTIONS = (
    Function(
        "Filter.intersects",
        (*SIDES, _MAX_ERROR),
        "Filter",
        "the official client for filterBounds(): a DAG that chooses images by region",
        _intersects,
    ),
    Function("Filter.disjoint", (*SIDES, _MAX_ERROR), "Filter", _BY_PLACE, _disjoint),
    Function("Filter.contains", (*SIDES, _MAX_ERROR), "Filter", _BY_PLACE, _contains),
    Function("Filter.isContained", (*SIDES, _MAX_ERROR), "Filter", _BY_PLACE, _is_contained),
    Function(
        "Filter.withinDistance",
        (Parameter("distance", "Float"), *SIDES, _MAX_ERROR),
        "Filter",
        _BY_PLACE,
        _within_distance,
    ),
)
