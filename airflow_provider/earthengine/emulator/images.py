"""Images as values: bands that know their type, projection and footprint, and compute lazily."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from airflow_provider.earthengine.emulator.grids import Footprint, PixelGrid
from airflow_provider.earthengine.emulator.pixels import PixelSource
from airflow_provider.earthengine.emulator.projections import Projection

_PRECISIONS = {"float32": "float", "float64": "double"}


@dataclass(frozen=True)
class PixelType:
    """What a band's values are.

    :param dtype: the numpy name of the type that holds them, for example ``uint16``.
    :param minimum: the smallest value if it is known to be inside the type's own range.
    :param maximum: the largest, likewise.
    """

    dtype: str
    minimum: float | None = None
    maximum: float | None = None

    @property
    def numpy(self) -> np.dtype[np.generic]:
        return np.dtype(self.dtype)

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


@dataclass(frozen=True, eq=False)
class Band:
    """One band.

    :param projection: its default projection, on which it is downloaded unless told otherwise.
    :param footprint: where it has pixels; None if everywhere.
    """

    id: str
    pixel_type: PixelType
    projection: Projection
    footprint: Footprint | None
    source: PixelSource

    def grid(self) -> PixelGrid | None:
        """Returns the pixels of the band in its default projection; None if unbounded."""
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

    :param id: the asset it was loaded from, kept as long as it is only selected from, clipped
        and projected; None for computed images.
    """

    bands: tuple[Band, ...]
    properties: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    version: int | None = None

    def band_ids(self) -> list[str]:
        return [band.id for band in self.bands]

    def as_json(self) -> dict[str, Any]:
        """Returns what ``getInfo()`` shows of it."""
        document: dict[str, Any] = {"type": "Image"}
        if self.id is not None:
            document["id"] = self.id
        if self.version is not None:
            document["version"] = self.version
        document["bands"] = [band.as_json() for band in self.bands]
        if self.properties:
            document["properties"] = dict(self.properties)
        return document
