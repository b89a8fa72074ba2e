"""A place on disk for one download: made, bounded by what is free, and removed, come what may."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider.earthengine.exceptions import EarthEngineProviderError, ScratchError

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.fields.download_limits import DownloadLimits
    from airflow_provider.earthengine.download.plan.requests import Download


_PREFIX = "earthengine-"
_LOCK = ".lock"
_DISK_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO}
)


@contextmanager
def scratch_directory(parent: Path | None = None) -> Iterator[Path]:
    """Give a new, empty directory, and remove it at the end.

    A process that is killed leaves its directory behind; the next one in the same place removes
    it, and knows by a lock, which ends with its process, that nobody uses it any more.

    :param parent: where; by default the place that TMPDIR names.
    :raises ScratchError: when it cannot be made or written to.
    """
    place = Path(parent or tempfile.gettempdir())
    with _disk_errors_as_ours(place):
        _remove_abandoned(place)
        with _locked_directory(place) as directory:
            yield directory


def check_free(directory: Path, byte_count: int) -> None:
    """Raise if the disk has no room for so many bytes.

    :raises ScratchError: always then; says how much there is.
    """
    free = shutil.disk_usage(directory).free
    if free < byte_count:
        raise ScratchError(
            f"Scratch {directory.parent} has {free:,} bytes free, and the download can take "
            f"{byte_count:,}; free some, or name another place in [earthengine] scratch_directory."
        )


@contextmanager
def _locked_directory(place: Path) -> Iterator[Path]:
    while True:
        with (
            tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place) as name,
            (Path(name) / _LOCK).open("w") as lock,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Before it was locked, another process may have taken it for abandoned.
            if os.fstat(lock.fileno()).st_nlink:
                yield Path(name)
                return


def _remove_abandoned(place: Path) -> None:
    for directory in place.glob(f"{_PREFIX}*"):
        try:
            with (directory / _LOCK).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue  # It is in use, or somebody else's.


@contextmanager
def _disk_errors_as_ours(place: Path) -> Iterator[None]:
    try:
        yield
    except EarthEngineProviderError:
        raise
    except OSError as error:
        if error.errno not in _DISK_ERRORS or not _is_below(error.filename, place):
            raise
        raise ScratchError(
            f"Scratch {place} cannot be used ({error.strerror}); make room or make it writable, or "
            "name another place in [earthengine] scratch_directory."
        ) from None


def _is_below(filename: object, place: Path) -> bool:
    """Return whether the error is of a file in scratch; a full disk names no file at all."""
    return filename is None or str(filename).startswith(str(place))


def scratch_byte_count(download: Download, limits: DownloadLimits) -> int:
    """Return the most that a download takes on disk, as far as that is known before."""
    from airflow_provider.earthengine.download.plan.tiles import TileBudget

    if not download.tiles:
        return 3 * download.max_body_byte_count
    # The canvas and the file that is made of it, and the bodies that are worked on.
    bodies = limits.max_concurrent_requests * TileBudget.within(limits).byte_count
    return 2 * download.raster_byte_count + bodies
