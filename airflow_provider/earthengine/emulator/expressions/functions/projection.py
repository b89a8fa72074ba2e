"""Functions that create projections."""

from __future__ import annotations

import math

from affine import Affine

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.projections import (
    Projection,
    compose,
    is_wkt,
    parse_crs,
)


def read_transform(function: str, numbers: list[object]) -> Affine:
    """Return the affine map of six numbers: xScale, xShear, xTranslation, yShear, yScale,
    yTranslation.

    :param function: the function that has this argument, for the message.
    """
    is_numbers = all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers)
    values = [float(n) for n in numbers] if is_numbers else []  # type: ignore[arg-type]  # checked above
    if len(values) != 6:
        raise invalid_argument(f"{function}: A CRS transform must be a list of 6 numbers.")
    transform = Affine(*values)
    if not all(map(math.isfinite, values)) or transform.determinant == 0:
        raise invalid_argument(f"{function}: A CRS transform must be invertible.")
    return transform


def _projection(session: Session, arguments: Arguments) -> Projection:
    crs = arguments["crs"]
    if isinstance(crs, Projection) and arguments["transform"] is None:
        return crs
    if not isinstance(crs, str):
        raise PROJECTION.fail("Parameter 'crs' must be a String.")
    parse_crs(crs)
    numbers = arguments["transform"]
    transform = Affine.identity() if numbers is None else read_transform("Projection", numbers)
    return Projection(crs, transform)


PROJECTION = Function(
    "Projection",
    (
        Parameter("crs", "Object"),
        Parameter("transform", "List<Object>", None),
        Parameter("transformWkt", "String", None, is_served=False),
    ),
    "Projection",
    "the official client for a download's crs",
    _projection,
)


def _nominal_scale(session: Session, arguments: Arguments) -> float:
    projection: Projection = arguments["proj"]
    return projection.nominal_scale_metres


def _at_scale(session: Session, arguments: Arguments) -> Projection:
    metres = float(arguments["meters"])
    if not 0 < metres < math.inf:
        raise invalid_argument(f"Projection.atScale: Scale must be positive, not {metres}.")
    projection: Projection = arguments["projection"]
    return projection.scaled_to(metres)


def _scale(session: Session, arguments: Arguments) -> Projection:
    projection: Projection = arguments["projection"]
    factor = Affine.scale(arguments["x"], arguments["y"])
    return Projection(projection.crs, compose(projection.transform, factor))


def _translate(session: Session, arguments: Arguments) -> Projection:
    projection: Projection = arguments["projection"]
    return projection.offset(arguments["x"], arguments["y"])


def _crs(session: Session, arguments: Arguments) -> str:
    projection: Projection = arguments["projection"]
    if is_wkt(projection.crs):
        raise unsupported("Projection.crs of WKT")
    return projection.crs


_OF = Parameter("projection", "Projection")
_GRIDS = "a DAG that compares or makes grids"
_TWO = (Parameter("x", "Float"), Parameter("y", "Float"))

FUNCTIONS = (
    PROJECTION,
    Function(
        "Projection.atScale", (_OF, Parameter("meters", "Float")), "Projection", _GRIDS, _at_scale
    ),
    Function("Projection.scale", (_OF, *_TWO), "Projection", _GRIDS, _scale),
    Function("Projection.translate", (_OF, *_TWO), "Projection", _GRIDS, _translate),
    Function("Projection.crs", (_OF,), "String", _GRIDS, _crs),
    Function(
        "Projection.nominalScale",
        (Parameter("proj", "Projection"),),
        "Float",
        "geedim, to compare the bands of an image",
        _nominal_scale,
    ),
)
