"""The folder of a demo, which one demo holds at a time, and the temporary one of its servers."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from airflow_provider.earthengine.demo.processes import StackError

_LOCK = ".lock"
_PREFIX = "earthengine-demo-"


@contextmanager
def held_folder(folder: Path) -> Iterator[Path]:
    """Hold the folder's lock; yield an empty folder for the S3 server's data.

    A demo that was killed leaves its data folder, whose name is in the lock; the next one removes
    it.

    :raises StackError: if another demo holds the lock, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("a+")
    except OSError as error:
        text = f"nothing can be written to {folder} ({error.strerror}); name another with --folder"
        raise StackError(text) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = f"another demo runs in {folder}; stop it, or name another with --folder"
            raise StackError(text) from None
        lock.seek(0)
        _remove_left_over(lock.read().strip())
        # In a short path, because sockets are in it.
        data_folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        try:
            lock.truncate(0)
            lock.write(str(data_folder))
            lock.flush()
            yield data_folder
        finally:
            shutil.rmtree(data_folder, ignore_errors=True)
            with suppress(OSError):
                lock.truncate(0)


def _remove_left_over(name: str) -> None:
    path = Path(name)
    if name and path.parent == Path(tempfile.gettempdir()) and path.name.startswith(_PREFIX):
        shutil.rmtree(path, ignore_errors=True)
