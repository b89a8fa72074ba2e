"""A region's file may be named by whoever triggers a run: what may be read, and what is said."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from airflow_provider.earthengine.download.fields.region_file import (
    MAX_BYTE_COUNT,
    read_local_file,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "regions"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.json").write_bytes(b"inside")
    (tmp_path / "secret.json").write_bytes(b"SECRET")
    return folder


@pytest.mark.parametrize("name", ["{folder}/sub/a.json", "sub/a.json", "./sub/../sub/a.json"])
def test_a_file_below_a_folder_is_read_by_its_path_from_there_or_from_the_root(
    folder: Path, name: str
) -> None:
    folders = [folder.parent / "another", folder]
    assert read_local_file(name.format(folder=folder), folders) == b"inside"


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    (folder / "link.json").symlink_to("sub/a.json")
    assert read_local_file("link.json", [folder]) == b"inside"


@pytest.mark.parametrize(
    "name",
    [
        "{outside}",
        "../secret.json",
        "sub/../../secret.json",
        "{folder}-beside/a.json",
        "link.json",
        "linked/secret.json",
        "/etc/passwd",
        "/etc/no-such-file",
        "~nobody-of-this-name/a.json",
        "~/a.json",
        "a\0.json",
        "loop.json",
    ],
)
def test_what_is_not_below_a_folder_is_refused_whether_or_not_it_exists(
    folder: Path, name: str
) -> None:
    outside = folder.parent / "secret.json"
    (folder / "link.json").symlink_to(outside)
    (folder / "linked").symlink_to(folder.parent)
    (folder / "loop.json").symlink_to("loop.json")
    beside = folder.parent / f"{folder.name}-beside"
    beside.mkdir()
    (beside / "a.json").write_bytes(b"SECRET")
    with pytest.raises(DownloadParamsError) as caught:
        read_local_file(name.format(outside=outside, folder=folder), [folder])
    assert "is not inside a folder" in str(caught.value)
    assert "region_folders" in str(caught.value)


def test_without_folders_nothing_is_read(folder: Path) -> None:
    with pytest.raises(DownloadParamsError, match="there is none"):
        read_local_file(str(folder / "sub" / "a.json"), [])


def test_a_pipe_that_nobody_writes_to_blocks_nothing(folder: Path) -> None:
    os.mkfifo(folder / "pipe.json")
    started = time.monotonic()
    with pytest.raises(DownloadParamsError, match="is not a regular file"):
        read_local_file("pipe.json", [folder])
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/tty", "/dev", "sub"])
def test_what_is_no_regular_file_is_not_read(folder: Path, name: str) -> None:
    with pytest.raises(DownloadParamsError, match=r"is not a regular file|cannot be read"):
        read_local_file(name, [folder, Path("/dev")])


def test_a_file_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(DownloadParamsError, match="cannot be read on this worker"):
        read_local_file("absent.json", [folder])


def test_a_file_larger_than_a_request_is_refused_and_not_read_to_its_end(folder: Path) -> None:
    with (folder / "large.json").open("wb") as file:
        file.truncate(50 << 30)  # fifty gibibytes of nothing
    with pytest.raises(DownloadParamsError, match="more than the 10,485,760 bytes"):
        read_local_file("large.json", [folder])
    (folder / "full.json").write_bytes(b" " * MAX_BYTE_COUNT)
    assert len(read_local_file("full.json", [folder])) == MAX_BYTE_COUNT
