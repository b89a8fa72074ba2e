"""Stretches of a COG -> parts of an open upload, several under way at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.errors import UploadConflictError
from airflow_provider.earthengine.download.bucket.objects import OpenUpload
from airflow_provider.earthengine.download.raster.cog_parts import MIN_PART_BYTE_COUNT
from airflow_provider.earthengine.download.raster.stretch import Stretch
from airflow_provider.earthengine.download.sections.record import SentPart
from airflow_provider.earthengine.exceptions import ServiceUnavailableError

_PARTS_UNDER_WAY = 3


def padded_byte_count(byte_count: int, part_count: int) -> int:
    """Return the length of a stretch that has to be cut into so many parts."""
    return max(byte_count, part_count * MIN_PART_BYTE_COUNT)


def send_stretch(
    bucket: Bucket,
    upload: OpenUpload,
    first: int,
    part_count: int,
    stretch: Stretch,
    check: Callable[[], None] = lambda: None,
) -> tuple[SentPart, ...]:
    """Send all of a stretch.

    :param first: the number of its first part.
    :param check: raises when the download was cancelled.
    :raises UploadConflictError: if the upload was completed or aborted.
    """

    def send(number: int, start: int, stop: int) -> SentPart:
        check()
        with stretch.open(start, stop) as content:
            digest = hashlib.file_digest(content, "sha256")  # type: ignore[arg-type]  # It has readinto.
            content.seek(0)
            sent = bucket.upload_part(upload, number, content, digest.digest())
        return SentPart(number, sent["ETag"], digest.hexdigest(), stop - start)

    bounds = stretch.cut(part_count)
    with ThreadPoolExecutor(_PARTS_UNDER_WAY, "earthengine-upload") as pool:
        sent = [pool.submit(send, first + n, *each) for n, each in enumerate(bounds)]
        try:
            return tuple(part.result() for part in sent)
        except ServiceUnavailableError as error:
            if is_gone(error):
                raise UploadConflictError from None
            raise
        finally:
            for part in sent:
                part.cancel()


def is_gone(error: ServiceUnavailableError) -> bool:
    """Return whether the store no longer knows an upload."""
    return error.facts.get("code") == "NoSuchUpload"
