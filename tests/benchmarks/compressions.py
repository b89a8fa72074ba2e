"""What compressing noise costs: ``python -m tests.benchmarks.compressions``.

Each measurement is one pass of GDAL's COG driver without overviews, with one thread, in a process
of its own. A pass without compression shows what copying alone costs. The results are written into
docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stack.environment import PROJECT_FOLDER
from tests.benchmarks.assignment import Compression
from tests.benchmarks.machine import machine_facts
from tests.benchmarks.page import write_section
from tests.benchmarks.scenes import CRS, ORIGIN, STEP

_SIDE = 4096
_CANDIDATES = (
    Compression("none", 0, has_predictor=False),
    Compression("deflate", 6, has_predictor=False),
    Compression("deflate", 6, has_predictor=True),
    Compression("deflate", 1, has_predictor=False),
    Compression("deflate", 1, has_predictor=True),
    Compression("zstd", 1, has_predictor=False),
    Compression("zstd", 1, has_predictor=True),
    Compression("zstd", 9, has_predictor=True),
    Compression("lzw", 0, has_predictor=False),
    Compression("lzw", 0, has_predictor=True),
)
_DTYPES = ("uint8", "uint16", "int16", "int32", "float32", "float64")


def measure(dtype: str, compression: Compression, folder: Path) -> dict[str, float]:
    """Return CPU seconds of writing and of reading, and the bytes written, all per GiB."""
    import rasterio
    from rasterio.shutil import copy

    source, target = folder / f"{dtype}.tif", folder / "copy.tif"
    if not source.exists():
        _write_source(source, dtype)
    options: dict[str, Any] = {"compress": compression.name.upper(), "overviews": "NONE"}
    if compression.name in {"deflate", "zstd"}:
        options["level"] = compression.level
    if compression.has_predictor:
        options["predictor"] = "YES"
    with rasterio.Env(GDAL_NUM_THREADS="1", GDAL_CACHEMAX=64 << 20):
        start = time.process_time()
        copy(str(source), str(target), driver="COG", blocksize=512, num_threads=1, **options)
        written = time.process_time() - start
        start = time.process_time()
        with rasterio.open(target) as raster:
            byte_count = (
                raster.width * raster.height * raster.count * int(dtype.lstrip("uintfloa")) // 8
            )
            for _, window in raster.block_windows(1):
                raster.read(window=window)
        read = time.process_time() - start
    scale = 2**30 / byte_count
    return {
        "write": written * scale,
        "read": read * scale,
        "share": target.stat().st_size / byte_count,
    }


def _write_source(path: Path, dtype: str) -> None:
    """Write one band of the benchmarks' noise, uncompressed."""
    import numpy as np
    import rasterio

    from tests.support.expected import formula_values

    profile = {"driver": "GTiff", "count": 1, "width": _SIDE, "height": _SIDE, "dtype": dtype}
    profile |= {"crs": CRS, "transform": rasterio.Affine(STEP, 0, ORIGIN[0], 0, -STEP, ORIGIN[1])}
    with rasterio.open(path, "w", tiled=True, blockxsize=512, blockysize=512, **profile) as raster:
        for top in range(0, _SIDE, 512):
            rows = np.arange(top, top + 512)[:, np.newaxis]
            values = formula_values(0, dtype, rows, np.arange(_SIDE)[np.newaxis, :])
            raster.write(values, 1, window=((top, top + 512), (0, _SIDE)))


def _measured_alone(
    dtype: str, compression: Compression, folder: Path, repeats: int
) -> dict[str, float]:
    """Return the best of some measurements, each in a process of its own."""
    arguments = [
        dtype,
        compression.name,
        str(compression.level),
        str(int(compression.has_predictor)),
    ]
    command = [sys.executable, "-m", "tests.benchmarks.compressions", "--one", *arguments]
    found: list[dict[str, float]] = []
    for _ in range(repeats):
        done = subprocess.run(
            [*command, "--folder", str(folder)],
            cwd=PROJECT_FOLDER,
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout))
    return {name: min(each[name] for each in found) for name in found[0]}


def _rows(folder: Path, repeats: int) -> Iterator[str]:
    facts = machine_facts()
    machine = f"{facts['processor']}, {facts['cores']} cores, load {facts['load']}"
    yield f"Best of {repeats}, {facts['date']}, {machine}."
    yield ""
    yield "| | " + " | ".join(_DTYPES) + " |"
    yield "|---" * (len(_DTYPES) + 1) + "|"
    for compression in _CANDIDATES:
        cells = []
        for dtype in _DTYPES:
            found = _measured_alone(dtype, compression, folder, repeats)
            cells.append(f"{found['write']:.1f} / {found['read']:.1f} / {found['share']:.0%}")
            print(f"{dtype:8} {compression!s:22} {cells[-1]}", flush=True)
        yield f"| {_title(compression)} | {' | '.join(cells)} |"


def _title(compression: Compression) -> str:
    return str(compression).replace(" 0", "")


def main() -> None:
    """Measure all candidates and write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=4, metavar=("DTYPE", "NAME", "LEVEL", "PREDICTOR"))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3, help="of which the best is reported")
    parser.add_argument("--page", type=Path, default=PROJECT_FOLDER / "docs" / "performance.md")
    options = parser.parse_args()
    if options.one:
        dtype, name, level, predictor = options.one
        compression = Compression(name, int(level), predictor == "1")
        print(json.dumps(measure(dtype, compression, options.folder)))
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        write_section(options.page, "compressions", "\n".join(_rows(Path(folder), options.repeats)))


if __name__ == "__main__":
    main()
