"""The bytes of a COG -> the parts of an upload, most of them before the file is complete.

A COG begins with what is known last: the places of all blocks, and the overviews. So the first
parts are sent last. Their number is fixed in advance, because part numbers must not have gaps. They
also hold the first blocks of the full resolution, enough of them that each part has S3's minimum
length however well the overviews compress. No part is padded, and the file does not depend on its
parts.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from airflow_provider.earthengine.download.plan.cutting import evenly
from airflow_provider.earthengine.download.raster.block_spool import BlockSpool
from airflow_provider.earthengine.exceptions import PlanError

MIN_PART_BYTE_COUNT = 5 << 20
"""Of each part but the last.

Source of all three limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, read
2026-11.
"""
MAX_PART_BYTE_COUNT = 5 << 30
MAX_PART_COUNT = 10_000

WHOLE_BYTE_COUNT = 16 << 20
"""A shorter file is sent whole."""

# Several parts are in memory at a time. The first ones are longer: the fewer they are, the less of
# the full resolution has to wait for them.
PART_BYTE_COUNT = 8 << 20
_HEAD_PART_BYTE_COUNT = 3 * PART_BYTE_COUNT
_PART_STEP = 1 << 20


class PartSink(Protocol):
    """Takes the parts, from any thread; may block until it has room for one more.

    What it raises ends the COG.
    """

    def send_part(self, number: int, content: bytearray) -> None:
        """Take a part; numbers begin at 1, and come in any order."""

    def send_whole(self, content: bytearray) -> None:
        """Take the file, instead of any part."""


@dataclass(frozen=True)
class PartPlan:
    """How a COG is cut.

    :param head_part_count: the number of first parts, which hold the header and the overviews.
    :param part_byte_count: the minimum length of the others.
    """

    head_part_count: int
    part_byte_count: int

    @property
    def held_byte_count(self) -> int:
        """How many bytes of the full resolution the first parts hold, at least."""
        return self.head_part_count * MIN_PART_BYTE_COUNT


def plan_parts(head_byte_count: int, full_byte_count: int) -> PartPlan:
    """Return the plan with the shortest parts that are few enough.

    :param head_byte_count: the maximum length of header and overviews.
    :param full_byte_count: the maximum length of the full resolution.
    :raises PlanError: if it does not fit into the parts that S3 allows.
    """
    part_byte_count = PART_BYTE_COUNT
    while True:
        # The held blocks come on top of header and overviews.
        head_part_byte_count = _HEAD_PART_BYTE_COUNT * part_byte_count // PART_BYTE_COUNT
        head = -(-head_byte_count // (head_part_byte_count - MIN_PART_BYTE_COUNT))
        if head + full_byte_count // part_byte_count + 1 <= MAX_PART_COUNT:
            return PartPlan(head, part_byte_count)
        part_byte_count += _PART_STEP
        if head_part_byte_count > MAX_PART_BYTE_COUNT:
            raise PlanError(
                f"The COG can take {head_byte_count + full_byte_count:,} bytes, more than "
                f"{MAX_PART_COUNT:,} parts of an upload hold; use a coarser scale, fewer bands or "
                "a smaller region."
            )


@dataclass(frozen=True)
class SentCog:
    """A COG that its sink has received in full.

    :param sha256: of the file, hexadecimal.
    :param part_count: 0 if it was sent whole.
    """

    byte_count: int
    sha256: str
    part_count: int


class CogParts:
    """Sends the full resolution, from its beginning, as blocks arrive; at the end, the first parts.

    The sink is called by one thread at a time.
    """

    def __init__(self, spool: BlockSpool, plan: PartPlan, sink: PartSink) -> None:
        self._spool = spool
        self._plan = plan
        self._sink = sink
        self._lock = threading.Lock()
        self._held_count: int | None = None  # Blocks in the first parts, once known.
        self._begin = 0  # The first block of the next part.
        self._next = 0  # The first block not counted yet.
        self._byte_count = 0  # The length of the blocks in between.
        self._sent_count = 0

    def send_ready(self) -> None:
        """Send all complete parts, unless another thread is already doing so."""
        if self._lock.acquire(blocking=False):
            try:
                self._send_ready()
            finally:
                self._lock.release()

    def finish(self, header: bytes) -> SentCog:
        """Send the rest. All blocks must be in the spool."""
        is_over = threading.Event()
        with ThreadPoolExecutor(1, "earthengine-digest") as pool:
            sha256 = pool.submit(self._digest, header, is_over)
            try:
                part_count = self._send_rest(header)
                byte_count = len(header) + self._spool.byte_count
                return SentCog(byte_count, sha256.result(), part_count)
            finally:
                is_over.set()

    def send_again(self, header: bytes, sink: PartSink) -> None:
        """Send the finished COG once more, to another sink, in the same parts."""
        CogParts(self._spool, self._plan, sink)._send_rest(header)  # Its digest is known.

    def _digest(self, header: bytes, is_over: threading.Event) -> str:
        """Return the sha256 of the file, or of its beginning if nobody waits for it any more."""
        digest = hashlib.sha256()
        for piece in self._first_pieces(header, self._spool.block_count(0)):
            if is_over.is_set():
                break
            digest.update(piece)
        return digest.hexdigest()

    def _send_rest(self, header: bytes) -> int:
        """Send what is not sent yet; return the number of parts of the file."""
        with self._lock:
            self._send_ready()
            if self._begin < self._next and self._sent_count:
                self._send()
        held_count = self._spool.block_count(0)
        if self._sent_count and self._held_count is not None:
            held_count = self._held_count
        return self._send_first(header, held_count)

    def _send_first(self, header: bytes, held_count: int) -> int:
        """Send the first parts, or a short file whole; return the number of parts of the file."""
        block_count = self._spool.block_count(0)
        sent_byte_count = self._spool.byte_count_of(0, held_count, block_count)
        byte_count = len(header) + self._spool.byte_count - sent_byte_count
        pieces = self._first_pieces(header, held_count)
        if not self._sent_count and byte_count < WHOLE_BYTE_COUNT:
            (whole,) = cut(pieces, byte_count, 1)
            self._sink.send_whole(whole)
            return 0
        alone = min(MAX_PART_COUNT, byte_count // PART_BYTE_COUNT)
        count = self._plan.head_part_count if self._sent_count else alone
        for number, part in enumerate(cut(pieces, byte_count, count), start=1):
            self._sink.send_part(number, part)
        return count + self._sent_count

    def _first_pieces(self, header: bytes, held_count: int) -> Iterator[bytes | memoryview]:
        """Yield the header, the overviews from smallest to largest, and the held blocks."""
        yield header
        for level in range(self._spool.level_count - 1, 0, -1):
            yield from self._spool.records(level, 0, self._spool.block_count(level))
        yield from self._spool.records(0, 0, held_count)

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
        content = self._spool.joined(0, self._begin, self._next)
        self._begin, self._byte_count = self._next, 0
        self._sent_count += 1
        self._sink.send_part(self._plan.head_part_count + self._sent_count, content)


def cut(
    pieces: Iterable[bytes | memoryview], byte_count: int, part_count: int
) -> Iterator[bytearray]:
    """Join the pieces and yield them as parts of equal length, give or take a byte.

    :param pieces: each is used until the next is taken.
    :param byte_count: their total length.
    """
    following = iter(pieces)
    rest = memoryview(b"")
    for start, end in evenly(byte_count, part_count):
        part = bytearray(end - start)
        place = 0
        while place < len(part):
            rest = rest or memoryview(next(following))
            taken = rest[: len(part) - place]
            part[place : place + len(taken)] = taken
            place, rest = place + len(taken), rest[len(taken) :]
        yield part
