"""Pieces of a raster, in any order -> one raster on disk.

A GeoTIFF's canvas is itself a GeoTIFF, uncompressed, in blocks, band after band, from which the COG
is made; an array's canvas is the final NPY file. Statistics are gathered while the pieces are
written, so that nothing is read again for them.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.download.raster.decode import DecodedRaster
from airflow_provider.earthengine.download.raster.facts import (
    BandFacts,
    RasterFacts,
    StatisticsGatherer,
    mismatch,
    unmet_dtypes,
)
from airflow_provider.earthengine.download.raster.integrity import (
    check_written,
    writing_errors_as_scratch,
)
from airflow_provider.earthengine.download.raster.masked_pixels import as_stored, nodata_of_cog
from airflow_provider.earthengine.download.raster.placement import (
    Placement,
    is_named_by,
    place_array,
    place_raster,
)

# Small, because tiles rarely end at block edges, and a block that two tiles share is written, read
# back and written again.
_BLOCK_ROWS = 128


class Canvas(ABC):
    """A raster that several threads write piece by piece, one thread at a time.

    :param path: the file; it is created with the first piece, which defines the bands.
    """

    def __init__(self, path: Path, plan: RasterPlan, grid: PixelGrid) -> None:
        self.path = path
        self._plan = plan
        self._grid = grid
        self._placed = place_array(grid)
        self._lock = threading.Lock()
        self._gatherers: list[StatisticsGatherer] = []

    def write(
        self, raster: DecodedRaster, column: int, row: int, places: Mapping[int, int]
    ) -> None:
        """Write a piece.

        :param column: its left edge; ``row`` is its top edge.
        :param places: maps the 0-based positions of the piece's bands to write to the 1-based
            indexes of this raster's bands.
        :raises RasterMismatchError: if it does not match the earlier pieces.
        """
        gathered = {index: self._gather(raster, position) for position, index in places.items()}
        with self._lock, writing_errors_as_scratch(self.path):
            if not self._gatherers:
                self._begin(raster)
                nodata = self._nodata_of(raster)
                self._gatherers = [StatisticsGatherer(nodata) for _ in self._plan.bands]
            self._check(raster)
            self._write(raster, column, row, places)
            for index, gatherer in gathered.items():
                self._gatherers[index - 1].merge(gatherer)

    def _gather(self, raster: DecodedRaster, position: int) -> StatisticsGatherer:
        gatherer = StatisticsGatherer(self._nodata_of(raster))
        gatherer.add(raster.band(position))
        return gatherer

    def finish(self) -> RasterFacts:
        """Return the facts of the raster, once all of it is written.

        :raises ScratchError: if not all of it could be written to disk.
        """
        with writing_errors_as_scratch(self.path):
            self._complete()
        pixels = self._grid.width * self._grid.height
        for gatherer in self._gatherers or [StatisticsGatherer(None)]:
            if gatherer.pixel_count != pixels:
                raise mismatch("pixels", f"{pixels:,}", f"{gatherer.pixel_count:,}")
        bands = tuple(
            BandFacts(band.id, dtype, gatherer.nodata, gatherer.statistics())
            for band, dtype, gatherer in zip(
                self._plan.bands, self._dtypes(), self._gatherers, strict=True
            )
        )
        warnings = self._placed.warnings + unmet_dtypes(self._plan, bands)
        return RasterFacts(self.path, self._plan, self._placed.grid, bands, warnings)

    def _nodata_of(self, raster: DecodedRaster) -> float | None:
        return raster.nodata if self._plan.nodata is None else self._plan.nodata

    def _complete(self) -> None:
        """Write what is not on disk yet, and check that it is there."""
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close the file, whether it is finished or not."""

    @abstractmethod
    def _begin(self, raster: DecodedRaster) -> None: ...

    @abstractmethod
    def _check(self, raster: DecodedRaster) -> None: ...

    @abstractmethod
    def _write(
        self, raster: DecodedRaster, column: int, row: int, places: Mapping[int, int]
    ) -> None: ...

    @abstractmethod
    def _dtypes(self) -> list[str]: ...


class GeoTiffCanvas(Canvas):
    """An uncompressed GeoTIFF with the band names, nodata and tags of the COG.

    :param tags: of the whole file, for example Earth Engine's properties of the image.
    """

    def __init__(
        self, path: Path, plan: RasterPlan, grid: PixelGrid, tags: Mapping[str, str]
    ) -> None:
        super().__init__(path, plan, grid)
        self._tags = tags
        self._dataset: Any = None
        self._dtype = ""

    def _begin(self, raster: DecodedRaster) -> None:
        self._dtype = raster.array.dtype.name
        self._placed = place_raster(self._plan, self._grid, raster.crs)
        self._dataset = _create_geotiff(
            self.path, self._plan, self._placed, self._dtype, self._nodata_of(raster), self._tags
        )

    def _check(self, raster: DecodedRaster) -> None:
        if raster.array.dtype.name != self._dtype:
            raise mismatch("dtype", self._dtype, raster.array.dtype.name)
        placed = self._placed
        if raster.crs != placed.crs and not is_named_by(self._grid, self._plan.crs, raster.crs):
            raise mismatch("crs", placed.crs, raster.crs)

    def _write(
        self, raster: DecodedRaster, column: int, row: int, places: Mapping[int, int]
    ) -> None:
        window = Window(column, row, raster.width, raster.height)
        nodata = self._nodata_of(raster)
        for position, index in places.items():
            self._dataset.write(as_stored(raster.band(position), nodata), index, window=window)

    def _nodata_of(self, raster: DecodedRaster) -> float | None:
        return nodata_of_cog(raster.array.dtype.name, super()._nodata_of(raster))

    def _dtypes(self) -> list[str]:
        return [self._dtype] * len(self._plan.bands)

    def _complete(self) -> None:
        # GDAL reports a block that it failed to write at the next read of its band.
        for index in range(1, len(self._plan.bands) + 1):
            self._dataset.read(index, window=Window(0, 0, 1, 1))
        self.close()
        check_written(self.path)

    def close(self) -> None:
        """Write what GDAL still holds, and close the file."""
        if self._dataset is not None:
            self._dataset.close()


def copy_to_canvas(raster: RasterFacts, path: Path, tags: Mapping[str, str]) -> None:
    """Copy a GeoTIFF that was fetched whole to a canvas, one row of blocks at a time."""
    with (
        writing_errors_as_scratch(path),
        rasterio.open(raster.path, driver="GTiff") as served,
    ):
        grid = PixelGrid("", tuple(served.transform)[:6], served.width, served.height)
        placed = place_raster(raster.plan, grid, served.crs)
        dtype = served.dtypes[0]
        nodata = nodata_of_cog(dtype, raster.bands[0].nodata)
        with _create_geotiff(path, raster.plan, placed, dtype, nodata, tags) as canvas:
            for top in range(0, served.height, BLOCK_SIDE):
                rows = min(BLOCK_SIDE, served.height - top)
                window = Window(0, top, served.width, rows)
                canvas.write(as_stored(served.read(window=window), nodata), window=window)
    check_written(path)


def _create_geotiff(
    path: Path,
    plan: RasterPlan,
    placed: Placement,
    dtype: str,
    nodata: float | None,
    tags: Mapping[str, str],
) -> DatasetWriter:
    grid = placed.grid
    dataset = rasterio.open(
        path,
        "w+",
        driver="GTiff",
        width=grid.width,
        height=grid.height,
        count=len(plan.bands),
        dtype=dtype,
        crs=placed.crs,
        transform=rasterio.Affine(*grid.transform),
        nodata=nodata,
        tiled=True,
        blockxsize=BLOCK_SIDE,
        blockysize=_BLOCK_ROWS,
        interleave="band",
        bigtiff="IF_SAFER",
    )
    dataset.update_tags(**tags)
    for index, band in enumerate(plan.bands, start=1):
        dataset.set_band_description(index, band.id)
    return dataset


class NpyCanvas(Canvas):
    """An NPY file of records, one field per band, as Earth Engine sends it for a small raster."""

    def __init__(self, path: Path, plan: RasterPlan, grid: PixelGrid) -> None:
        super().__init__(path, plan, grid)
        self._file: Any = None
        self._start = 0
        self._dtype: np.dtype[Any] = np.dtype(
            [(band.id, np.dtype(band.dtype).newbyteorder("<")) for band in plan.bands]
        )

    def _begin(self, raster: DecodedRaster) -> None:
        if raster.band_count == len(self._plan.bands):
            self._dtype = raster.array.dtype
        self._file = self.path.open("w+b")
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._grid.height, self._grid.width),
        }
        np.lib.format.write_array_header_1_0(self._file, header)
        self._start = self._file.tell()

    def _check(self, raster: DecodedRaster) -> None:
        for name in raster.array.dtype.names or ():
            got = raster.array.dtype[name]
            if got != self._dtype[name]:
                raise mismatch(f"field {name}", self._dtype[name].str, got.str)

    def _write(
        self, raster: DecodedRaster, column: int, row: int, places: Mapping[int, int]
    ) -> None:
        names = raster.array.dtype.names or ()
        for line in range(raster.height):
            pixel = (row + line) * self._grid.width + column
            self._file.seek(self._start + pixel * self._dtype.itemsize)
            records = raster.array[line]
            if len(places) < len(self._plan.bands):
                records = self._merged(names, records)
            self._file.write(records.tobytes())

    def _merged(self, names: tuple[str, ...], records: Any) -> Any:
        """Return the records already in the file, with the given fields replaced."""
        place = self._file.tell()
        byte_count = len(records) * self._dtype.itemsize
        there = np.frombuffer(
            bytearray(self._file.read(byte_count).ljust(byte_count, b"\0")), self._dtype
        )
        for name in names:
            there[name] = records[name]
        self._file.seek(place)
        return there

    def _dtypes(self) -> list[str]:
        return [self._dtype[band.id].name for band in self._plan.bands]

    def close(self) -> None:
        """Write what is still buffered, and close the file."""
        if self._file is not None:
            self._file.close()
