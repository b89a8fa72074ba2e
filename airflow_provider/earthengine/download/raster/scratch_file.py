"""A scratch file that several threads read and write at any offset."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any


class ScratchFile:
    """A new file. Whoever creates it closes it, which removes it.

    Each method raises :class:`OSError` if the disk is full or fails.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w+b", buffering=0)

    def write(self, place: int, *pieces: Any) -> None:
        """Write pieces of memory, one after the other, from offset ``place`` on."""
        written = os.pwritev(self._file.fileno(), pieces, place)
        # A disk that fills up takes less than all; the next attempt says why.
        rest = memoryview(b"".join(pieces)) if written < _byte_count(pieces) else b""
        while written < len(rest):
            written += os.pwrite(self._file.fileno(), rest[written:], place + written)

    def read(self, place: int, byte_count: int) -> bytes:
        """Return the bytes from offset ``place`` on."""
        content = os.pread(self._file.fileno(), byte_count, place)
        self._check(len(content), byte_count)
        return content

    def read_into(self, place: int, memory: memoryview) -> None:
        """Fill memory with the bytes from offset ``place`` on."""
        self._check(os.preadv(self._file.fileno(), [memory], place), len(memory))

    def close(self) -> None:
        """Close the file, and remove it."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _check(self, byte_count: int, wanted: int) -> None:
        if byte_count < wanted:
            raise OSError(errno.EIO, "a scratch file is cut short", str(self._path))


def _byte_count(pieces: tuple[Any, ...]) -> int:
    return sum(memoryview(piece).nbytes for piece in pieces)
