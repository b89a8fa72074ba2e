"""Where the pieces of a raster come together, in any order: an NPY file, or a COG (`cog_canvas`).

Statistics are gathered while the pixels pass, so that nothing is read again for them.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.raster.decode import DecodedRaster
from airflow_provider.earthengine.download.raster.facts import (
    BandFacts,
    RasterFacts,
    StatisticsGatherer,
    mismatch,
    unmet_dtypes,
)
from airflow_provider.earthengine.download.raster.placement import place_array


class Canvas(ABC):
    """A raster that is written piece by piece, by several threads.

    :param path: the file, or where it is worked on; the first piece says what the bands are.
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
        with self._lock:
            if not self._gatherers:
                self._begin(raster, places)
                nodata = self._nodata_of(raster)
                self._gatherers = [StatisticsGatherer(nodata) for _ in self._plan.bands]
            self._check(raster)
        self._write(raster, column, row, places)
        with self._lock:
            for index, gatherer in gathered.items():
                self._gatherers[index - 1].merge(gatherer)

    def _gather(self, raster: DecodedRaster, position: int) -> StatisticsGatherer:
        gatherer = StatisticsGatherer(self._nodata_of(raster))
        gatherer.add(raster.band(position))
        return gatherer

    def describe(self) -> RasterFacts:
        """Return the facts of the raster, once all of it is written."""
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

    @abstractmethod
    def finish(self) -> None:
        """Complete the file, once all of it is written.

        :raises OSError: if not all of it could be written to disk.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the file, whether it is finished or not."""

    @abstractmethod
    def _begin(self, raster: DecodedRaster, places: Mapping[int, int]) -> None: ...

    @abstractmethod
    def _check(self, raster: DecodedRaster) -> None: ...

    @abstractmethod
    def _write(
        self, raster: DecodedRaster, column: int, row: int, places: Mapping[int, int]
    ) -> None: ...

    @abstractmethod
    def _dtypes(self) -> list[str]: ...


class NpyCanvas(Canvas):
    """An NPY file of records, one field per band, as Earth Engine sends it for a small raster."""

    def __init__(self, path: Path, plan: RasterPlan, grid: PixelGrid) -> None:
        super().__init__(path, plan, grid)
        self._file: Any = None
        self._start = 0
        self._dtype: np.dtype[Any] = np.dtype(
            [(band.id, np.dtype(band.dtype).newbyteorder("<")) for band in plan.bands]
        )

    def _begin(self, raster: DecodedRaster, places: Mapping[int, int]) -> None:
        if len(places) == len(self._plan.bands):
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
        with self._lock:  # Of the file's position.
            for line in range(raster.height):
                pixel = (row + line) * self._grid.width + column
                self._file.seek(self._start + pixel * self._dtype.itemsize)
                records = raster.array[line]
                if len(places) < len(self._plan.bands):
                    records = self._merged(raster.array.dtype.names or (), records)
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

    def finish(self) -> None:
        """Write what is still buffered."""
        self.close()

    def close(self) -> None:
        """Write what is still buffered, and close the file."""
        if self._file is not None:
            self._file.close()
