"""The field ``grid`` of a request: the requested pixels and their projection.

Source: https://developers.google.com/earth-engine/reference/rest/v1/PixelGrid (2025-08).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from affine import Affine

from airflow_provider.earthengine.emulator.replies import (
    ApiError,
    bad_field,
    invalid_argument,
    unknown_field,
    unsupported,
)
from airflow_provider.earthengine.emulator.values.grids import PixelGrid
from airflow_provider.earthengine.emulator.values.projections import Projection, parse_crs

_TRANSFORM = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")


def read_grid(document: object, own: Projection | None) -> PixelGrid | None:
    """Return the grid of a request; None if it requests the image's own.

    :param own: the projection of a grid without a CRS; None if there are several.
    """
    if document is None or document == {}:
        return None
    fields = _object(document, "grid", ("crsCode", "crsWkt", "affineTransform", "dimensions"))
    if "affineTransform" not in fields or "dimensions" not in fields:
        raise unsupported("a grid without affineTransform or dimensions")
    numbers = _object(fields["affineTransform"], "grid.affine_transform", _TRANSFORM)
    transform = Affine(*(_number(numbers, name) for name in _TRANSFORM))
    if transform.determinant == 0:
        raise invalid_argument("The affine transform of the pixel grid must be invertible.")
    size = _object(fields["dimensions"], "grid.dimensions", ("width", "height"))
    if "crsCode" in fields and "crsWkt" in fields:
        text = "Invalid value at 'grid' (oneof), oneof field 'crs' is already set. "
        raise bad_field("grid", f"{text}Cannot set 'crsWkt'")
    crs = fields.get("crsCode", fields.get("crsWkt"))
    if crs is None:
        if own is None:
            raise unsupported("a grid without crsCode for bands of different projections")
        crs = own.crs
    if not isinstance(crs, str):
        raise _bad("grid.crs_code" if "crsCode" in fields else "grid.crs_wkt", crs)
    parse_crs(crs)
    return PixelGrid(Projection(crs, transform), _count(size, "width"), _count(size, "height"))


def _object(document: object, name: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise _bad(name, document)
    for field in document:
        if field not in known:
            # Source of the text: https://github.com/OSGeo/gdal/issues/805 (2018).
            raise unknown_field(field, name)
    return {field: value for field, value in document.items() if value is not None}


def _number(fields: Mapping[str, Any], name: str) -> float:
    """Return a number; a missing one is zero, as in every protocol buffer."""
    value = fields.get(name, 0)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise _bad(f"grid.affine_transform.{name}", value)
    return float(value)


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _bad(f"grid.dimensions.{name}", value)
    return value


def _bad(name: str, value: object) -> ApiError:
    return bad_field(name, f"Invalid value at '{name}', {value!r}"[:200])
