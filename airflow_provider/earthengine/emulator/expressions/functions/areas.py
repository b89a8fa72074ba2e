"""Functions that compare areas: intersections, unions, sizes, and arithmetic on these."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.values.areas import (
    area_of,
    difference_of,
    intersection_of,
    union_of,
)
from airflow_provider.earthengine.emulator.values.elements import ErrorMargin
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.surroundings import (
    bounds_of,
    buffer_of,
    centroid_of,
    contains,
)

COVERAGE = "the DAG of daily ingestion, to compare the outline of an image with a region"


def _error_margin(session: Session, arguments: Arguments) -> ErrorMargin:
    return ErrorMargin(float(arguments["value"]))


def _area(session: Session, arguments: Arguments) -> float:
    return area_of(arguments["geometry"])


def _combining(name: str, combine: Callable[[Geometry, Geometry], Geometry]) -> Function:
    def call(session: Session, arguments: Arguments) -> Geometry:
        return combine(arguments["left"], arguments["right"])

    return Function(
        f"Geometry.{name}",
        (
            Parameter("left", "Geometry"),
            Parameter("right", "Geometry"),
            Parameter("maxError", "ErrorMargin", None),
            Parameter("proj", "Projection", None, is_served=False),
        ),
        "Geometry",
        COVERAGE,
        call,
    )


def _comparing(name: str, compare: Callable[[Geometry, Geometry], bool]) -> Function:
    def call(session: Session, arguments: Arguments) -> bool:
        return compare(arguments["left"], arguments["right"])

    parameters = (Parameter("left", "Geometry"), Parameter("right", "Geometry"))
    return Function(f"Geometry.{name}", (*parameters, *_PLACE), "Boolean", _REGIONS, call)


def _shaping(name: str, shape: Callable[[Geometry], Geometry]) -> Function:
    def call(session: Session, arguments: Arguments) -> Geometry:
        return shape(arguments["geometry"])

    parameters = (Parameter("geometry", "Geometry"), *_PLACE)
    return Function(f"Geometry.{name}", parameters, "Geometry", _REGIONS, call)


def _buffer(session: Session, arguments: Arguments) -> Geometry:
    return buffer_of(arguments["geometry"], float(arguments["distance"]))


def _calculation(name: str, calculate: Callable[[float, float], float]) -> Function:
    def call(session: Session, arguments: Arguments) -> float:
        return calculate(arguments["left"], arguments["right"])

    parameters = (Parameter("left", "Number"), Parameter("right", "Number"))
    return Function(f"Number.{name}", parameters, "Number", COVERAGE, call)


_REGIONS = "a DAG that makes its region of other geometries"
_PLACE = (
    Parameter("maxError", "ErrorMargin", None),
    Parameter("proj", "Projection", None, is_served=False),
)

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
    _combining("intersection", intersection_of),
    _combining("union", union_of),
    _combining("difference", difference_of),
    _comparing("contains", contains),
    _comparing("containedIn", lambda left, right: contains(right, left)),
    _comparing("intersects", lambda left, right: left.intersects(right)),
    _shaping("centroid", centroid_of),
    _shaping("bounds", bounds_of),
    Function(
        "Geometry.buffer",
        (Parameter("geometry", "Geometry"), Parameter("distance", "Float"), *_PLACE),
        "Geometry",
        _REGIONS,
        _buffer,
    ),
    Function(
        "Geometry.area",
        (
            Parameter("geometry", "Geometry"),
            Parameter("maxError", "ErrorMargin", None),
            Parameter("proj", "Projection", None, is_served=False),
        ),
        "Float",
        COVERAGE,
        _area,
    ),
    _calculation("divide", lambda left, right: left / right if right else 0.0),
    _calculation("multiply", lambda left, right: left * right),
)
