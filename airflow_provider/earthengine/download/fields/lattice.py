"""One grid for a series: the operator's field ``grid``, and the pixel edges that it defines.

Snapping needs PROJ and runs on workers; reading the field does not.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.download.fields.values import (
    is_unset,
    read_json,
    read_number,
    read_text,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

_KEYS = ("crs", "resolution", "origin")
_RELATIVE_TOLERANCE = 1e-9
# Two lattices with edges as close as this have the same ones, but for rounding.
_PIXEL_TOLERANCE = 1e-3

Transform = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Lattice:
    """Where the edges of pixels are, without an end in any direction.

    :param crs: as Earth Engine takes it, for example "EPSG:32610", or WKT.
    :param transform: affine terms a b c d e f, from (column, row) of an edge to (x, y).
    """

    crs: str
    transform: Transform

    def corner(self, column: int, row: int) -> tuple[float, float]:
        """Return (x, y) of a corner of pixels."""
        a, b, c, d, e, f = self.transform
        return a * column + b * row + c, d * column + e * row + f

    def steps_to(self, xs: Any, ys: Any) -> tuple[Any, Any]:
        """Return (columns, rows) of points, numbers or arrays, in units of the crs."""
        a, b, c, d, e, f = self.transform
        area = a * e - b * d
        return (e * (xs - c) - b * (ys - f)) / area, (a * (ys - f) - d * (xs - c)) / area

    def has_edges_of(self, other: Lattice) -> bool:
        """Return whether both have the same edges; their crs have the same name."""
        if self.crs != other.crs:
            return False
        sides, others = ((*each.transform[:2], *each.transform[3:5]) for each in (self, other))
        tolerance = _RELATIVE_TOLERANCE * max(map(abs, sides))
        if any(abs(one - two) > tolerance for one, two in zip(sides, others, strict=True)):
            return False
        steps = self.steps_to(other.transform[2], other.transform[5])
        return all(abs(each - round(each)) < _PIXEL_TOLERANCE for each in steps)


def make_lattice(crs: str, terms: Sequence[float]) -> Lattice | None:
    """Return the lattice of a grid; None if its pixels have no place or no area."""
    a, b, c, d, e, f = (float(term) for term in terms)
    area = a * e - b * d
    if not all(map(math.isfinite, (a, b, c, d, e, f, area))) or area == 0:
        return None
    return Lattice(crs, (a, b, c, d, e, f))


def read_grid(value: Any) -> Lattice | None:
    """Return the lattice of the field ``grid``, with rows from north to south; None if it is unset.

    :param value: a dict of ``crs``, ``resolution`` and ``origin``, or JSON text of one.
    :raises DownloadParamsError: if a key is missing, unknown, or no lattice follows from it.
    """
    given = None if is_unset(value) else read_json("grid", value)
    if given is None:
        return None
    check_grid_keys(given)
    if missing := [key for key in ("crs", "resolution") if is_unset(given.get(key))]:
        raise _wrong(f"grid has no {' and no '.join(missing)}; add it.")
    crs = read_text("grid['crs']", given["crs"])
    width, height = _read_resolution(given["resolution"])
    x, y = _read_origin(given.get("origin"))
    lattice = make_lattice(crs, (width, 0.0, x, 0.0, -height, y))
    if lattice is None:
        raise _wrong(f"grid is {shown(value)}, whose pixels have no area that can be computed.")
    return lattice


def check_grid_keys(given: Any) -> None:
    """Raise unless it is a dict with known keys.

    :raises DownloadParamsError: if it is not.
    """
    if not isinstance(given, Mapping):
        raise _wrong(
            f"grid is {shown(given)}; write a dict such as "
            "{'crs': 'EPSG:32610', 'resolution': 10, 'origin': [0, 0]}."
        )
    for key in given:
        if key not in _KEYS:
            nearest = difflib.get_close_matches(str(key), _KEYS, n=1, cutoff=0.5)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"use {', '.join(_KEYS)}."
            raise _wrong(f"grid has the unknown key {shown(key)}; {hint}")


def _read_resolution(value: Any) -> tuple[float, float]:
    value = read_json("grid['resolution']", value)
    sides = value if isinstance(value, list | tuple) else [value, value]
    if len(sides) != 2:
        raise _wrong(f"grid['resolution'] is {shown(value)}; write a number, or [x, y].")
    width, height = (float(read_number("grid['resolution']", side)) for side in sides)
    if width <= 0 or height <= 0:
        raise _wrong(
            f"grid['resolution'] is {shown(value)}; write the sides of a pixel in units of the "
            "crs, above 0: rows always go from north to south."
        )
    return width, height


def _read_origin(value: Any) -> tuple[float, float]:
    value = [0, 0] if is_unset(value) else read_json("grid['origin']", value)
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise _wrong(
            f"grid['origin'] is {shown(value)}; write [x, y] of a corner of pixels, in units of "
            "the crs."
        )
    x, y = (float(read_number("grid['origin']", each)) for each in value)
    return x, y


def _wrong(message: str) -> DownloadParamsError:
    return DownloadParamsError(message, field="grid")
