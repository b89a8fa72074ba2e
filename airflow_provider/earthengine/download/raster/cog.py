"""Canvas -> cloud-optimised GeoTIFF, by GDAL's driver, in a separate thread.

The work is one long call that Python cannot interrupt, but waiting for it can be: a cancelled
download leaves the thread behind, which ends with its process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.enums import Resampling

from airflow_provider.earthengine.download.fields.layout import DEFLATE, LZW, NONE, ZSTD
from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.download.raster.integrity import (
    check_written,
    writing_errors_as_scratch,
)
from airflow_provider.earthengine.download.transport.connections import Cancellation

CACHE_MEBIBYTES = 16
"""GDAL's block cache, for the whole process; its default is a twentieth of the memory."""

Watch = Callable[[Path], None]

_GLANCE_SECONDS = 0.2
# Two threads write deflate about as fast as it can be uploaded. Each holds several blocks of all
# bands; if those are larger than this, use one thread.
_THREADS = 2
_SHARED_BLOCK_BYTE_COUNT = 8 << 20
# With GDAL's default of 10 MB, overviews of 13 bands take 70 MiB more, and no less time.
_OVERVIEW_CHUNK_BYTE_COUNT = 5_000_000

# Measured in docs/performance.md: levels above these cost time and gain nothing on noise.
_COMPRESSION_OPTIONS: dict[str, dict[str, Any]] = {
    DEFLATE: {"COMPRESS": "DEFLATE", "LEVEL": 1, "PREDICTOR": "YES"},
    ZSTD: {"COMPRESS": "ZSTD", "LEVEL": 1, "PREDICTOR": "YES"},
    LZW: {"COMPRESS": "LZW", "PREDICTOR": "YES"},
    NONE: {"COMPRESS": "NONE"},
}


def bound_block_cache() -> None:
    """Keep GDAL's block cache small, unless the user has set its size.

    GDAL reads the variable when it caches its first block, in whichever thread, so an option that
    is set for one thread would not be enough.
    """
    os.environ.setdefault("GDAL_CACHEMAX", str(CACHE_MEBIBYTES))


def write_cog(
    compression: str,
    cancellation: Cancellation,
    canvas: Path,
    path: Path,
    dtype: str,
    watch: Watch,
) -> None:
    """Write the COG of a canvas: the same pixels, names, nodata and tags, with overviews.

    Overviews of floating-point bands are averages of valid pixels. Whole numbers can be classes or
    bit masks, whose averages are meaningless, so their overviews keep every second pixel.

    :param compression: one of :data:`layout.COMPRESSIONS`.
    :param dtype: numpy's name of the bands' type.
    :param watch: called with ``path`` several times a second while the file grows.
    :raises ScratchError: if it could not be written completely.
    :raises DownloadCancelledError: immediately when the download is cancelled.
    """
    resampling = Resampling.average if dtype.startswith("float") else Resampling.nearest
    failures: list[Exception] = []

    def write() -> None:
        try:
            _add_overviews(canvas, resampling)
            with rasterio.open(canvas, driver="GTiff") as dataset:
                threads = thread_count(dataset.count, dtype)
            rasterio.shutil.copy(
                canvas,
                path,
                driver="COG",
                BLOCKSIZE=BLOCK_SIDE,
                OVERVIEWS="FORCE_USE_EXISTING",
                NUM_THREADS=threads,
                BIGTIFF="IF_SAFER",
                **_COMPRESSION_OPTIONS[compression],
            )
        except Exception as failure:  # noqa: BLE001 - the waiting thread raises it
            failures.append(failure)

    thread = threading.Thread(target=write, name="earthengine-cog", daemon=True)
    thread.start()
    while thread.is_alive():
        cancellation.check()
        thread.join(_GLANCE_SECONDS)
        watch(path)
    if failures:
        with writing_errors_as_scratch(path):
            raise failures[0]
    check_written(path)


def thread_count(band_count: int, dtype: str) -> int:
    """Return how many threads compress the raster, such that memory stays bounded."""
    byte_count = band_count * BLOCK_SIDE * BLOCK_SIDE * np.dtype(dtype).itemsize
    return _THREADS if byte_count <= _SHARED_BLOCK_BYTE_COUNT else 1


def _add_overviews(canvas: Path, resampling: Resampling) -> None:
    """Build the overviews on the canvas, band by band.

    The COG driver would build them for all bands together, at twice the CPU time and, for 13 bands,
    with 200 MiB more memory.
    """
    with (
        rasterio.Env(GDAL_OVR_CHUNK_MAX_SIZE=_OVERVIEW_CHUNK_BYTE_COUNT),
        rasterio.open(canvas, "r+", driver="GTiff") as dataset,
    ):
        side = max(dataset.width, dataset.height)
        factors: list[int] = []
        while side > BLOCK_SIDE * 2 ** len(factors):
            factors.append(2 ** (len(factors) + 1))
        if factors:
            dataset.build_overviews(factors, resampling)
