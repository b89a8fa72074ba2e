import errno
import fcntl
import mmap
import multiprocessing
import os
import resource
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.download.fetch import scratch
from airflow_provider.earthengine.download.fetch.scratch import check_free, scratch_directory
from airflow_provider.earthengine.exceptions import PlanError, ScratchError


def test_scratch_is_removed_however_the_work_ends(tmp_path: Path) -> None:
    with scratch_directory(tmp_path) as directory:
        (directory / "body").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PlanError), scratch_directory(tmp_path):
        raise PlanError("no")
    assert list(tmp_path.iterdir()) == []


def _be_killed(place: Path) -> None:
    with scratch_directory(place):
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_be_killed, args=(tmp_path,))
    process.start()
    process.join()
    assert len(list(tmp_path.iterdir())) == 1
    with scratch_directory(tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine]
        with scratch_directory(tmp_path) as another:
            assert set(tmp_path.iterdir()) == {mine, another}


def _take_all_memory(place: Path) -> None:
    taken: list[bytes] = []
    try:
        with scratch_directory(place) as directory:
            (directory / "body").write_bytes(b"x")
            have = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
            resource.setrlimit(resource.RLIMIT_AS, (have + (4 << 20), resource.RLIM_INFINITY))
            for byte_count in (1 << 20, 1 << 14, 1 << 10, 256, 64):
                with suppress(MemoryError):
                    while True:
                        taken.append(bytes(byte_count))
            raise MemoryError
    except ScratchError:
        os._exit(len(taken) > 0)


def test_scratch_is_removed_though_no_memory_is_left(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_take_all_memory, args=(tmp_path,)
    )
    process.start()
    process.join()
    assert process.exitcode == 1
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_took_for_abandoned_before_it_was_locked_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    sweeps = []

    def sweep_first(file: Any, operation: int) -> None:
        # Two processes would meet here once in thousands of times.
        if not sweeps:
            sweeps.append(list(tmp_path.iterdir()))
            with scratch_directory(tmp_path):
                pass
        lock(file, operation)

    monkeypatch.setattr(scratch.fcntl, "flock", sweep_first)
    with scratch_directory(tmp_path) as directory:
        assert sweeps == [[removed := sweeps[0][0]]]
        assert not removed.exists()
        (directory / "body").write_bytes(b"x")
        assert list(tmp_path.iterdir()) == [directory]
    assert list(tmp_path.iterdir()) == []


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "earthengine-notes").mkdir()
    with scratch_directory(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["earthengine-notes"]


def test_too_little_room_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    with scratch_directory(tmp_path) as directory:
        check_free(directory, 1)
        with pytest.raises(ScratchError, match=r"bytes free, but the download can take 1,0{3}"):
            check_free(directory, 10**18)


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(ScratchError, match=r"No such file.*scratch_directory"),
        scratch_directory(tmp_path / "absent"),
    ):
        pass


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_full_or_read_only_disk_is_told_in_one_sentence(tmp_path: Path, number: int) -> None:
    with pytest.raises(ScratchError) as caught, scratch_directory(tmp_path):
        raise OSError(number, os.strerror(number))
    assert os.strerror(number) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_another_file_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), scratch_directory(tmp_path):
        Path("/no/such/file").read_bytes()
