"""Verified pieces of a raster -> the blocks of its COG, or of some rows of it.

The first piece says what the file itself names: type, crs and nodata value.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.raster.canvas import Canvas
from airflow_provider.earthengine.download.raster.cog_tags import BandLook, CogDescription
from airflow_provider.earthengine.download.raster.decode import DecodedRaster
from airflow_provider.earthengine.download.raster.facts import mismatch
from airflow_provider.earthengine.download.raster.masked_pixels import nodata_of_cog
from airflow_provider.earthengine.download.raster.placement import is_named_by, place_raster


@dataclass(frozen=True)
class CogForm:
    """What COGs are like, whatever their pixels.

    :param compression: one of ``layout.COMPRESSIONS``.
    :param tags: of the file, for example Earth Engine's properties of the image.
    :param looks: of bands, by their ids.
    """

    compression: str
    tags: Mapping[str, str]
    looks: Mapping[str, BandLook] = field(default_factory=dict)


@dataclass(frozen=True)
class NamedFacts:
    """What the pieces of a raster say about all of it.

    :param crs: rasterio's, as they name it; None for none.
    :param nodata: of the COG.
    """

    dtype: str
    crs: Any
    nodata: float | None


class BlockCanvas(Canvas):
    """A canvas whose blocks are encoded piece by piece, by several threads at a time.

    :param path: a directory, for what waits.
    """

    def __init__(self, path: Path, plan: RasterPlan, grid: PixelGrid, form: CogForm) -> None:
        super().__init__(path, plan, grid)
        self._form = form
        self._named = NamedFacts("", None, None)

    def _begin(self, raster: DecodedRaster, places: Mapping[int, int]) -> None:
        named = NamedFacts(raster.array.dtype.name, raster.crs, self._nodata_of(raster))
        self._open(self._describe(named), [raster.band(position) for position in places])

    def _describe(self, named: NamedFacts) -> CogDescription:
        """Return the description of the COG, now that the pieces' facts are known.

        :raises RasterMismatchError: if they are not what was requested.
        """
        self._named = named
        self._placed = place_raster(self._plan, self._grid, named.crs)
        return CogDescription(
            self._placed.grid,
            self._placed.crs,
            named.dtype,
            named.nodata,
            tuple(band.id for band in self._plan.bands),
            self._form.tags,
            self._form.looks,
        )

    @abstractmethod
    def _open(
        self, description: CogDescription, sample: Sequence[npt.NDArray[np.generic]] | None
    ) -> None: ...

    @abstractmethod
    def _write_band(
        self, column: int, row: int, band: int, pixels: npt.NDArray[np.generic]
    ) -> None: ...

    def _check(self, raster: DecodedRaster) -> None:
        # The blocks' writer compares the dtype.
        placed = self._placed
        if raster.crs != placed.crs and not is_named_by(self._grid, self._plan.crs, raster.crs):
            raise mismatch("crs", placed.crs, raster.crs)

    def _write(
        self, raster: DecodedRaster, column: int, row: int, places: Mapping[int, int]
    ) -> None:
        for position, index in places.items():
            self._write_band(column, row, index - 1, raster.band(position)[np.newaxis])

    def _nodata_of(self, raster: DecodedRaster) -> float | None:
        return nodata_of_cog(raster.array.dtype.name, super()._nodata_of(raster))

    def _dtypes(self) -> list[str]:
        return [self._named.dtype] * len(self._plan.bands)
