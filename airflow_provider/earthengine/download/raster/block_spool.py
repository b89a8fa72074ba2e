"""Encoded blocks on disk, in order of arrival, until they are sent.

A record is a block with the leader and trailer that surround it in the COG, so that a stretch of
the COG is the concatenation of its blocks' records.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.download.raster.cog_header import BlockPlaces
from airflow_provider.earthengine.download.raster.cog_layout import (
    LEADER_BYTE_COUNT,
    TRAILER_BYTE_COUNT,
    CogLayout,
)
from airflow_provider.earthengine.download.raster.scratch_file import ScratchFile

_MISSING = -1
_AROUND_BYTE_COUNT = LEADER_BYTE_COUNT + TRAILER_BYTE_COUNT


class BlockSpool:
    """The blocks of one COG, added by any thread.

    The blocks of a level are numbered in the order of the file: row by row, and band by band at
    each place.

    :param path: a new file, removed when the spool is closed.
    """

    def __init__(self, path: Path, layout: CogLayout) -> None:
        self._layout = layout
        self._file = ScratchFile(path)
        self._lock = threading.Lock()
        self.byte_count = 0
        """The total length of all records."""
        counts = [level.block_count * layout.band_count for level in layout.levels]
        self._places = [np.full(count, _MISSING, np.int64) for count in counts]
        # The lengths of records, which are little more than 2 MiB at most.
        self._byte_counts = [np.zeros(count, np.uint32) for count in counts]

    def number_of(self, level: int, column: int, row: int, band: int) -> int:
        """Return the number of a block.

        :param column: of the block, in blocks; so is ``row``.
        """
        place = row * self._layout.levels[level].blocks_across + column
        return place * self._layout.band_count + band

    def add(self, level: int, number: int, content: bytes) -> None:
        """Store a block.

        :raises OSError: if the disk is full.
        """
        byte_count = len(content) + _AROUND_BYTE_COUNT
        with self._lock:
            place = self.byte_count
            self.byte_count += byte_count
        leader, trailer = struct.pack("<I", len(content)), content[-TRAILER_BYTE_COUNT:]
        self._file.write(place, leader, content, trailer)
        with self._lock:
            if self.has(level, number):
                raise ValueError(f"Block {number} of level {level} was written before.")
            self._byte_counts[level][number] = byte_count
            self._places[level][number] = place  # From now on it can be read.

    def has(self, level: int, number: int) -> bool:
        """Return whether the block is stored."""
        return bool(self._places[level][number] != _MISSING)

    def is_complete(self) -> bool:
        """Return whether all blocks of all levels are stored."""
        return all(bool((places != _MISSING).all()) for places in self._places)

    @property
    def level_count(self) -> int:
        """The number of levels, including the full resolution."""
        return len(self._layout.levels)

    def block_count(self, level: int) -> int:
        """Return how many blocks the level has, stored or not."""
        return len(self._places[level])

    def byte_count_of(self, level: int, start: int, stop: int) -> int:
        """Return the total length of some records."""
        return int(self._byte_counts[level][start:stop].sum(dtype=np.int64))

    def records(self, level: int, start: int, stop: int) -> Iterator[memoryview]:
        """Yield the records from number ``start`` to before ``stop``, each until the next."""
        longest = self._byte_counts[level][start:stop].max(initial=0)
        memory = memoryview(bytearray(longest))
        for number in range(start, stop):
            yield self._read_into(level, number, memory)

    def joined(self, level: int, start: int, stop: int) -> bytearray:
        """Return the records from number ``start`` to before ``stop``, one behind the other."""
        content = bytearray(self.byte_count_of(level, start, stop))
        rest = memoryview(content)
        for number in range(start, stop):
            rest = rest[len(self._read_into(level, number, rest)) :]
        return content

    def _read_into(self, level: int, number: int, memory: memoryview) -> memoryview:
        """Read a record to the beginning of memory, and return it."""
        record = memory[: self._byte_counts[level][number]]
        self._file.read_into(int(self._places[level][number]), record)
        return record

    def read(self, place: int, byte_count: int) -> bytes:
        """Return bytes of records, from an offset in the file of this spool."""
        return self._file.read(place, byte_count)

    def stored(self, level: int) -> npt.NDArray[np.int64]:
        """Return the numbers of the level's blocks that are stored."""
        return np.flatnonzero(self._places[level] != _MISSING)

    def spans(
        self, level: int, numbers: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the offsets of records in the file of this spool, and their lengths."""
        return self._places[level][numbers], self._byte_counts[level][numbers].astype(np.int64)

    def note_elsewhere(self, start: int, byte_counts: npt.NDArray[np.uint32]) -> None:
        """Note the lengths of records of the full resolution that somebody else has.

        :param start: the number of the first block.
        """
        self._byte_counts[0][start : start + len(byte_counts)] = byte_counts

    def is_noted(self) -> bool:
        """Return whether all overviews are stored, and the other lengths known."""
        stored = all(bool((places != _MISSING).all()) for places in self._places[1:])
        return stored and bool((self._byte_counts[0] > 0).all())

    def places_in_cog(self, start: int, gaps: Mapping[int, int] | None = None) -> list[BlockPlaces]:
        """Return where the blocks of each level are in the COG, the full resolution first.

        :param start: the offset of the first record, in the smallest overview.
        :param gaps: how many bytes are unused before blocks of the full resolution, by number.
        """
        places = []
        for level, byte_counts in reversed(list(enumerate(self._byte_counts))):
            records = byte_counts.astype(np.int64)
            spans = records.copy()
            for number, gap in (gaps or {}).items() if level == 0 else ():
                spans[number] += gap
            ends = start + np.cumsum(spans)
            start = int(ends[-1])
            by_place = (-1, self._layout.band_count)
            offsets = (ends - records + LEADER_BYTE_COUNT).reshape(by_place).T.ravel()
            contents = (records - _AROUND_BYTE_COUNT).reshape(by_place).T.ravel()
            places.append(BlockPlaces(offsets, contents))
        return places[::-1]

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
