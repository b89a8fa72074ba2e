"""Which parts a file is sent in, and what becomes of those under way."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.download.bucket import multipart
from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.multipart import (
    PartSender,
    PartUpload,
    digest_file,
)
from airflow_provider.earthengine.exceptions import AccessDeniedError
from tests.support.scripted_s3 import Answer, Asked, ScriptedS3, refusal, scripted_s3


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[ScriptedS3, Bucket]]:
    with scripted_s3() as server:
        yield server, Bucket(server.client(), "demo")


@pytest.fixture
def server(running: tuple[ScriptedS3, Bucket]) -> ScriptedS3:
    running[0].asked.clear()
    running[0].script = lambda _: None
    return running[0]


@pytest.fixture
def upload(running: tuple[ScriptedS3, Bucket], server: ScriptedS3) -> Iterator[PartUpload]:
    with closing(PartSender()) as sender:
        yield PartUpload(sender, running[1], "a/b.tif", "image/tiff", {"item": "x"})


def asked(server: ScriptedS3, operation: str) -> list[Asked]:
    return [each for each in server.asked if each.operation == operation]


def parts(server: ScriptedS3) -> dict[int, bytes]:
    return {int(each.query["partNumber"]): each.content for each in asked(server, "UploadPart")}


@pytest.mark.parametrize(
    ("byte_count", "wanted"),
    [
        (0, {1: b""}),
        (4, {1: b"0123"}),
        (5, {1: b"0123", 2: b"4"}),
        # Four parts are the most there may be: they get longer.
        (26, {1: b"0123456", 2: b"789abcd", 3: b"efghijk", 4: b"lmnop"}),
    ],
)
def test_a_file_is_sent_in_parts_from_one_on_none_too_short_nor_too_many(
    byte_count: int,
    wanted: dict[int, bytes],
    upload: PartUpload,
    server: ScriptedS3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multipart, "PART_BYTE_COUNT", 4)
    monkeypatch.setattr(multipart, "_MAX_PARTS", 4)
    path = tmp_path / "file"
    path.write_bytes(b"0123456789abcdefghijklmnopqrstuvwxyz"[:byte_count])
    with closing(upload):
        upload.send_file(path)
        opened = upload.take()
    assert parts(server) == wanted
    assert [part["PartNumber"] for part in opened.parts] == sorted(wanted)
    assert (opened.key, opened.upload_id) == ("a/b.tif", "u1")
    (opening,) = asked(server, "CreateMultipartUpload")
    assert opening.says["x-amz-meta-item"] == "x"
    assert opening.says["content-type"] == "image/tiff"
    assert asked(server, "AbortMultipartUpload") == []
    assert digest_file(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_whole_file_is_one_part_and_says_its_digest(
    upload: PartUpload, server: ScriptedS3
) -> None:
    with closing(upload):
        upload.send_whole(b"short")
        upload.take()
    assert parts(server) == {1: b"short"}
    (opening,) = asked(server, "CreateMultipartUpload")
    assert opening.says["x-amz-meta-sha256"] == hashlib.sha256(b"short").hexdigest()


def test_an_upload_that_nobody_takes_is_aborted_after_its_parts(
    upload: PartUpload, server: ScriptedS3
) -> None:
    begun, release = threading.Event(), threading.Event()

    def slowly(request: Asked) -> Answer | None:
        if request.operation == "UploadPart":
            begun.set()
            release.wait(30)
        return None

    server.script = slowly
    upload.send_part(1, b"one")
    assert begun.wait(30)
    closer = threading.Thread(target=upload.close)
    closer.start()
    closer.join(0.2)
    # A part that arrives after the abort would be kept, and paid for.
    assert asked(server, "AbortMultipartUpload") == []
    release.set()
    closer.join(30)
    (abort,) = asked(server, "AbortMultipartUpload")
    assert abort.query == {"uploadId": "u1"}


def test_a_part_that_failed_is_raised_by_the_next_and_by_the_end(
    upload: PartUpload, server: ScriptedS3
) -> None:
    server.script = lambda request: (
        refusal("AccessDenied", 403) if request.query.get("partNumber") == "1" else None
    )
    with closing(upload):
        upload.send_part(1, b"one")
        with pytest.raises(AccessDeniedError):
            upload.take()
        with pytest.raises(AccessDeniedError):
            upload.send_part(2, b"two")
    assert set(parts(server)) == {1}


def test_nothing_sent_is_nothing_to_take(upload: PartUpload, server: ScriptedS3) -> None:
    with closing(upload), pytest.raises(ValueError, match=r"Nothing was sent to a/b\.tif"):
        upload.take()
    assert server.asked == []


@pytest.mark.parametrize(
    ("under_way", "waits"),
    [
        pytest.param([8 << 20, 8 << 20], 1, id="two parts"),
        pytest.param([24 << 20], (24 << 20) + 1, id="48 MiB"),
        pytest.param([60 << 20], 1, id="a longer part"),
    ],
)
def test_parts_under_way_are_bounded_and_the_sender_waits_for_them(
    under_way: list[int], waits: int
) -> None:
    release = threading.Event()
    done: list[int] = []

    def send(byte_count: int) -> Any:
        release.wait(30)
        done.append(byte_count)
        return {"PartNumber": 1}

    sender = PartSender()
    for byte_count in under_way:
        sender.submit(byte_count, partial(send, byte_count))
    late = threading.Thread(target=lambda: sender.submit(waits, lambda: send(waits)).result(30))
    late.start()
    late.join(0.2)
    assert late.is_alive()
    release.set()
    late.join(30)
    assert not late.is_alive()
    sender.close()
    assert sorted(done) == sorted([*under_way, waits])


def test_long_parts_go_in_pairs() -> None:
    both = threading.Barrier(2)
    with closing(PartSender()) as sender:
        futures = [sender.submit(24 << 20, lambda: {"PartNumber": both.wait(30)}) for _ in range(2)]
        assert {future.result(30)["PartNumber"] for future in futures} == {0, 1}


def test_closing_a_sender_waits_for_what_is_under_way() -> None:
    release = threading.Event()
    sender = PartSender()
    future = sender.submit(1, lambda: {"PartNumber": int(release.wait(30))})
    threading.Timer(0.2, release.set).start()
    sender.close()
    assert future.result(0) == {"PartNumber": 1}
