"""What a bucket reports about its objects, and the state of a key that a write expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef


NO_ETAG = '"00000000000000000000000000000000"'
"""The ETag of no object: ETags are digests of something."""


@dataclass(frozen=True)
class ListedObject:
    """What a listing reports about an object."""

    byte_count: int
    etag: str


@dataclass(frozen=True)
class HeadedObject:
    """An object's own metadata: size in bytes, ETag, user metadata with lower-case keys."""

    byte_count: int
    etag: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class OpenUpload:
    """A multipart upload and its parts; nothing is visible until it is completed."""

    key: str
    upload_id: str
    parts: tuple[CompletedPartTypeDef, ...]


@dataclass(frozen=True)
class Precondition:
    """The state of the key that a write expects: absent, or with this ETag."""

    etag: str | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the S3 client's arguments for the condition."""
        return {"IfMatch": self.etag} if self.etag else {"IfNoneMatch": "*"}
