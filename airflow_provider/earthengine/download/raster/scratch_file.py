"""A file in scratch that several threads write and read at any place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.exceptions import ScratchError


class ScratchFile:
    """An open file, empty at first; whoever made it closes it, which removes it.

    Each method raises :class:`ScratchError` if the disk does not take or give what it should.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors_as_scratch():
            self._file = path.open("w+b", buffering=0)

    def write(self, place: int, *pieces: Any) -> None:
        """Write pieces of memory one behind the other, from byte ``place`` on."""
        with self._errors_as_scratch():
            written = os.pwritev(self._file.fileno(), pieces, place)
            # Less is written where the disk fills up, of which the next attempt says so.
            rest = memoryview(b"".join(pieces)) if written < _byte_count(pieces) else b""
            while written < len(rest):
                written += os.pwrite(self._file.fileno(), rest[written:], place + written)

    def read(self, place: int, byte_count: int) -> bytes:
        """Return so many bytes from byte ``place`` on."""
        with self._errors_as_scratch():
            content = os.pread(self._file.fileno(), byte_count, place)
        if len(content) < byte_count:
            raise self._error("a block of it is cut")
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
