"""What the operating system refuses a worker -> :class:`ScratchError`, which says what to raise.

Memory, open files and threads run out in any line of code, often inside a library that wraps the
error in its own. Files that are too large, or a disk that is full, are scratch's.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from airflow_provider.earthengine.exceptions import ScratchError

_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_MEMORY = frozenset({errno.ENOMEM, errno.ENOBUFS})
# CPython has no class for it. Source: https://github.com/python/cpython,
# ``Modules/_threadmodule.c``, release 3.13.
_NO_THREAD = "can't start new thread"
# GDAL's and zstd's own classes, which cannot be imported here.
_MEMORY_CLASSES = frozenset({"CPLE_OutOfMemoryError"})
_MEMORY_TEXTS = ("not enough memory", "failed to map segment", "cannot allocate memory")
# An error wraps another at most so deep.
_MAX_DEPTH = 12


def find_refusal(error: BaseException) -> ScratchError | None:
    """Return the error that says which of the worker's limits was reached; None if none was.

    :param error: as it arrived, or any error that wraps it.
    """
    for each in _wrapped_in(error):
        number = each.errno if isinstance(each, OSError) else None
        if number in _FILES or (isinstance(each, ImportError) and not _can_open_files()):
            return ScratchError(
                "This worker cannot open more files (Too many open files); raise its limit "
                "(ulimit -n), or lower limits['max_concurrent_requests']."
            )
        if number == errno.EFBIG:
            return ScratchError(
                "This worker cannot write a file of that length (File too large); raise its limit "
                "(ulimit -f)."
            )
        if number in _MEMORY or _is_of_memory(each):
            return ScratchError(
                "This worker has no memory left (Cannot allocate memory); give it more, or lower "
                "limits['max_concurrent_requests'] or limits['tile_byte_count']."
            )
        if isinstance(each, RuntimeError) and _NO_THREAD in _text(each):
            return ScratchError(
                f"This worker cannot start another thread ({_NO_THREAD}); raise its limit "
                "(ulimit -u), give it more memory, or lower limits['max_concurrent_requests']."
            )
    return None


def _is_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ in _MEMORY_CLASSES:
        return True
    is_of_library = isinstance(error, ImportError) or type(error).__name__ == "ZstdError"
    return is_of_library and any(text in _text(error) for text in _MEMORY_TEXTS)


def _can_open_files() -> bool:
    """Return whether a file can be opened now; Python takes modules for missing otherwise."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno not in _FILES
    return True


def _text(error: BaseException) -> str:
    return str(error).lower()


def _wrapped_in(error: BaseException, depth: int = _MAX_DEPTH) -> Iterator[BaseException]:
    """Yield the error, and those that it wraps in the ways of requests, urllib3 and botocore."""
    yield error
    if depth == 0:
        return
    details = getattr(error, "kwargs", None)
    inner = [
        error.__cause__ or error.__context__,
        getattr(error, "reason", None),
        details.get("error") if isinstance(details, dict) else None,
        *error.args,
    ]
    for each in inner:
        if isinstance(each, BaseException):
            yield from _wrapped_in(each, depth - 1)
            return
