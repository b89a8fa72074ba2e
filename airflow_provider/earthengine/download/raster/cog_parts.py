"""The bytes of a COG -> the parts of an upload, most of them before the file is complete.

A COG begins with what is known last: where all blocks are, and the overviews. So the first parts
are sent last, and how many they are is fixed before, since numbers must follow each other without a
gap. They also hold the first blocks of full resolution, as many as make each of them long enough
whatever the overviews compress to; that way no part is filled up with zeros, and the file does not
depend on its parts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from airflow_provider.earthengine.download.raster.block_spool import BlockSpool
from airflow_provider.earthengine.exceptions import PlanError

MIN_PART_BYTE_COUNT = 5 << 20
"""Of each part but the last.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, read 2026-11; so are
the two below.
"""
MAX_PART_BYTE_COUNT = 5 << 30
MAX_PART_COUNT = 10_000

WHOLE_BYTE_COUNT = 16 << 20
"""A shorter file is sent whole."""

# Several parts are in memory at a time. Those that are sent last are longer, so that there are few
# of them, and little has to wait for them.
PART_BYTE_COUNT = 8 << 20
_HEAD_PART_BYTE_COUNT = 3 * PART_BYTE_COUNT
_PART_STEP = 1 << 20


class PartSink(Protocol):
    """Takes the parts, from any thread; may block until it has room for one more.

    What it raises ends the COG.
    """

    def send_part(self, number: int, content: bytes) -> None:
        """Take a part; numbers begin at 1, and come in any order."""

    def send_whole(self, content: bytes) -> None:
        """Take the file, instead of any part."""


@dataclass(frozen=True)
class PartPlan:
    """How a COG is cut, by how long it can become.

    :param head_part_count: how many parts there are for all but the full resolution.
    :param part_byte_count: how long the others are at least.
    """

    head_part_count: int
    part_byte_count: int

    @property
    def held_byte_count(self) -> int:
        """How many bytes of full resolution the first parts have, at least."""
        return self.head_part_count * MIN_PART_BYTE_COUNT


def plan_parts(head_byte_count: int, full_byte_count: int) -> PartPlan:
    """Return the plan with the shortest parts that are few enough.

    :param head_byte_count: how long header and overviews can become.
    :param full_byte_count: how long the full resolution can become.
    :raises PlanError: if no parts that S3 takes hold so much.
    """
    part_byte_count = PART_BYTE_COUNT
    while True:
        # What the first parts are filled up with comes on top of what they hold anyway.
        head_part_byte_count = _HEAD_PART_BYTE_COUNT * part_byte_count // PART_BYTE_COUNT
        head = -(-head_byte_count // (head_part_byte_count - MIN_PART_BYTE_COUNT))
        if head + full_byte_count // part_byte_count + 1 <= MAX_PART_COUNT:
            return PartPlan(head, part_byte_count)
        part_byte_count += _PART_STEP
        if head_part_byte_count > MAX_PART_BYTE_COUNT:
            raise PlanError(
                f"The COG can become {head_byte_count + full_byte_count:,} bytes long, more than "
                f"an upload of {MAX_PART_COUNT:,} parts holds; use a coarser scale, fewer bands or "
                "a smaller region."
            )


class FullResolutionParts:
    """Sends the full resolution as it becomes complete, from its beginning.

    :param sink: is called by one thread at a time.
    """

    def __init__(self, spool: BlockSpool, plan: PartPlan, sink: PartSink) -> None:
        self._spool = spool
        self._plan = plan
        self._sink = sink
        self._lock = threading.Lock()
        self._held_count: int | None = None  # Blocks of the first parts, once it is known.
        self._begin = 0  # The first block of the next part.
        self._next = 0  # The first block that was not looked at.
        self._byte_count = 0  # Of the blocks between them.
        self.sent_count = 0
        """How many parts were sent."""

    def send_ready(self) -> None:
        """Send each part that is complete, unless another thread is just doing that."""
        if self._lock.acquire(blocking=False):
            try:
                self._send_ready()
            finally:
                self._lock.release()

    def finish(self) -> int:
        """Send what is left, once all is complete; return how many blocks the first parts have."""
        with self._lock:
            self._send_ready()
            if not self.sent_count or self._held_count is None:
                return self._next
            if self._begin < self._next:
                self._send()
            return self._held_count

    def _send_ready(self) -> None:
        while self._next < self._spool.block_count(0) and self._spool.has(0, self._next):
            self._byte_count += self._spool.byte_count_of(0, self._next, self._next + 1)
            self._next += 1
            if self._held_count is None:
                if self._byte_count >= self._plan.held_byte_count:
                    self._held_count = self._begin = self._next
                    self._byte_count = 0
            elif self._byte_count >= self._plan.part_byte_count:
                self._send()

    def _send(self) -> None:
        content = b"".join(self._spool.records(0, self._begin, self._next))
        self._begin, self._byte_count = self._next, 0
        self.sent_count += 1
        self._sink.send_part(self._plan.head_part_count + self.sent_count, content)


def cut(pieces: Iterable[bytes], byte_count: int, part_count: int) -> Iterator[bytes]:
    """Yield the pieces, one behind the other, as parts of equal length, give or take a byte.

    :param byte_count: how long the pieces are together.
    """
    bounds = iter([byte_count * number // part_count for number in range(1, part_count + 1)])
    bound, place = next(bounds), 0
    part: list[memoryview] = []
    for piece in pieces:
        rest = memoryview(piece)
        while place + len(rest) >= bound:
            part.append(rest[: bound - place])
            rest, place = rest[bound - place :], bound
            yield b"".join(part)
            part = []
            bound = next(bounds, byte_count + 1)
        part.append(rest)
        place += len(rest)
