"""Images as values: bands with their type, projection and footprint, computed lazily."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from airflow_provider.earthengine.emulator.values.grids import Footprint, PixelGrid
from airflow_provider.earthengine.emulator.values.pixels import Pixels, PixelSource
from airflow_provider.earthengine.emulator.values.projections import Projection

_PRECISIONS = {"float32": "float", "float64": "double"}
_INTEGER_TYPES = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
    "uint32": (0, 4294967295),
    "int32": (-2147483648, 2147483647),
}


@dataclass(frozen=True)
class PixelType:
    """The type of a band's values.

    :param dtype: numpy's name of the type, for example ``uint16``.
    :param minimum: the smallest value, if it is known to be inside the type's own range.
    :param maximum: the largest, likewise.
    """

    dtype: str
    minimum: float | None = None
    maximum: float | None = None

    @property
    def numpy(self) -> np.dtype[np.generic]:
        return np.dtype(self.dtype)

    @property
    def is_integer(self) -> bool:
        return self.dtype not in _PRECISIONS

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest possible value."""
        if not self.is_integer:
            return (-math.inf, math.inf) if self.minimum is None else (self.minimum, self.top)
        limits = np.iinfo(self.dtype)
        low = limits.min if self.minimum is None else self.minimum
        return low, limits.max if self.maximum is None else self.maximum

    @property
    def top(self) -> float:
        return math.inf if self.maximum is None else self.maximum

    def as_json(self) -> dict[str, object]:
        if self.dtype in _PRECISIONS:
            document: dict[str, object] = {
                "type": "PixelType",
                "precision": _PRECISIONS[self.dtype],
            }
            if self.minimum is not None:
                document |= {"min": self.minimum, "max": self.maximum}
            return document
        limits = np.iinfo(self.dtype)
        return {
            "type": "PixelType",
            "precision": "int",
            "min": limits.min if self.minimum is None else self.minimum,
            "max": limits.max if self.maximum is None else self.maximum,
        }


def integer_type(low: float, high: float) -> PixelType:
    """Return the smallest integer type for a range; 64-bit floats if 32 bits are not enough."""
    for dtype, (least, greatest) in _INTEGER_TYPES.items():
        if least <= low and high <= greatest:
            return PixelType(dtype, low, high)
    return PixelType("float64")


def union_of(types: Sequence[PixelType]) -> PixelType:
    """Return the type that holds all values of several types.

    For integers and floats, it is the widest of the floats: the precisions are ordered.
    """
    floats = [kind.dtype for kind in types if not kind.is_integer]
    if floats:
        return PixelType(max(floats))
    if len({kind.dtype for kind in types}) == 1:
        ranges = {(kind.minimum, kind.maximum) for kind in types}
        if len(ranges) == 1:
            return types[0]
    lows, highs = zip(*(kind.bounds for kind in types), strict=True)
    return integer_type(min(lows), max(highs))


@dataclass(frozen=True, eq=False)
class Band:
    """One band.

    :param projection: its default projection, in which it is downloaded by default.
    :param footprint: where it has pixels; None if everywhere.
    :param is_cast: whether its type results from a cast, which the nodata tag of floats shows.
    """

    id: str
    pixel_type: PixelType
    projection: Projection
    footprint: Footprint | None
    source: PixelSource
    is_cast: bool = False

    def render(self, grid: PixelGrid) -> Pixels:
        """Return the pixels of a grid in the band's own type."""
        return self.source.render(grid, self.pixel_type.numpy)

    def grid(self) -> PixelGrid | None:
        """Return the pixels of the band in its default projection; None if unbounded."""
        if self.footprint is None:
            return None
        box = self.footprint.box_in(self.projection)
        if box is None:
            return None
        whole = box.snapped()
        corner = self.projection.offset(whole.left, whole.top)
        return PixelGrid(corner, whole.width, whole.height)

    def as_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"id": self.id, "data_type": self.pixel_type.as_json()}
        grid = self.grid()
        if grid is not None:
            document["dimensions"] = [grid.width, grid.height]
            origin = grid.offset_in(self.projection)
            if origin not in {None, (0, 0)}:
                document["origin"] = origin
        return document | self.projection.as_json()


@dataclass(frozen=True, eq=False)
class Image:
    """An image.

    :param id: the asset it was loaded from, kept by selecting, clipping and reprojecting; None for
        computed images.
    """

    bands: tuple[Band, ...]
    properties: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    version: int | None = None

    def band_ids(self) -> list[str]:
        return [band.id for band in self.bands]

    def as_json(self) -> dict[str, Any]:
        """Return what ``getInfo()`` shows of it."""
        document: dict[str, Any] = {"type": "Image"}
        if self.id is not None:
            document["id"] = self.id
        if self.version is not None:
            document["version"] = self.version
        document["bands"] = [band.as_json() for band in self.bands]
        if self.properties:
            document["properties"] = dict(self.properties)
        return document
