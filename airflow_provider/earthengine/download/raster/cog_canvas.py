"""Verified pieces of a raster -> a COG, written and sent while pieces still arrive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.download.raster.block_canvas import BlockCanvas, CogForm
from airflow_provider.earthengine.download.raster.cog_parts import PartSink, SentCog
from airflow_provider.earthengine.download.raster.cog_tags import CogDescription
from airflow_provider.earthengine.download.raster.cog_writer import CogWriter
from airflow_provider.earthengine.download.raster.decode import DecodedRaster
from airflow_provider.earthengine.download.raster.facts import RasterFacts
from airflow_provider.earthengine.download.raster.integrity import reading_errors_as_truncated

# Of a raster that came whole, so much is in memory at a time.
_COPIED_BYTE_COUNT = 32 << 20


class CogCanvas(BlockCanvas):
    """A COG that is written piece by piece, by several threads at a time.

    :param path: a directory, for what waits to be sent.
    :param sink: takes the file.
    """

    def __init__(
        self, path: Path, plan: RasterPlan, grid: PixelGrid, form: CogForm, sink: PartSink
    ) -> None:
        super().__init__(path, plan, grid, form)
        self._sink = sink
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

    def read_smallest(self, band: int) -> npt.NDArray[np.generic] | None:
        """Return a band of the smallest level, see :meth:`CogBlocks.read_smallest`."""
        return self._open_writer.read_smallest(band)

    @property
    def _open_writer(self) -> CogWriter:
        if self._writer is None:
            raise ValueError("Nothing was written to the COG.")
        return self._writer

    def _open(
        self, description: CogDescription, sample: Sequence[npt.NDArray[np.generic]] | None
    ) -> None:
        compression = self._form.compression
        self._writer = CogWriter(description, compression, self.path, self._sink, sample)

    def _write_band(
        self, column: int, row: int, band: int, pixels: npt.NDArray[np.generic]
    ) -> None:
        self._open_writer.write_tile(column, row, band, pixels)

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
