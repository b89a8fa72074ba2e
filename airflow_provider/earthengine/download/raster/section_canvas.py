"""Some rows of a raster's blocks -> what has to be known of them to put all rows together.

The same canvas takes verified tiles, where some of the rows are made, and what others have made of
theirs, where all are put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.enums import WktVersion

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.raster.block_canvas import (
    BlockCanvas,
    CogForm,
    NamedFacts,
)
from airflow_provider.earthengine.download.raster.cog_blocks import CogBlocks
from airflow_provider.earthengine.download.raster.cog_tags import CogDescription
from airflow_provider.earthengine.download.raster.facts import StatisticsGatherer


@dataclass(frozen=True)
class SectionFacts:
    """What the tiles of a section say, as plain values.

    :param crs: as WKT; None for none.
    :param figures: of each band of the raster, see :class:`StatisticsGatherer`.
    """

    dtype: str
    crs: str | None
    nodata: float | None
    figures: tuple[tuple[float, ...], ...]

    def is_alike(self, other: SectionFacts) -> bool:
        """Return whether the tiles of another section are of the same raster."""
        # As text, because NaN is not equal to itself.
        mine, others = ((each.dtype, each.crs, str(each.nodata)) for each in (self, other))
        return mine == others


class SectionCanvas(BlockCanvas):
    """A canvas for some rows of blocks.

    Each section is encoded with the predictor that goes with the type: none of them sees pixels of
    the others, and a COG has one predictor.

    :param path: a directory.
    """

    def __init__(self, path: Path, plan: RasterPlan, grid: PixelGrid, form: CogForm) -> None:
        super().__init__(path, plan, grid, form)
        self._blocks: CogBlocks | None = None

    @property
    def blocks(self) -> CogBlocks:
        """The encoded blocks."""
        if self._blocks is None:
            raise ValueError("Nothing was written to the section.")
        return self._blocks

    def facts(self) -> SectionFacts:
        """Return what the tiles say."""
        crs = self._named.crs
        return SectionFacts(
            self._named.dtype,
            crs.to_wkt(version=WktVersion.WKT2_2019) if crs else None,
            self._named.nodata,
            tuple(gatherer.figures for gatherer in self._gatherers),
        )

    def begin(self, facts: SectionFacts) -> None:
        """Begin with what a section says, instead of with a tile.

        :raises RasterMismatchError: if it is not what was requested.
        """
        crs = CRS.from_wkt(facts.crs) if facts.crs else None
        self._open(self._describe(NamedFacts(facts.dtype, crs, facts.nodata)), None)
        self._gatherers = [StatisticsGatherer(facts.nodata) for _ in self._plan.bands]

    def add_figures(self, figures: Sequence[Sequence[float]]) -> None:
        """Add the statistics of a section."""
        for gatherer, each in zip(self._gatherers, figures, strict=True):
            gatherer.add_figures(each)

    def _open(
        self, description: CogDescription, _: Sequence[npt.NDArray[np.generic]] | None
    ) -> None:
        self._blocks = CogBlocks(description, self._form.compression, self.path)

    def _write_band(
        self, column: int, row: int, band: int, pixels: npt.NDArray[np.generic]
    ) -> None:
        self.blocks.write_tile(column, row, band, pixels)

    def finish(self) -> None:
        """Remove what only incomplete blocks need."""
        self.blocks.finish()

    def close(self) -> None:
        """Remove the files."""
        if self._blocks is not None:
            self._blocks.close()
