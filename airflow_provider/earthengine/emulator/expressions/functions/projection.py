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
from airflow_provider.earthengine.emulator.replies import invalid_argument
from airflow_provider.earthengine.emulator.values.projections import Projection, parse_crs


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


FUNCTIONS = (
    PROJECTION,
    Function(
        "Projection.nominalScale",
        (Parameter("proj", "Projection"),),
        "Float",
        "geedim, to compare the bands of an image",
        _nominal_scale,
    ),
)
