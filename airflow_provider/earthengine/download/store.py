"""One bucket: conditional reads and writes with the raw S3 client, its errors translated.

boto3's managed transfer cannot write conditionally, so uploads are opened, filled and completed
here one by one. When to write what is not decided here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from airflow_provider.earthengine.download.conditions import honours_conditions
from airflow_provider.earthengine.download.retry import scrub
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    EarthEngineProviderError,
    FetchTimeoutError,
    QuotaExceededError,
    ServiceUnavailableError,
    StoredObjectMismatchError,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

# S3 takes at most 10,000 parts of at least 5 MiB each; a part is held in memory.
# Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, read 2026-11.
_PART_BYTE_COUNT = 16 << 20
_MAX_PARTS = 10_000

_CONDITION_FAILED = frozenset({"PreconditionFailed", "412"})
_CONFLICT = frozenset({"ConditionalRequestConflict", "NoSuchUpload", "409"})
_NOT_FOUND = frozenset({"NoSuchKey", "404"})
_DENIED = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken",
     "401", "403"}
)  # fmt: skip


class ConditionFailedError(Exception):
    """The key is not in the state that the write was made for. Never leaves this package."""


class UploadConflictError(Exception):
    """Another write was under way, or the upload is gone: a new upload may do it."""


@dataclass(frozen=True)
class ListedObject:
    """What a listing says of an object."""

    byte_count: int
    etag: str


@dataclass(frozen=True)
class HeadedObject:
    """What the object itself says: size in bytes, ETag, user metadata with lower-case keys."""

    byte_count: int
    etag: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class OpenUpload:
    """A multipart upload with all its parts; nothing of it is visible until it is completed."""

    key: str
    upload_id: str
    parts: tuple[CompletedPartTypeDef, ...]


@dataclass(frozen=True)
class Precondition:
    """The state of the key that a write is made for: absent, or with this ETag."""

    etag: str | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the condition as the S3 client takes it."""
        return {"IfMatch": self.etag} if self.etag else {"IfNoneMatch": "*"}


class Bucket:
    """A bucket, seen through an S3 client that the caller made and owns.

    :param extra_args: for every object that is written, as the S3 client takes them.
    """

    def __init__(
        self, client: S3Client, name: str, extra_args: Mapping[str, Any] | None = None
    ) -> None:
        self._client = client
        self._extra_args = dict(extra_args or {})
        self.name = name
        self.is_conditional = True

    def find_out_conditions(self, prefix: str) -> None:
        """Find out whether writes can be conditional; where not, none is, from here on."""
        with self._translated_errors("write", f"{prefix}/"):
            self.is_conditional = honours_conditions(self._client, self.name, prefix)

    def uri(self, key: str) -> str:
        """Return ``s3://bucket/key``."""
        return f"s3://{self.name}/{key}"

    def list_objects(self, prefix: str) -> dict[str, ListedObject]:
        """Return every object whose key begins with ``prefix``."""
        listed: dict[str, ListedObject] = {}
        with self._translated_errors("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=prefix
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    listed[entry["Key"]] = ListedObject(entry["Size"], entry["ETag"])
        return listed

    def read_object(self, key: str) -> tuple[bytes, str] | None:
        """Return (content, ETag) of a small object, or None if there is none."""
        with self._translated_errors("read", key):
            try:
                answer = self._client.get_object(Bucket=self.name, Key=key)
                return answer["Body"].read(), answer["ETag"]
            except ClientError as error:
                if _code(error) not in _NOT_FOUND:
                    raise
                return None

    def head_object(self, key: str) -> HeadedObject | None:
        """Return what the object says of itself, or None if there is none."""
        with self._translated_errors("look at", key):
            try:
                answer = self._client.head_object(Bucket=self.name, Key=key)
                return HeadedObject(answer["ContentLength"], answer["ETag"], answer["Metadata"])
            except ClientError as error:
                if _code(error) not in _NOT_FOUND:
                    raise
                return None

    def upload_parts(
        self, key: str, path: Path, media_type: str, metadata: Mapping[str, str]
    ) -> OpenUpload:
        """Return an upload that holds the whole file; the store has checked every part."""
        with self._translated_errors("upload", key):
            upload_id = self._client.create_multipart_upload(
                Bucket=self.name,
                Key=key,
                ContentType=media_type,
                Metadata=dict(metadata),
                ChecksumAlgorithm="SHA256",
                **self._extra_args,
            )["UploadId"]
            upload = OpenUpload(key, upload_id, ())
            try:
                return OpenUpload(key, upload_id, tuple(self._send_parts(upload, path)))
            except BaseException:
                self.abort_upload(upload)
                raise

    def _send_parts(self, upload: OpenUpload, path: Path) -> Iterator[CompletedPartTypeDef]:
        part_byte_count = max(_PART_BYTE_COUNT, -(-path.stat().st_size // _MAX_PARTS))
        with path.open("rb") as file:
            number = 0
            while chunk := file.read(part_byte_count):
                number += 1
                checksum = base64.b64encode(hashlib.sha256(chunk).digest()).decode()
                answer = self._client.upload_part(
                    Bucket=self.name,
                    Key=upload.key,
                    UploadId=upload.upload_id,
                    PartNumber=number,
                    Body=chunk,
                    ChecksumSHA256=checksum,
                )
                yield {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    def complete_upload(self, upload: OpenUpload, condition: Precondition) -> str:
        """Make the object visible and return its ETag.

        :raises ConditionFailedError: the key is not as ``condition`` says.
        :raises UploadConflictError: the same with a new upload may succeed.
        """
        with self._translated_errors("complete", upload.key):
            answer = self._client.complete_multipart_upload(
                Bucket=self.name,
                Key=upload.key,
                UploadId=upload.upload_id,
                MultipartUpload={"Parts": list(upload.parts)},
                **(condition.arguments() if self.is_conditional else {}),
            )
            return answer["ETag"]

    def abort_upload(self, upload: OpenUpload) -> None:
        """Drop an upload that was not completed; one that is gone already is fine."""
        with self._translated_errors("abort the upload of", upload.key):
            try:
                self._client.abort_multipart_upload(
                    Bucket=self.name, Key=upload.key, UploadId=upload.upload_id
                )
            except ClientError as error:
                if _code(error) != "NoSuchUpload":
                    raise

    def create_object(self, key: str, content: bytes, media_type: str) -> str:
        """Write a small object where none is, and return its ETag.

        It is read again by later runs, so it stays in the store's standard class.
        :raises ConditionFailedError: there is one.
        """
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        extra_args = {key: each for key, each in self._extra_args.items() if key != "StorageClass"}
        with self._translated_errors("write", key):
            answer = self._client.put_object(
                Bucket=self.name,
                Key=key,
                Body=content,
                ContentType=media_type,
                ChecksumSHA256=checksum,
                **(Precondition().arguments() if self.is_conditional else {}),
                **extra_args,
            )
            return answer["ETag"]

    def delete_object(self, key: str, etag: str) -> None:
        """Delete the object if it still has this ETag.

        :raises ConditionFailedError: it is gone, or another one.
        """
        with self._translated_errors("delete", key):
            try:
                condition = Precondition(etag).arguments() if self.is_conditional else {}
                self._client.delete_object(Bucket=self.name, Key=key, **condition)
            except ClientError as error:
                if _code(error) in _NOT_FOUND:
                    raise ConditionFailedError from None
                raise

    @contextmanager
    def _translated_errors(self, action: str, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if _code(error) in _CONDITION_FAILED:
                raise ConditionFailedError from None
            if _code(error) in _CONFLICT:
                raise UploadConflictError from None
            raise self._error_for_answer(error, f"{action} {self.uri(key)}") from None
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise AccessDeniedError(
                f"Could not {action} {self.uri(key)}: the AWS connection has no credentials "
                f"({error})."
            ) from None
        except (ConnectTimeoutError, ReadTimeoutError) as error:
            raise FetchTimeoutError(
                f"The object store did not answer in time to {action} {self.uri(key)} "
                f"({type(error).__name__})."
            ) from None
        except BotoCoreError as error:
            raise ServiceUnavailableError(
                f"Could not {action} {self.uri(key)} ({type(error).__name__}).",
                server_text=scrub(str(error)),
            ) from None

    def _error_for_answer(self, error: ClientError, action: str) -> EarthEngineProviderError:
        code, status = _code(error), error.response["ResponseMetadata"]["HTTPStatusCode"]
        message = f"Could not {action} ({code}, HTTP {status})"
        text = scrub(str(error.response["Error"].get("Message", "")))
        facts: dict[str, Any] = {"server_text": text, "status": status, "code": code}
        if code == "NoSuchBucket":
            return BucketNotFoundError(
                f"{message}: the bucket {self.name} does not exist; create it, or correct "
                "s3_bucket.",
                **facts,
            )
        if code in _DENIED:
            return AccessDeniedError(
                f"{message}: the AWS connection's keys are wrong or not allowed to do this; they "
                "need s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject "
                "and s3:AbortMultipartUpload on its objects.",
                **facts,
            )
        if code in ("SlowDown", "TooManyRequests") or status == 429:
            return QuotaExceededError(f"{message}: too many requests.", **facts)
        if status >= 500 or code in ("RequestTimeout", "InternalError"):
            return ServiceUnavailableError(f"{message}: the object store failed.", **facts)
        return StoredObjectMismatchError(f"{message}: the object store refused it.", **facts)


def _code(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))
