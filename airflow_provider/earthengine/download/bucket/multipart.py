"""A file -> the parts of an open upload, several at a time, even while the file is being written.

Parts of a growing file are sent on the assumption that they no longer change. Once the file is
complete it is read again, and each part that has changed is sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.objects import OpenUpload

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

# S3 accepts at most 10,000 parts of at least 5 MiB each; those in flight are held in memory.
# Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, read 2026-11.
PART_BYTE_COUNT = 8 << 20
_MAX_PARTS = 10_000
_PARTS_UNDER_WAY = 3


class FileUpload:
    """The upload of one file; the caller closes it, and aborts its ``open_upload`` if incomplete.

    :param max_byte_count: an upper bound of the file's size.
    """

    def __init__(
        self,
        bucket: Bucket,
        key: str,
        media_type: str,
        metadata: Mapping[str, str],
        max_byte_count: int,
    ) -> None:
        self._bucket = bucket
        self._part_byte_count = max(PART_BYTE_COUNT, -(-max_byte_count // _MAX_PARTS))
        self.open_upload = bucket.create_upload(key, media_type, metadata)
        self._pool = ThreadPoolExecutor(_PARTS_UNDER_WAY, "earthengine-upload")
        self._digests: dict[int, bytes] = {}
        self._parts: dict[int, Future[CompletedPartTypeDef]] = {}

    def send_grown(self, path: Path) -> None:
        """Send the parts that the file has grown past, as many as may be in flight.

        The first part holds the directory, which GDAL writes last, so it is sent at the end.
        """
        if not path.exists():
            return
        whole = path.stat().st_size // self._part_byte_count - 1
        with path.open("rb") as file:
            for number in range(len(self._parts) + 2, whole + 1):
                if len(self._under_way()) >= _PARTS_UNDER_WAY:
                    return
                file.seek((number - 1) * self._part_byte_count)
                content = file.read(self._part_byte_count)
                self._send(number, content, hashlib.sha256(content).digest())

    def finish(self, path: Path) -> OpenUpload:
        """Send the missing parts of the complete file, and return the upload."""
        number = 0
        with path.open("rb") as file:
            while (content := file.read(self._part_byte_count)) or number == 0:
                number += 1
                digest = hashlib.sha256(content).digest()
                if self._digests.get(number) != digest:
                    if len(self._under_way()) >= _PARTS_UNDER_WAY:
                        wait(self._under_way(), return_when=FIRST_COMPLETED)
                    self._send(number, content, digest)
        parts = tuple(self._parts[index].result() for index in range(1, number + 1))
        return OpenUpload(self.open_upload.key, self.open_upload.upload_id, parts)

    def close(self) -> None:
        """Wait for the parts in flight, and start no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _send(self, number: int, content: bytes, digest: bytes) -> None:
        before = self._parts.get(number)
        if before is not None:
            before.result()  # Resend a part only after its first send, or older bytes might win.
        self._digests[number] = digest
        self._parts[number] = self._pool.submit(
            self._bucket.upload_part, self.open_upload, number, content, digest
        )

    def _under_way(self) -> list[Future[CompletedPartTypeDef]]:
        return [part for part in self._parts.values() if not part.done()]


def digest_file(path: Path) -> str:
    """Return the sha256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
