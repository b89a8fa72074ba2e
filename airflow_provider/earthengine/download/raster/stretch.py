"""A stretch of a COG that is read while it is sent: no part of an upload has to fit in memory."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.download.plan.cutting import evenly

_BUFFER_BYTE_COUNT = 1 << 20


@dataclass(frozen=True, eq=False)
class Stretch:
    """Bytes of a COG in their order: what is in memory, records on disk, and zeros.

    :param read: returns bytes on disk, from an offset.
    :param places: the offset of each record; ``byte_counts`` are their lengths.
    :param byte_count: of all; zeros fill it up.
    """

    read: Callable[[int, int], bytes]
    head: bytes
    places: npt.NDArray[np.int64]
    byte_counts: npt.NDArray[np.int64]
    byte_count: int

    def cut(self, part_count: int) -> list[tuple[int, int]]:
        """Return the start and end of equal parts, give or take a byte."""
        return list(evenly(self.byte_count, part_count))

    def open(self, start: int, stop: int) -> BinaryIO:
        """Return a part as a file."""
        return cast(BinaryIO, io.BufferedReader(_Part(self, start, stop), _BUFFER_BYTE_COUNT))

    @cached_property
    def _ends(self) -> npt.NDArray[np.int64]:
        return np.cumsum(np.concatenate(([len(self.head)], self.byte_counts)), dtype=np.int64)

    def read_at(self, position: int, most: int) -> bytes:
        """Return at most so many bytes, from a position on: those up to the next record."""
        number = int(np.searchsorted(self._ends, position, side="right"))
        if number == 0:
            return self.head[position : position + most]
        if number == len(self._ends):
            return bytes(min(most, self.byte_count - position))
        start, end = int(self._ends[number - 1]), int(self._ends[number])
        place = int(self.places[number - 1]) + position - start
        return self.read(place, min(most, end - position))


class _Part(io.RawIOBase):
    def __init__(self, stretch: Stretch, start: int, stop: int) -> None:
        super().__init__()
        self._stretch = stretch
        self._start, self._stop = start, stop
        self._position = start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        bases = {
            io.SEEK_SET: self._start, io.SEEK_CUR: self._position, io.SEEK_END: self._stop
        }  # fmt: skip
        self._position = bases[whence] + offset
        return self._position - self._start

    def readinto(self, buffer: Any) -> int:
        most = min(len(buffer), self._stop - self._position)
        content = self._stretch.read_at(self._position, most) if most > 0 else b""
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
