"""A scratch file that several threads read and write at any offset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.exceptions import ScratchError


class ScratchFile:
    """A new file. Whoever creates it closes it, which removes it.

    Each method raises :class:`ScratchError` if the disk is full or fails.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors_as_scratch():
            self._file = path.open("w+b", buffering=0)

    def write(self, place: int, *pieces: Any) -> None:
        """Write pieces of memory, one after the other, from offset ``place`` on."""
        with self._errors_as_scratch():
            written = os.pwritev(self._file.fileno(), pieces, place)
            # A disk that fills up takes less than all; the next attempt says why.
            rest = memoryview(b"".join(pieces)) if written < _byte_count(pieces) else b""
            while written < len(rest):
                written += os.pwrite(self._file.fileno(), rest[written:], place + written)

    def read(self, place: int, byte_count: int) -> bytes:
        """Return the bytes from offset ``place`` on."""
        with self._errors_as_scratch():
            content = os.pread(self._file.fileno(), byte_count, place)
        if len(content) < byte_count:
            raise self._error("a block is cut short")
        return content

    def close(self) -> None:
        """Close the file, and remove it."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    @contextmanager
    def _errors_as_scratch(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._error(error.strerror or "no reason given") from None

    def _error(self, reason: str) -> ScratchError:
        return ScratchError(
            f"Scratch {self._path.parent.parent} did not take a raster ({reason}); make room, or "
            "name another place in [earthengine] scratch_directory."
        )


def _byte_count(pieces: tuple[Any, ...]) -> int:
    return sum(memoryview(piece).nbytes for piece in pieces)
