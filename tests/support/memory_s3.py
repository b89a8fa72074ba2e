"""A bucket in memory with S3's semantics, as far as publishing uses them, and a client for it.

ETags are digests of the content, so that the same content has the same ETag again; conditions are
judged and writes are done at once, as one step.
"""

# ruff: noqa: N803 - boto3's names

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from airflow_provider.earthengine.download.bucket.bucket import Bucket


@dataclass(frozen=True)
class Semantics:
    """What stores do differently.

    :param condition_first: an upload that is gone, with a condition that fails: 412, not 404.
    :param absent_is_412: If-Match where nothing is: 412, not 404.
    :param repeats_complete: an upload that was completed answers so again, and does nothing.
    """

    condition_first: bool = False
    absent_is_412: bool = False
    repeats_complete: bool = False


AWS = Semantics()
SEAWEEDFS = Semantics(condition_first=True, absent_is_412=True)
MINISTACK = Semantics(repeats_complete=True)


@dataclass(frozen=True)
class Stored:
    """An object."""

    content: bytes
    etag: str
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Upload:
    """An open upload."""

    key: str
    metadata: tuple[tuple[str, str], ...]
    parts: tuple[bytes, ...] = ()


@dataclass
class Store:
    """The bucket: its objects by key, and its open uploads by id."""

    semantics: Semantics = AWS
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    completed: dict[str, str] = field(default_factory=dict)

    def copy(self) -> Store:
        return Store(
            self.semantics, dict(self.objects), dict(self.uploads), dict(self.completed)
        )  # fmt: skip

    def state(self) -> Any:
        """Return what tells this store from another."""
        return (
            frozenset(self.objects.items()),
            frozenset(self.uploads.items()),
            frozenset(self.completed),
        )

    def put(self, key: str, content: bytes, metadata: Mapping[str, str] | None = None) -> str:
        etag = f'"{_md5(content).hex()}"'
        self.objects[key] = Stored(content, etag, _frozen(metadata or {}))
        return etag

    def complete(self, upload_id: str, refuse: Callable[[], None]) -> str:
        if self.semantics.repeats_complete and upload_id in self.completed:
            return self.completed[upload_id]
        if self.semantics.condition_first:
            refuse()
        if upload_id not in self.uploads:
            raise error("NoSuchUpload", 404)
        refuse()
        upload = self.uploads.pop(upload_id)
        parts = upload.parts
        etag = f'"{_md5(b"".join(map(_md5, parts))).hex()}-{len(parts)}"'
        self.objects[upload.key] = Stored(b"".join(parts), etag, upload.metadata)
        self.completed[upload_id] = etag
        return etag

    def refuse(self, key: str, condition: Mapping[str, Any]) -> None:
        """Raise unless the key is as a condition says."""
        found = self.objects.get(key)
        if "IfNoneMatch" in condition and found:
            raise error("PreconditionFailed", 412)
        if wanted := condition.get("IfMatch"):
            if found is None and not self.semantics.absent_is_412:
                raise error("NoSuchKey", 404)
            if found is None or found.etag != wanted:
                raise error("PreconditionFailed", 412)


class MemoryClient:
    """What of boto3's S3 client is used, on a :class:`Store`.

    :param name: makes the ids of this client's uploads its own, and the same in each run.
    :param gate: calls what it is given, as one step; what opens and fills uploads is none, for
        nobody else can see it.
    """

    def __init__(
        self, store: Store, name: str, gate: Callable[[str, Callable[[], Any]], Any]
    ) -> None:
        self._store = store
        self._name = name
        self._gate = gate
        self._opened = 0

    def get_paginator(self, operation: str) -> MemoryClient:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        def run() -> dict[str, Any]:
            found = sorted(self._store.objects.items())
            return {
                "Contents": [
                    {"Key": key, "Size": len(each.content), "ETag": each.etag}
                    for key, each in found
                    if key.startswith(Prefix)
                ]
            }

        yield self._gate(f"list {Prefix}", run)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        def run() -> dict[str, Any]:
            stored = self._found(Key)
            return {"ETag": stored.etag, "Content": stored.content}

        answer = dict(self._gate(f"get {Key}", run))
        content = answer.pop("Content")
        return {**answer, "Body": StreamingBody(io.BytesIO(content), len(content))}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        def run() -> dict[str, Any]:
            stored = self._found(Key)
            return {
                "ETag": stored.etag,
                "ContentLength": len(stored.content),
                "Metadata": dict(stored.metadata),
            }

        answer: dict[str, Any] = self._gate(f"head {Key}", run)
        return answer

    def put_object(self, *, Bucket: str, Key: str, Body: Any, **given: Any) -> dict[str, Any]:
        content = Body if isinstance(Body, bytes) else Body.read()

        def run() -> dict[str, Any]:
            self._store.refuse(Key, given)
            return {"ETag": self._store.put(Key, content)}

        answer: dict[str, Any] = self._gate(f"put {Key}", run)
        return answer

    def delete_object(self, *, Bucket: str, Key: str, **given: Any) -> None:
        def run() -> None:
            self._store.refuse(Key, given)
            self._store.objects.pop(Key, None)

        self._gate(f"delete {Key}", run)

    def create_multipart_upload(
        self, *, Bucket: str, Key: str, Metadata: Mapping[str, str], **_: Any
    ) -> dict[str, Any]:
        self._opened += 1
        upload_id = f"{self._name}-{self._opened}"
        self._store.uploads[upload_id] = Upload(Key, _frozen(Metadata))
        return {"UploadId": upload_id}

    def upload_part(
        self, *, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes, **_: Any
    ) -> dict[str, Any]:
        upload = self._store.uploads[UploadId]
        assert PartNumber == len(upload.parts) + 1
        self._store.uploads[UploadId] = replace(upload, parts=(*upload.parts, Body))
        return {"ETag": _md5(Body).hex()}

    def complete_multipart_upload(
        self, *, Bucket: str, Key: str, UploadId: str, **given: Any
    ) -> dict[str, Any]:
        def run() -> dict[str, Any]:
            return {
                "ETag": self._store.complete(UploadId, lambda: self._store.refuse(Key, given))
            }  # fmt: skip

        answer: dict[str, Any] = self._gate(f"complete {Key}", run)
        return answer

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> None:
        def run() -> None:
            if self._store.uploads.pop(UploadId, None) is None:
                raise error("NoSuchUpload", 404)

        self._gate(f"abort {Key}", run)

    def _found(self, key: str) -> Stored:
        if key not in self._store.objects:
            raise error("NoSuchKey", 404)
        return self._store.objects[key]


def bucket_on(store: Store) -> Bucket:
    """Return the bucket, on a client that does each request at once."""
    client: Any = MemoryClient(store, "it", lambda _, act: act())
    return Bucket(client, "bucket")


def error(code: str, status: int) -> ClientError:
    """Return the error that the client raises for an answer."""
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # no more is read
        "Operation",
    )


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def _frozen(metadata: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(metadata.items()))
