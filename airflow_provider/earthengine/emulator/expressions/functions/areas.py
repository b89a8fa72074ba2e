"""Functions that compare areas: intersections, unions, sizes, and arithmetic on these."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.values.areas import area_of, intersection_of, union_of
from airflow_provider.earthengine.emulator.values.elements import ErrorMargin
from airflow_provider.earthengine.emulator.values.geometries import Geometry

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


def _calculation(name: str, calculate: Callable[[float, float], float]) -> Function:
    def call(session: Session, arguments: Arguments) -> float:
        return calculate(arguments["left"], arguments["right"])

    parameters = (Parameter("left", "Number"), Parameter("right", "Number"))
    return Function(f"Number.{name}", parameters, "Number", COVERAGE, call)


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
