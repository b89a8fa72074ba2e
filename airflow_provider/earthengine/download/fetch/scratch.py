"""A directory on disk for one download: created, checked for free space, and always removed."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider.earthengine.download.worker_limits import find_refusal
from airflow_provider.earthengine.exceptions import EarthEngineProviderError, ScratchError

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.fields.download_limits import DownloadLimits
    from airflow_provider.earthengine.download.plan.requests import Download


_PREFIX = "earthengine-"
_LOCK = ".lock"
_RESERVED_BYTE_COUNT = 2 << 20
_DISK_ERRORS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.ENOENT,
        errno.EIO,
    }
)


@contextmanager
def scratch_directory(parent: Path | None = None) -> Iterator[Path]:
    """Create an empty directory, and remove it at the end of the block.

    A process that is killed leaves its directory behind; the next download in the same place
    removes it. A lock, which ends with its process, shows whether a directory is still in use.

    :param parent: where to create it; by default, in TMPDIR.
    :raises ScratchError: if it cannot be created or written to, or the worker has no memory, open
        files or threads left.
    """
    place = Path(parent or tempfile.gettempdir())
    with _disk_errors_as_ours(place):
        _remove_abandoned(place)
        with _locked_directory(place) as directory:
            yield directory


def check_free(directory: Path, byte_count: int) -> None:
    """Raise if the disk has too little free space.

    :raises ScratchError: if less than ``byte_count`` is free; says how much is.
    """
    free = shutil.disk_usage(directory).free
    if free < byte_count:
        raise ScratchError(
            f"Scratch {directory.parent} has {free:,} bytes free, but the download can take "
            f"{byte_count:,}; free some space, or set [earthengine] scratch_directory to another "
            "place."
        )


@contextmanager
def _locked_directory(place: Path) -> Iterator[Path]:
    while True:
        # Given back before the directory is removed, so that there is memory even if no other is.
        reserve = [bytearray(_RESERVED_BYTE_COUNT)]
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        try:
            # Closed before it is removed, so that a file can be opened even if no other one can.
            with (directory / _LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                # Before it was locked, another process may have removed it as abandoned.
                if os.fstat(lock.fileno()).st_nlink:
                    yield directory
                    return
        finally:
            reserve.clear()
            _remove(directory)


def _remove(directory: Path) -> None:
    """Remove a directory with at most one open file at a time, unlike shutil.rmtree."""
    for folder, _, names in os.walk(directory, topdown=False):
        for name in names:
            (Path(folder) / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # Another process may be removing it as abandoned.
            Path(folder).rmdir()


def _remove_abandoned(place: Path) -> None:
    for directory in place.glob(f"{_PREFIX}*"):
        try:
            with (directory / _LOCK).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue  # It is in use, or belongs to another user.


@contextmanager
def _disk_errors_as_ours(place: Path) -> Iterator[None]:
    try:
        yield
    except EarthEngineProviderError:
        raise
    except Exception as error:
        refusal = _disk_error(error, place) or find_refusal(error)
        if refusal is None:
            raise
        raise refusal from None


def _disk_error(error: Exception, place: Path) -> ScratchError | None:
    """Return the error for what the disk refused; None if it was not scratch's disk."""
    if not isinstance(error, OSError) or error.errno not in _DISK_ERRORS:
        return None
    if not _is_below(error.filename, place):
        return None
    remedy = "free some space, make it writable"
    if error.errno == errno.EFBIG:
        remedy = "raise the worker's limit on the length of a file (ulimit -f)"
    return ScratchError(
        f"Scratch {place} cannot be used ({os.strerror(error.errno)}); {remedy}, or set "
        "[earthengine] scratch_directory to another place."
    )


def _is_below(filename: object, place: Path) -> bool:
    """Return whether the error concerns a file in scratch; a full disk names no file."""
    return filename is None or str(filename).startswith(str(place))


def scratch_byte_count(download: Download, limits: DownloadLimits) -> int:
    """Return the most bytes that a download takes on disk, as far as known in advance.

    :param download: may have only some of its tiles.
    """
    from airflow_provider.earthengine.download.plan.tiles import TileBudget

    if not download.tiles:
        return 3 * download.max_body_byte_count
    # COGs, which are little longer than their pixels and a third for overviews; pieces of blocks
    # that wait for the rest; and the bodies being processed.
    bodies = limits.max_concurrent_requests * TileBudget.within(limits).byte_count
    tiles = sum(tile.width * tile.height * tile.band_count for tile in download.tiles)
    whole = sum(
        group.grid.width * group.grid.height * len(group.bands) for group in download.groups
    )
    return 2 * download.raster_byte_count * tiles // whole + bodies
