"""What was measured, kept in a file between runs: a cell that is run again replaces the old one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Measurement
from tests.benchmarks.scenes import CELLS, Cell


class Results:
    """Measurements by cell.

    :param path: where they are kept; those that are there already are read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cells: dict[str, dict[str, Any]] = {}
        if path.exists():
            self._cells = json.loads(path.read_text())

    def begin(self, cell: Cell, facts: dict[str, str]) -> None:
        """Forget what was measured of a cell, and note where it is measured now."""
        scene = cell.scene
        byte_count = scene.width * scene.height * scene.band_count * scene.bytes_per_sample
        self._cells[cell.key] = {
            "title": cell.title,
            "byte_count": byte_count,
            "latency_seconds": cell.latency_seconds,
            "is_for_memory": cell.is_for_memory,
            "least_request_count": scene.least_request_count,
            "price_of_blocks": scene.price_of_blocks,
            "facts": facts,
            "measurements": [],
        }

    def add(self, cell: Cell, measured: Measurement) -> None:
        self._cells[cell.key]["measurements"].append(asdict(measured))

    def save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(self._cells, indent=1))
        part.replace(self._path)

    def cell_keys(self) -> list[str]:
        """Return the cells that were measured, the full ones in their own order first."""
        own = [cell.key for cell in CELLS]
        return sorted(self._cells, key=lambda key: own.index(key) if key in own else len(own))

    def title(self, key: str) -> str:
        return str(self._cells[key]["title"])

    def gibibytes(self, key: str) -> float:
        """Return the size of a cell's raster, uncompressed."""
        return float(self._cells[key]["byte_count"]) / 2**30

    def latency_seconds(self, key: str) -> float:
        return float(self._cells[key]["latency_seconds"])

    def least_request_count(self, key: str) -> int:
        """Return how many requests for pixels a cell takes at least; 0 if it is not known."""
        return int(self._cells[key].get("least_request_count", 0))

    def price_of_blocks(self, key: str) -> float:
        """Return how many requests whole blocks may take; 0 if it is not known."""
        return float(self._cells[key].get("price_of_blocks", 0))

    def is_for_memory(self, key: str) -> bool:
        return bool(self._cells[key]["is_for_memory"])

    def facts(self, key: str) -> dict[str, str]:
        return dict(self._cells[key]["facts"])

    def measurements(self, key: str) -> dict[str, Measurement]:
        """Return what was measured of a cell, by contestant."""
        read = [Measurement(**fields) for fields in self._cells[key]["measurements"]]
        return {measured.contestant: measured for measured in read}

    def succeeded(self, key: str) -> dict[str, Measurement]:
        """Return the same of those that did not fail."""
        return {
            name: measured
            for name, measured in self.measurements(key).items()
            if measured.error is None
        }

    def failures(self, keys: Sequence[str]) -> list[str]:
        """Return one line for each that failed."""
        return [
            f"{key}: {name} failed: {measured.error}"
            for key in keys
            if key in self._cells
            for name, measured in self.measurements(key).items()
            if measured.error is not None
        ]
