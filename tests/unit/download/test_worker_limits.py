"""What the system refuses, however it arrives, is named, and says what to raise."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import requests
from botocore.exceptions import HTTPClientError
from rasterio._err import CPLE_OutOfMemoryError
from rasterio.errors import RasterioIOError
from urllib3.exceptions import NewConnectionError

from airflow_provider.earthengine.download.fetch.scratch import scratch_directory
from airflow_provider.earthengine.download.fields.params import GEO_TIFF, NPY
from airflow_provider.earthengine.download.raster.integrity import check_body
from airflow_provider.earthengine.download.worker_limits import find_refusal
from airflow_provider.earthengine.exceptions import EarthEngineProviderError, ScratchError
from airflow_provider.earthengine.task.outcome import failing_for_good


def refused(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def caused_by(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


FILES, MEMORY, THREADS = "ulimit -n", "give it more, or lower", "ulimit -u"
FOUND = {
    "EMFILE": (refused(errno.EMFILE), FILES),
    "ENFILE": (refused(errno.ENFILE), FILES),
    "ENOMEM": (refused(errno.ENOMEM), MEMORY),
    "MemoryError": (MemoryError(), MEMORY),
    "a thread": (RuntimeError("can't start new thread"), THREADS),
    "of requests": (
        requests.ConnectionError(NewConnectionError(None, "x")),  # type: ignore[arg-type]
        None,
    ),
    "in requests": (requests.ConnectionError(refused(errno.EMFILE)), FILES),
    "in botocore": (HTTPClientError(error=MemoryError()), MEMORY),
    "in GDAL": (
        caused_by(RasterioIOError("Read failed"), CPLE_OutOfMemoryError(3, 2, "x")), MEMORY,
    ),
    "of a library": (ImportError("libx.so: failed to map segment from shared object"), MEMORY),
    "another": (ImportError("no module"), None),
    "a full disk": (refused(errno.ENOSPC), None),
}  # fmt: skip


@pytest.mark.parametrize(("error", "remedy"), FOUND.values(), ids=FOUND.keys())
def test_a_refusal_is_found_in_what_wraps_it(error: Exception, remedy: str | None) -> None:
    refusal = find_refusal(error)
    if remedy is None:
        assert refusal is None
        return
    assert refusal is not None
    assert remedy in str(refusal)
    assert "\n" not in str(refusal)


@pytest.mark.parametrize("error", [MemoryError(), refused(errno.EMFILE), refused(errno.ENOMEM)])
def test_what_the_worker_lacks_anywhere_in_a_task_is_said(error: Exception, tmp_path: Path) -> None:
    for place in (scratch_directory(tmp_path), failing_for_good()):
        with pytest.raises(ScratchError), place:
            raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EFBIG, errno.EDQUOT, errno.ENOSPC, errno.EIO])
def test_what_the_disk_refuses_is_said(number: int, tmp_path: Path) -> None:
    with pytest.raises(ScratchError) as caught, scratch_directory(tmp_path):
        raise refused(number)
    assert os.strerror(number) in str(caught.value)
    assert ("ulimit -f" in str(caught.value)) == (number == errno.EFBIG)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def no_more_files() -> Iterator[None]:
    """Let this process open no file more than it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    taken: list[int] = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def fill(scratch: Path, stack: ExitStack) -> None:
    """Write into scratch until no more files can be opened, which stays so."""
    (scratch / "canvas").mkdir()
    (scratch / "canvas" / "blocks").write_bytes(b"x")
    stack.enter_context(no_more_files())
    (scratch / "body").write_bytes(b"x")


def test_scratch_is_removed_even_if_no_file_can_be_opened(tmp_path: Path) -> None:
    with (
        ExitStack() as stack,
        pytest.raises(ScratchError, match="ulimit -n"),
        scratch_directory(tmp_path) as scratch,
    ):
        fill(scratch, stack)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file_format", [GEO_TIFF, NPY])
def test_a_body_that_cannot_be_opened_is_not_called_damaged(
    tmp_path: Path, file_format: str
) -> None:
    path = tmp_path / "body"
    np.save(path.with_suffix(".npy"), np.zeros((2, 2)))
    path.write_bytes(path.with_suffix(".npy").read_bytes())
    if file_format == GEO_TIFF:
        path.write_bytes(b"II*\0")
    with pytest.raises(OSError, match="Too many open files") as caught, no_more_files():
        check_body(path, file_format, 1 << 20)
    assert not isinstance(caught.value, EarthEngineProviderError)


# In a process of its own: the limit is the whole process's.
_TAG = """
import resource, sys
from pathlib import Path
import numpy as np, rasterio
from airflow_provider.earthengine.download.publish.files import write_nodata
path, more = Path(sys.argv[1]), int(sys.argv[2])
with rasterio.open(path, "w", driver="GTiff", width=9, height=9, count=1, dtype="uint8",
                   transform=rasterio.Affine(1, 0, 5, 0, -1, 5)) as dataset:
    dataset.write(np.ones((1, 9, 9), "uint8"))
limit = path.stat().st_size + more
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    write_nodata(path, 7.0)
except OSError as error:
    print(error.errno)
else:
    print("written", rasterio.open(path).nodata)
"""


@pytest.mark.parametrize(("more", "wanted"), [(0, "5"), (1 << 20, "written 7.0")])
def test_a_tag_that_the_disk_does_not_take_is_not_taken_for_written(
    tmp_path: Path, more: int, wanted: str
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _TAG, str(tmp_path / "body"), str(more)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.stdout.strip() == wanted, run.stderr
