"""What readers pay: ``python -m tests.benchmarks.readers ASSIGNMENT READER BANDS``.

One read of a window of 512 x 512 pixels in the middle of a COG, which meets four blocks, in a
process of its own: nothing is cached. The S3 server counts the bytes and the requests.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rasterio.windows import Window, bounds

from stack.environment import PROJECT_FOLDER
from tests.benchmarks.assignment import Assignment, read_assignment
from tests.benchmarks.reading_back import check_pixels, raster_key, remote
from tests.benchmarks.scenes import CRS
from tests.benchmarks.servers import Servers

_SIDE = 512
_OFF_THE_GRID = 200
_SECONDS = 60
# What is set where COGs are served.
# Source: https://developmentseed.org/titiler/advanced/performance_tuning/, read 2026-11.
_TUNED = {"GDAL_INGESTED_BYTES_AT_OPEN": "32768", "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES"}


def _read_with_gdal(path: str, window: Window, indexes: list[int]) -> Any:
    import rasterio

    with rasterio.open(path) as raster:
        return raster.read(indexes, window=window)


def _read_with_rio_tiler(path: str, window: Window, indexes: list[int]) -> Any:
    import rasterio
    from rio_tiler.io import Reader

    with Reader(path) as reader:
        box = bounds(window, reader.dataset.transform)
        crs = rasterio.crs.CRS.from_string(CRS)
        image = reader.part(box, bounds_crs=crs, dst_crs=crs, indexes=indexes, max_size=None)
        return image.array.data


READERS: dict[str, Callable[[str, Window, list[int]], Any]] = {
    "GDAL /vsis3": _read_with_gdal,
    "rio-tiler": _read_with_rio_tiler,
}


def measure_reads(told: Path, assignment: Assignment, servers: Servers) -> Iterator[dict[str, Any]]:
    """Yield what each reader took for one band, three bands and all: a row of the page each.

    :param told: the file that holds the assignment; its raster is in the bucket.
    """
    bands = assignment.scene.band_count
    for reader in READERS:
        for count in dict.fromkeys(min(count, bands) for count in (1, 3, bands)):
            before = servers.traffic()
            error = _read_alone(told, reader, count)
            spent = servers.traffic().since(before)
            yield {
                "reader": reader,
                "band_count": count,
                "byte_count": spent.sent_byte_count,
                "request_count": spent.read_count,
                "error": error,
            }


def _read_alone(told: Path, reader: str, count: int) -> str | None:
    """Read in a process of its own; return what went wrong."""
    command = [sys.executable, "-m", "tests.benchmarks.readers", told, reader, str(count)]
    try:
        done = subprocess.run(
            command, cwd=PROJECT_FOLDER, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"not finished within {_SECONDS} s"
    return (done.stderr.strip()[-300:] or "failed") if done.returncode else None


def main() -> None:
    """Read once; fail if the pixels are wrong."""
    told, reader, count = sys.argv[1:]
    assignment = read_assignment(Path(told))
    scene = assignment.scene
    column, row = (
        max(0, min(side // 2 // _SIDE * _SIDE + _OFF_THE_GRID, side - _SIDE))
        for side in (scene.width, scene.height)
    )
    window = Window(column, row, _SIDE, _SIDE)
    path = f"/vsis3/{assignment.bucket}/{raster_key(assignment)}"
    with remote(assignment, **_TUNED):
        pixels = READERS[reader](path, window, list(range(1, int(count) + 1)))
    check_pixels(scene, pixels, column, row)


if __name__ == "__main__":
    main()
