"""Where the pixels are: a grid of pixels in a coordinate reference system, and its arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

# Earth Engine sends transforms as doubles that went through JSON and through products such as
# 30 / 111319.49079327357, so two transforms of one grid may differ in the last bits.
_RELATIVE_TOLERANCE = 1e-9
_PIXEL_TOLERANCE = 1e-3


@dataclass(frozen=True)
class PixelGrid:
    """A grid of ``width`` x ``height`` pixels.

    :param crs: as Earth Engine names it, for example "EPSG:32610", or WKT.
    :param transform: affine terms a b c d e f in row-major order, from (column, row) of a pixel's
        upper-left corner to (x, y) in units of the crs: x = a * column + b * row + c.
    :param width: number of columns.
    :param height: number of rows.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    @property
    def is_empty(self) -> bool:
        """Whether the grid has no pixels."""
        return self.width <= 0 or self.height <= 0

    @property
    def is_placed(self) -> bool:
        """Whether the transform is finite and invertible, so that pixels have a place."""
        a, b, _, d, e, _ = self.transform
        corners = [
            self.corner(column, row) for column in (0, self.width) for row in (0, self.height)
        ]
        area = a * e - b * d
        terms = (*self.transform, area, *(term for corner in corners for term in corner))
        return all(map(math.isfinite, terms)) and area != 0

    @property
    def pixel_side(self) -> float:
        """The side of a square pixel of the same area, in units of the crs."""
        a, b, _, d, e, _ = self.transform
        return math.sqrt(abs(a * e - b * d))

    def corner(self, column: float, row: float) -> tuple[float, float]:
        """Return (x, y) of the upper-left corner of a pixel, in units of the crs."""
        a, b, c, d, e, f = self.transform
        return a * column + b * row + c, d * column + e * row + f

    def window(self, column: int, row: int, width: int, height: int) -> PixelGrid:
        """Return the grid of ``width`` x ``height`` of the pixels, from (column, row)."""
        a, b, _, d, e, _ = self.transform
        x, y = self.corner(column, row)
        return PixelGrid(self.crs, (a, b, x, d, e, y), width, height)

    def around(self, other: PixelGrid) -> PixelGrid | None:
        """Return the smallest grid that contains both; None if they are not on one lattice."""
        if not other.is_on_lattice_of(self.transform) or not self.is_in(other.crs):
            return None
        column, row = (round(steps) for steps in self._steps_to(other.corner(0, 0)))
        left, top = min(0, column), min(0, row)
        right = max(self.width, column + other.width)
        bottom = max(self.height, row + other.height)
        return self.window(left, top, right - left, bottom - top)

    def _steps_to(self, corner: tuple[float, float]) -> tuple[float, float]:
        """Return (columns, rows) from the upper-left corner to a point in units of the crs."""
        a, b, c, d, e, f = self.transform
        x, y = corner[0] - c, corner[1] - f
        determinant = a * e - b * d
        return (e * x - b * y) / determinant, (a * y - d * x) / determinant

    def outline(self, points_per_side: int = 21) -> list[tuple[float, float]]:
        """Return the closed ring of the grid's edge as (x, y), with points along each side.

        :param points_per_side: more than 1, because a straight edge may be curved in another crs.
        """
        steps = [index / points_per_side for index in range(points_per_side)]
        top = [(self.width * step, 0.0) for step in steps]
        right = [(float(self.width), self.height * step) for step in steps]
        bottom = [(self.width * (1 - step), float(self.height)) for step in steps]
        left = [(0.0, self.height * (1 - step)) for step in steps]
        ring = [self.corner(column, row) for column, row in top + right + bottom + left]
        return [*ring, ring[0]]

    def is_in(self, crs: str) -> bool:
        """Return whether a name means the grid's crs."""
        if crs == self.crs:
            return True
        from airflow_provider.earthengine.download.crs import resolve_crs

        return self.is_alike_in(resolve_crs(self.crs), resolve_crs(crs))

    def is_alike_in(self, one: Any, other: Any) -> bool:
        """Return whether two crs of rasterio put the grid's pixels in the same places."""
        from airflow_provider.earthengine.download.crs import is_same_crs

        a, b, _, d, e, _ = self.transform
        points = [
            self.corner(self.width * column / 4, self.height * row / 4)
            for row in range(5)
            for column in range(5)
        ]
        side = min(math.hypot(a, d), math.hypot(b, e))
        return is_same_crs(one, other, points, _PIXEL_TOLERANCE * side)

    def outline_in(self, crs: str) -> dict[str, Any] | None:
        """Return the outline as a GeoJSON geometry in another crs, split at the antimeridian.

        :return: None if the outline does not exist in that crs, or PROJ lacks one of the two.
        """
        from rasterio._err import CPLE_BaseError  # What a failed transformation raises; not public.
        from rasterio.errors import CRSError, RasterioError
        from rasterio.warp import transform_geom

        from airflow_provider.earthengine.download.crs import resolve_crs

        source, target = resolve_crs(self.crs), resolve_crs(crs)
        if not source or not target:
            return None
        outline = {"type": "Polygon", "coordinates": [self.outline()]}
        try:
            geometry = transform_geom(source, target, outline)
        except (RasterioError, CRSError, CPLE_BaseError, SystemError):
            # rasterio raises SystemError if GDAL fails without a message.
            return None
        return dict(geometry) if _is_finite(geometry["coordinates"]) else None

    def is_on_lattice_of(self, transform: tuple[float, ...]) -> bool:
        """Return whether the pixels lie on the lattice that ``transform`` defines.

        :param transform: affine terms a b c d e f.
        """
        a, b, c, d, e, f = transform
        lattice = PixelGrid("", (a, b, c, d, e, f), 1, 1)
        if not (self.is_placed and lattice.is_placed):
            return False
        mine = self.transform
        tolerance = _RELATIVE_TOLERANCE * max(abs(a), abs(b), abs(d), abs(e))
        if any(
            abs(got - wanted) > tolerance
            for got, wanted in zip(mine[:2] + mine[3:5], (a, b, d, e), strict=True)
        ):
            return False
        steps = lattice._steps_to((mine[2], mine[5]))
        return all(
            math.isfinite(each) and abs(each - round(each)) < _PIXEL_TOLERANCE for each in steps
        )

    def is_close_to(self, other: PixelGrid) -> bool:
        """Return whether both grids have the same pixels, except for rounding of the terms."""
        return (
            (self.width, self.height) == (other.width, other.height)
            and self.is_on_lattice_of(other.transform)
            and math.dist(self.corner(0, 0), other.corner(0, 0))
            < _PIXEL_TOLERANCE * math.dist(other.corner(0, 0), other.corner(1, 1))
        )

    def __str__(self) -> str:
        """Return the grid for logs and errors."""
        a, b, c, d, e, f = self.transform
        pixel = f"{a:.10g} x {e:.10g}" if b == d == 0 else f"{a:.10g} {b:.10g} {d:.10g} {e:.10g}"
        return (
            f"{self.width} x {self.height} px of {pixel} at ({c:.10g}, {f:.10g}) in {self.crs[:40]}"
        )


def _is_finite(coordinates: Any) -> bool:
    if isinstance(coordinates, int | float):
        return math.isfinite(coordinates)
    return all(_is_finite(item) for item in coordinates)
