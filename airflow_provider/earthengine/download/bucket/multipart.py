"""The parts of uploads, several under way at a time, until a file is complete."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.objects import OpenUpload

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

# S3 takes at most 10,000 parts of at least 5 MiB each.
# Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, read 2026-11.
PART_BYTE_COUNT = 8 << 20
_MAX_PARTS = 10_000

# Those under way are in memory. The long ones at the end of a COG go in pairs, too: by then no tile
# is in memory any more. A still longer part goes alone.
_PARTS_UNDER_WAY = 2
_BYTES_UNDER_WAY = 48 << 20
_GLANCE_SECONDS = 0.5


class PartSender:
    """Sends the parts of all uploads of one download. Whoever makes it closes it.

    :param check: raises when the download was cancelled, for those who wait.
    """

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self._check = check
        self._changed = threading.Condition()
        self._count = self._byte_count = 0
        self._pool = ThreadPoolExecutor(_PARTS_UNDER_WAY, "earthengine-upload")

    def submit(
        self, byte_count: int, send: Callable[[], CompletedPartTypeDef]
    ) -> Future[CompletedPartTypeDef]:
        """Send a part soon; wait until there is room for its bytes."""
        with self._changed:
            while not self._has_room(byte_count):
                self._check()
                self._changed.wait(_GLANCE_SECONDS)
            self._count += 1
            self._byte_count += byte_count
        future = self._pool.submit(send)
        future.add_done_callback(lambda _: self._make_room(byte_count))
        return future

    def close(self) -> None:
        """Wait for the parts in flight, and start no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _has_room(self, byte_count: int) -> bool:
        is_short = self._byte_count + byte_count <= _BYTES_UNDER_WAY
        return not self._count or (self._count < _PARTS_UNDER_WAY and is_short)

    def _make_room(self, byte_count: int) -> None:
        with self._changed:
            self._count -= 1
            self._byte_count -= byte_count
            self._changed.notify_all()


class PartUpload:
    """The upload of one object, opened by its first part. Whoever makes it closes it.

    :param metadata: of the object, as far as it is known before its first byte.
    """

    def __init__(
        self,
        sender: PartSender,
        bucket: Bucket,
        key: str,
        media_type: str,
        metadata: Mapping[str, str],
    ) -> None:
        self._sender = sender
        self._bucket = bucket
        self._key = key
        self._media_type = media_type
        self._metadata = dict(metadata)
        self._upload: OpenUpload | None = None
        self._parts: dict[int, Future[CompletedPartTypeDef]] = {}
        self._under_way: list[Future[CompletedPartTypeDef]] = []

    def send_part(self, number: int, content: bytes | bytearray) -> None:
        """Send a part, of any number but one that was sent; wait until there is room for it.

        :raises EarthEngineProviderError: it or an earlier one failed.
        """
        if self._upload is None:
            self._upload = self._bucket.create_upload(self._key, self._media_type, self._metadata)
        for part in self._under_way:
            if part.done():
                part.result()
        send = partial(_send, self._bucket, self._upload, number, content)
        self._parts[number] = self._sender.submit(len(content), send)
        self._under_way = [part for part in self._under_way if not part.done()]
        self._under_way.append(self._parts[number])

    def send_whole(self, content: bytes | bytearray) -> None:
        """Send the file as one part; the object says its digest."""
        self._metadata["sha256"] = hashlib.sha256(content).hexdigest()
        self.send_part(1, content)

    def send_file(self, path: Path) -> None:
        """Send a complete file."""
        part_byte_count = max(PART_BYTE_COUNT, -(-path.stat().st_size // _MAX_PARTS))
        with path.open("rb") as file:
            number = 1
            while (content := file.read(part_byte_count)) or number == 1:
                self.send_part(number, content)
                number += 1

    def take(self) -> OpenUpload:
        """Return the upload with all its parts. Now it is the caller's, to complete or to drop.

        :raises EarthEngineProviderError: a part failed.
        """
        parts = tuple(self._parts[number].result() for number in sorted(self._parts))
        if self._upload is None:
            raise ValueError(f"Nothing was sent to {self._key}.")
        upload = OpenUpload(self._upload.key, self._upload.upload_id, parts)
        self._upload = None
        return upload

    def close(self) -> None:
        """Wait for the parts under way, and drop the upload unless it was taken."""
        for part in self._under_way:
            if not part.cancel():
                part.exception()
        if self._upload is not None:
            self._bucket.drop_uploads([self._upload])


def _send(
    bucket: Bucket, upload: OpenUpload, number: int, content: bytes | bytearray
) -> CompletedPartTypeDef:
    return bucket.upload_part(upload, number, content, hashlib.sha256(content).digest())


def digest_file(path: Path) -> str:
    """Return the sha256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
