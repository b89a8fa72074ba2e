"""A disk that does not take or give what it should is an error of the disk, never a short block."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from airflow_provider.earthengine.download.raster.scratch_file import ScratchFile


def test_pieces_are_written_one_behind_the_other(tmp_path: Path) -> None:
    file = ScratchFile(tmp_path / "file")
    file.write(10, b"one", memoryview(b"two"), b"")
    assert file.read(10, 6) == b"onetwo"
    file.close()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    file = ScratchFile(tmp_path / "full")
    with pytest.raises(OSError, match="No space left"):
        file.write(0, b"content")
    file.close()
    assert Path("/dev/full").exists()


def test_a_disk_that_fills_up_within_a_block_is_told(tmp_path: Path) -> None:
    file = ScratchFile(tmp_path / "file")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            file.write(0, bytes(600), bytes(600))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read(0, 1000) == bytes(1000)
    file.close()


def test_a_block_that_is_cut_is_told(tmp_path: Path) -> None:
    file = ScratchFile(tmp_path / "file")
    file.write(0, b"short")
    with pytest.raises(OSError, match="cut"):
        file.read(0, 6)
    file.close()


def test_a_directory_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        ScratchFile(tmp_path / "gone" / "file")
