"""What is downloaded: rasters of noise, described for the emulator, and the cells made of them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.limits import MAX_REQUEST_BYTE_COUNT

GIBIBYTE = 1 << 30
MEBIBYTE = 1 << 20
ORIGIN = (499980, 4200000)
STEP = 10  # metres
CRS = "EPSG:32610"
_ALIGNMENT = 512


@dataclass(frozen=True)
class Scene:
    """A raster of several bands of one dtype on one grid.

    :param byte_count: of its samples, about.
    """

    band_count: int
    dtype: str
    byte_count: int

    @property
    def asset_id(self) -> str:
        return f"projects/demo/assets/noise_{self.band_count}x{self.dtype}_{self.byte_count}"

    @property
    def bytes_per_sample(self) -> int:
        return int(self.dtype.lstrip("uintfloa")) // 8

    @property
    def width(self) -> int:
        pixels = self.byte_count / (self.band_count * self.bytes_per_sample)
        return max(1, round(math.sqrt(pixels) / _ALIGNMENT)) * _ALIGNMENT

    @property
    def height(self) -> int:
        return self.byte_count // (self.band_count * self.bytes_per_sample * self.width)

    @property
    def least_request_count(self) -> int:
        """How many requests for pixels there must be: Earth Engine counts a mask byte a sample."""
        samples = self.width * self.height * self.band_count
        return -(-samples * (self.bytes_per_sample + 1) // MAX_REQUEST_BYTE_COUNT)

    @property
    def price_of_blocks(self) -> float:
        """The most requests that tiles of whole blocks may take, as `plan/cutting.py` documents."""
        blocks = -(-self.width // _ALIGNMENT) * -(-self.height // _ALIGNMENT)
        block_byte_count = _ALIGNMENT**2 * self.band_count * (self.bytes_per_sample + 1)
        blocks_a_request = MAX_REQUEST_BYTE_COUNT // block_byte_count
        if not blocks_a_request:
            return 2 * self.least_request_count
        return 1.25 * blocks / blocks_a_request + 1

    @property
    def band_ids(self) -> list[str]:
        return [f"B{number}" for number in range(1, self.band_count + 1)]

    @property
    def title(self) -> str:
        return f"{self.band_count} x {self.dtype}, {self.byte_count / GIBIBYTE:.3g} GiB"

    def description(self) -> dict[str, Any]:
        """Return the asset as the emulator's catalog describes it."""
        grid = {
            "dtype": self.dtype,
            "crs": CRS,
            "crs_transform": [STEP, 0, ORIGIN[0], 0, -STEP, ORIGIN[1]],
            "dimensions": [self.width, self.height],
        }
        bands = [{"id": band_id, **grid} for band_id in self.band_ids]
        return {"id": self.asset_id, "kind": "formula", "bands": bands}


@dataclass(frozen=True)
class Cell:
    """One comparison: a scene, and how late Earth Engine answers each request.

    :param is_for_memory: whether it is run for the memory only, by few contestants.
    :param is_read: whether readers read what was stored.
    :param is_with_all: whether those take part that do so only once.
    """

    key: str
    scene: Scene
    latency_seconds: float
    is_for_memory: bool = False
    is_read: bool = False
    is_with_all: bool = False

    @property
    def title(self) -> str:
        return f"{self.scene.title}, {1000 * self.latency_seconds:.0f} ms"


_FOUR, _THIRTEEN, _DOUBLE, _EMBEDDING = (
    Scene(4, "uint16", GIBIBYTE),
    Scene(13, "uint16", GIBIBYTE),
    Scene(1, "float64", GIBIBYTE),
    Scene(64, "float64", GIBIBYTE),
)
CELLS = (
    Cell("4x16-50ms", _FOUR, 0.05),
    Cell("4x16-500ms", _FOUR, 0.5, is_with_all=True),
    Cell("13x16-500ms", _THIRTEEN, 0.5, is_read=True),
    Cell("1x64-500ms", _DOUBLE, 0.5),
    Cell("64x64-500ms", _EMBEDDING, 0.5),
    Cell("small", Scene(4, "uint16", GIBIBYTE // 5), 0.5, is_for_memory=True),
    Cell("large", Scene(4, "uint16", 4 * GIBIBYTE), 0.5, is_for_memory=True),
)


def quick_cells(mebibytes: int) -> tuple[Cell, ...]:
    """Return the same cells for a look at the harness: small, and with 50 ms at the most."""
    byte_count = mebibytes * MEBIBYTE
    return (
        Cell("4x16-quick", Scene(4, "uint16", byte_count), 0.05, is_read=True, is_with_all=True),
        Cell("1x64-quick", Scene(1, "float64", byte_count), 0.01),
    )


def write_catalog(folder: Path, scene: Scene) -> None:
    """Write the description of a scene into a new folder."""
    path = folder / f"{scene.asset_id}.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(scene.description()))
