"""Local files that a region may be read from: small regular files inside certain folders.

Whoever triggers a run may choose the file's name. So the deployment decides which folders may be
read, reading neither blocks nor fills the memory, and no error quotes what was read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.download.fields.values import shown
from airflow_provider.earthengine.exceptions import DownloadParamsError

MAX_BYTE_COUNT = limits.MAX_PAYLOAD_BYTE_COUNT
"""A larger region could not be sent to Earth Engine."""


def read_local_file(name: str, folders: Sequence[Path]) -> bytes:
    """Return the content of a file inside one of the folders.

    :param name: a path; a relative one is looked up in each folder.
    :raises DownloadParamsError: if it is not inside a folder, not a regular file, or too large.
    """
    path = _find(name, folders)
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _wrong(f"The region file {shown(name)} is not a regular file.")
            content = file.read(MAX_BYTE_COUNT + 1)
    except OSError as error:
        raise _wrong(
            f"The region file {shown(name)} cannot be read on this worker ({error.strerror}); use "
            "an s3:// URI, or pass the GeoJSON itself."
        ) from None
    check_byte_count(name, content)
    return content


def check_byte_count(name: str, content: bytes) -> None:
    """Raise if a region file is too large.

    :param content: the file, read up to one byte more than it may have.
    :raises DownloadParamsError: if it is.
    """
    if len(content) > MAX_BYTE_COUNT:
        raise _wrong(
            f"The region file {shown(name)} has more than the {MAX_BYTE_COUNT:,} bytes that a "
            "request to Earth Engine may carry; simplify it, or upload it as a table and use the "
            "table's id."
        )


def _open(path: str, flags: int) -> int:
    # Without this, opening a named pipe waits for a writer.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


def _find(name: str, folders: Sequence[Path]) -> Path:
    """Return the file's path with symbolic links resolved; the first that exists."""
    allowed = []
    for folder in folders:
        try:
            path, place = (folder / Path(name).expanduser()).resolve(), folder.resolve()
            if path.is_relative_to(place):
                allowed.append(path)
        except (OSError, RuntimeError, ValueError):
            continue  # A loop of links, an unknown user's home, or a NUL in the name.
    if not allowed:
        raise _wrong(
            f"The region file {shown(name)} is not inside a folder that region files may be read "
            f"from ({', '.join(map(str, folders)) or 'there is none'}); put it into the DAG's "
            "bundle, add its folder to region_folders in Airflow's section [earthengine], or use "
            "an s3:// URI or the GeoJSON itself."
        )
    return next((path for path in allowed if path.exists()), allowed[0])


def _wrong(message: str) -> DownloadParamsError:
    return DownloadParamsError(message, field="region")
