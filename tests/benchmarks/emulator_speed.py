"""How fast the emulator answers: printed, not asserted. Run it as a program.

Tiles of 32 MiB by Earth Engine's own count (2 bytes and a mask byte per pixel), each another part
of a scene, to a client that only counts bytes. The server has one processor and the client
another, where there are two.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

SIDE = 3344  # squared and times three: 32 MiB
ASSET = {
    "id": "scene",
    "kind": "formula",
    "bands": [
        {
            "id": "b",
            "dtype": "uint16",
            "crs": "EPSG:32610",
            "crs_transform": [10, 0, 499980, 0, -10, 4200000],
            "dimensions": [SIDE * 8, SIDE * 8],
        }
    ],
}
MEGABYTE = 1_000_000


def fetch(url: str, file_format: str, number: int) -> int:
    """Return the byte count of one tile's body."""
    grid = {
        "crsCode": "EPSG:32610",
        "affineTransform": {
            "scaleX": 10,
            "translateX": 499980 + 10 * SIDE * (number % 8),
            "scaleY": -10,
            "translateY": 4200000 - 10 * SIDE * (number // 8),
        },
        "dimensions": {"width": SIDE, "height": SIDE},
    }
    body = json.dumps({"fileFormat": file_format, "grid": grid}).encode()
    name = "projects/earthengine-public/assets/scene"
    request = Request(f"{url}/v1/{name}:getPixels", body, {"Content-Type": "application/json"})
    byte_count = 0
    with urlopen(request, timeout=300) as response:
        while chunk := response.read(1 << 20):
            byte_count += len(chunk)
    return byte_count


def measure(url: str, file_format: str, count: int, warm_up: list[int]) -> None:
    """Print the speed of one format.

    :param warm_up: the numbers of the tiles that are asked for before the clock starts.
    """
    for number in warm_up:
        fetch(url, file_format, number)
    start = time.perf_counter()
    byte_count = sum(fetch(url, file_format, number) for number in range(count))
    seconds = time.perf_counter() - start
    pixels = count * SIDE * SIDE
    sys.stdout.write(
        f"{file_format:8} {byte_count / count / MEGABYTE:6.1f} MB a tile, "
        f"{byte_count / seconds / MEGABYTE:6.1f} MB/s of bodies, "
        f"{2 * pixels / seconds / MEGABYTE:6.1f} MB/s of pixels\n"
    )


def pin(processors: list[int]) -> None:
    """Keep this process, and those it starts, on processors; do nothing where none are known."""
    if processors:
        os.sched_setaffinity(0, set(processors))


def main() -> None:
    """Start an emulator, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=8)
    parser.add_argument("--deflate-level", type=int, default=9)
    parser.add_argument("--keep-files", action="store_true", help="ask for each tile before")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "scene.json").write_text(json.dumps(ASSET))
        module = "airflow_provider.earthengine.emulator"
        command = [sys.executable, "-m", module, "--catalog", folder]
        command += ["--deflate-level", str(options.deflate_level)]
        if options.keep_files:
            (Path(folder) / "kept").mkdir()
            command += ["--keep-files", str(Path(folder) / "kept")]
        processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        pin(processors[:1])  # the server inherits it
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found is not None
            pin(processors[-1:])
            for file_format, count in (("NPY", options.tiles), ("GEO_TIFF", options.tiles // 4)):
                warm_up = list(range(count)) if options.keep_files else [63]
                measure(found[0], file_format, max(1, count), warm_up)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


if __name__ == "__main__":
    main()
