"""Verified pieces of a raster -> a COG, written and sent while pieces still arrive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.download.raster.canvas import Canvas
from airflow_provider.earthengine.download.raster.cog_parts import PartSink, SentCog
from airflow_provider.earthengine.download.raster.cog_tags import CogDescription
from airflow_provider.earthengine.download.raster.cog_writer import CogWriter
from airflow_provider.earthengine.download.raster.decode import DecodedRaster
from airflow_provider.earthengine.download.raster.facts import RasterFacts, mismatch
from airflow_provider.earthengine.download.raster.integrity import reading_errors_as_truncated
from airflow_provider.earthengine.download.raster.masked_pixels import nodata_of_cog
from airflow_provider.earthengine.download.raster.placement import is_named_by, place_raster

# Of a raster that came whole, so much is in memory at a time.
_COPIED_BYTE_COUNT = 32 << 20


@dataclass(frozen=True)
class CogForm:
    """What COGs are like, whatever their pixels.

    :param compression: one of ``layout.COMPRESSIONS``.
    :param tags: of the file, for example Earth Engine's properties of the image.
    """

    compression: str
    tags: Mapping[str, str]


class CogCanvas(Canvas):
    """A COG that is written piece by piece, by several threads at a time.

    :param path: a directory, for what waits to be sent.
    :param sink: takes the file.
    """

    def __init__(
        self, path: Path, plan: RasterPlan, grid: PixelGrid, form: CogForm, sink: PartSink
    ) -> None:
        super().__init__(path, plan, grid)
        self._form = form
        self._sink = sink
        self._dtype = ""
        self._writer: CogWriter | None = None
        self._sent: SentCog | None = None

    @property
    def sent(self) -> SentCog:
        """The file, once it is finished."""
        if self._sent is None:
            raise ValueError("The COG is not finished.")
        return self._sent

    def send_again(self, sink: PartSink) -> None:
        """Send the finished file once more."""
        self._open_writer.send_again(sink)

    @property
    def _open_writer(self) -> CogWriter:
        if self._writer is None:
            raise ValueError("Nothing was written to the COG.")
        return self._writer

    def _begin(self, raster: DecodedRaster, places: Mapping[int, int]) -> None:
        self._dtype = raster.array.dtype.name
        self._placed = place_raster(self._plan, self._grid, raster.crs)
        description = CogDescription(
            self._placed.grid,
            self._placed.crs,
            self._dtype,
            self._nodata_of(raster),
            tuple(band.id for band in self._plan.bands),
            self._form.tags,
        )
        sample = [raster.band(position) for position in places]
        self._writer = CogWriter(description, self._form.compression, self.path, self._sink, sample)

    def _check(self, raster: DecodedRaster) -> None:
        # The writer compares the dtype.
        placed = self._placed
        if raster.crs != placed.crs and not is_named_by(self._grid, self._plan.crs, raster.crs):
            raise mismatch("crs", placed.crs, raster.crs)

    def _write(
        self, raster: DecodedRaster, column: int, row: int, places: Mapping[int, int]
    ) -> None:
        for position, index in places.items():
            pixels = raster.band(position)[np.newaxis]
            self._open_writer.write_tile(column, row, index - 1, pixels)

    def _nodata_of(self, raster: DecodedRaster) -> float | None:
        return nodata_of_cog(raster.array.dtype.name, super()._nodata_of(raster))

    def _dtypes(self) -> list[str]:
        return [self._dtype] * len(self._plan.bands)

    def finish(self) -> None:
        """Send the rest of the file."""
        self._sent = self._open_writer.finish()

    def close(self) -> None:
        """Remove what was written, whether it is finished or not."""
        if self._writer is not None:
            self._writer.close()


def copy_to_canvas(raster: RasterFacts, canvas: CogCanvas) -> None:
    """Write a GeoTIFF that came whole, some of its bands and rows of blocks at a time."""
    with (
        reading_errors_as_truncated("The GeoTIFF", raster.path),
        rasterio.open(raster.path, driver="GTiff") as served,
    ):
        band_byte_count = served.width * BLOCK_SIDE * np.dtype(served.dtypes[0]).itemsize
        count = max(1, _COPIED_BYTE_COUNT // band_byte_count)
        transform = tuple(served.transform)[:6]
        for top in range(0, served.height, BLOCK_SIDE):
            window = Window(0, top, served.width, min(BLOCK_SIDE, served.height - top))
            for first in range(1, served.count + 1, count):
                indexes = list(served.indexes)[first - 1 : first - 1 + count]
                pixels = served.read(indexes, window=window)
                piece = DecodedRaster(pixels, transform, served.crs, raster.bands[0].nodata)
                canvas.write(piece, 0, top, dict(enumerate(indexes)))
