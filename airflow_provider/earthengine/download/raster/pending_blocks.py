"""Pieces of blocks, until each block is complete.

A block of an overview is made from four blocks of the level below (fewer at the edges), and a block
of the full resolution can come in several tiles. The pieces arrive in any order and wait on disk,
since a row of blocks can be long. Their space is reused, so that the file stays small.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE
from airflow_provider.earthengine.download.raster.cog_layout import HALF_SIDE, CogLayout
from airflow_provider.earthengine.download.raster.scratch_file import ScratchFile

Pieces = Mapping[tuple[int, int], npt.NDArray[Any]]
"""Pixels of a block by the row and column of their first one in it."""


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
    def start_above(self) -> tuple[int, int]:
        """The row and column in it that this block's half begins at."""
        return self.row % 2 * HALF_SIDE, self.column % 2 * HALF_SIDE


@dataclass
class _Waiting:
    """A block that lacks pixels.

    :param slot: the number of its place in the file.
    :param taken: how many pixels have a place there.
    :param stored: how many are there.
    :param pieces: of each piece the place, in pixels from the slot's start, and the shape.
    """

    slot: int
    taken: int = 0
    stored: int = 0
    pieces: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = field(default_factory=dict)


class PendingBlocks:
    """The incomplete blocks of all levels, filled by any thread.

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

    def fill(self, place: BlockPlace, pieces: Pieces) -> npt.NDArray[Any] | None:
        """Return the block if these pieces complete it; otherwise store them and return None."""
        rows, columns = self._layout.levels[place.level].block_shape(place.column, place.row)
        pixel_count = sum(pixels.size for pixels in pieces.values())
        with self._lock:
            waiting = self._waiting.get(place)
            if waiting is None and pixel_count < rows * columns:
                waiting = self._waiting[place] = _Waiting(self._take_slot())
            if waiting is not None:
                start = waiting.taken
                waiting.taken += pixel_count
        if waiting is None:
            return self._joined((rows, columns), pieces)
        stored = {}
        for at, pixels in pieces.items():
            self._file.write(self._offset(waiting, start), np.ascontiguousarray(pixels))
            stored[at] = start, pixels.shape
            start += pixels.size
        with self._lock:
            earlier = dict(waiting.pieces)
            waiting.pieces |= stored
            waiting.stored += pixel_count
            if waiting.stored < rows * columns:
                return None
            del self._waiting[place]
        read = {at: self._read(waiting, *piece) for at, piece in earlier.items()}
        with self._lock:
            self._free.append(waiting.slot)
        return self._joined((rows, columns), {**read, **pieces})

    def left_over(self) -> Iterator[tuple[BlockPlace, Pieces]]:
        """Yield what is here of each block that lacks pixels, once nobody fills any more."""
        for place, waiting in self._waiting.items():
            yield place, {at: self._read(waiting, *piece) for at, piece in waiting.pieces.items()}

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _take_slot(self) -> int:
        if self._free:
            return self._free.pop()
        self._slot_count += 1
        return self._slot_count - 1

    def _offset(self, waiting: _Waiting, start: int) -> int:
        return (waiting.slot * BLOCK_SIDE * BLOCK_SIDE + start) * self._dtype.itemsize

    def _read(self, waiting: _Waiting, start: int, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        byte_count = shape[0] * shape[1] * self._dtype.itemsize
        content = self._file.read(self._offset(waiting, start), byte_count)
        return np.frombuffer(content, self._dtype).reshape(shape)

    def _joined(self, shape: tuple[int, int], pieces: Pieces) -> npt.NDArray[Any]:
        if len(pieces) == 1:
            return next(iter(pieces.values()))
        block = np.empty(shape, self._dtype)
        for (top, left), pixels in pieces.items():
            block[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        return block
