"""Quarters of overview blocks, until each block is complete.

A block of an overview is made from four blocks of the level below (fewer at the edges), which
arrive in any order. Quarters wait on disk, since a row of blocks can be long. Their space is
reused, so that the file stays small.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.download.raster.cog_layout import HALF_SIDE, CogLayout
from airflow_provider.earthengine.download.raster.scratch_file import ScratchFile

Quarters = Mapping[tuple[int, int], npt.NDArray[Any]]
"""Pixels by the column and row of their quarter in the block, 0 or 1 each."""

_QUARTER_COUNT = 4


@dataclass(frozen=True)
class BlockPlace:
    """Where a block is: column and row count blocks of its level, and bands count from 0."""

    level: int
    column: int
    row: int
    band: int

    @property
    def above(self) -> BlockPlace:
        """The block of the next overview that this one is a quarter of."""
        return BlockPlace(self.level + 1, self.column // 2, self.row // 2, self.band)

    @property
    def quarter(self) -> tuple[int, int]:
        """Which quarter of it: column and row, 0 or 1 each."""
        return self.column % 2, self.row % 2


@dataclass
class _Waiting:
    slot: int
    quarters: set[tuple[int, int]] = field(default_factory=set)


class PendingBlocks:
    """The incomplete blocks of all overviews, filled by any thread.

    :param path: a new file, removed when this is closed.
    """

    def __init__(self, path: Path, layout: CogLayout) -> None:
        self._layout = layout
        self._dtype = np.dtype(layout.dtype)
        self._file = ScratchFile(path)
        self._lock = threading.Lock()
        self._waiting: dict[BlockPlace, _Waiting] = {}
        self._free: list[int] = []
        self._slot_count = 0

    def fill(self, place: BlockPlace, quarters: Quarters) -> npt.NDArray[Any] | None:
        """Return the block if these quarters complete it; otherwise store them and return None."""
        wanted = self._shapes_of_quarters(place)
        with self._lock:
            waiting = self._waiting.get(place)
            if waiting is None and quarters.keys() != wanted.keys():
                waiting = self._waiting[place] = _Waiting(self._take_slot())
        if waiting is None:
            return self._joined(place, quarters)
        for quarter, pixels in quarters.items():
            self._file.write(self._start(waiting.slot, quarter), np.ascontiguousarray(pixels))
        with self._lock:
            waiting.quarters |= quarters.keys()
            if waiting.quarters != wanted.keys():
                return None
            del self._waiting[place]
        block = self._joined(
            place,
            {
                quarter: quarters[quarter]
                if quarter in quarters
                else self._read(waiting.slot, quarter, shape)
                for quarter, shape in wanted.items()
            },
        )
        with self._lock:
            self._free.append(waiting.slot)
        return block

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _shapes_of_quarters(self, place: BlockPlace) -> dict[tuple[int, int], tuple[int, int]]:
        below = self._layout.levels[place.level - 1]
        shapes = {}
        for quarter in ((0, 0), (1, 0), (0, 1), (1, 1)):
            column, row = 2 * place.column + quarter[0], 2 * place.row + quarter[1]
            if column < below.blocks_across and row < below.blocks_down:
                height, width = below.block_shape(column, row)
                shapes[quarter] = (-(-height // 2), -(-width // 2))
        return shapes

    def _take_slot(self) -> int:
        if self._free:
            return self._free.pop()
        self._slot_count += 1
        return self._slot_count - 1

    def _start(self, slot: int, quarter: tuple[int, int]) -> int:
        column, row = quarter
        quarters_before = slot * _QUARTER_COUNT + row * 2 + column
        return quarters_before * HALF_SIDE * HALF_SIDE * self._dtype.itemsize

    def _read(
        self, slot: int, quarter: tuple[int, int], shape: tuple[int, int]
    ) -> npt.NDArray[Any]:
        byte_count = shape[0] * shape[1] * self._dtype.itemsize
        content = self._file.read(self._start(slot, quarter), byte_count)
        return np.frombuffer(content, self._dtype).reshape(shape)

    def _joined(self, place: BlockPlace, quarters: Quarters) -> npt.NDArray[Any]:
        level = self._layout.levels[place.level]
        block = np.empty(level.block_shape(place.column, place.row), self._dtype)
        for (column, row), pixels in quarters.items():
            top, left = row * HALF_SIDE, column * HALF_SIDE
            block[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        return block
