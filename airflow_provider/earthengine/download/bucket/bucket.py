"""One bucket: conditional reads and writes with the raw S3 client, its errors translated.

boto3's managed transfer cannot write conditionally, so uploads are opened, filled and completed
here one by one. The callers decide what to write and when.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import ClientError

from airflow_provider.earthengine.download.bucket.bodies import copy_body, read_body
from airflow_provider.earthengine.download.bucket.conditional_writes import (
    Conditions,
    find_conditions,
)
from airflow_provider.earthengine.download.bucket.errors import (
    NOT_FOUND,
    ConditionFailedError,
    UploadConflictError,
    code_of,
    translated_errors,
)
from airflow_provider.earthengine.download.bucket.objects import (
    HeadedObject,
    ListedObject,
    OpenUpload,
    Precondition,
)
from airflow_provider.earthengine.download.foreign import MAX_JSON_BYTE_COUNT
from airflow_provider.earthengine.exceptions import (
    EarthEngineProviderError,
    FetchTimeoutError,
    ServiceUnavailableError,
    StoredObjectMismatchError,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, GetObjectOutputTypeDef

log = logging.getLogger(__name__)


class Bucket:
    """A bucket, accessed through an S3 client that the caller made and owns.

    :param extra_args: the S3 client's arguments for every object written.
    """

    def __init__(
        self, client: S3Client, name: str, extra_args: Mapping[str, Any] | None = None
    ) -> None:
        self._client = client
        self._extra_args = dict(extra_args or {})
        self.name = name
        self._conditions = Conditions()

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()

    def find_out_conditions(self, prefix: str) -> None:
        """Find out whether the store honours conditions; if not, send none from here on."""
        with self._translated_errors("write", f"{prefix}/"):
            self._conditions = find_conditions(self._client, self.name, prefix)

    @property
    def is_conditional(self) -> bool:
        """Whether the store honours conditional writes."""
        return self._conditions.on_writes

    def _condition(self, condition: Precondition) -> dict[str, Any]:
        """Return the client's arguments for the condition; none if the store ignores conditions."""
        return condition.arguments() if self.is_conditional else {}

    def uri(self, key: str) -> str:
        """Return ``s3://bucket/key``."""
        return f"s3://{self.name}/{key}"

    def list_objects(self, prefix: str) -> dict[str, ListedObject]:
        """Return every object whose key starts with ``prefix``."""
        listed: dict[str, ListedObject] = {}
        with self._translated_errors("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=prefix
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    listed[entry["Key"]] = ListedObject(entry["Size"], entry["ETag"])
        return listed

    def read_object(
        self, key: str, most: int = MAX_JSON_BYTE_COUNT + 1
    ) -> tuple[bytes, str] | None:
        """Return (content, ETag) of a small object, or None if there is none.

        :param most: no more bytes than that are read.
        """
        with self._translated_errors("read", key):
            answer = self._get(key)
            return None if answer is None else (read_body(answer["Body"], most), answer["ETag"])

    def _get(self, key: str) -> GetObjectOutputTypeDef | None:
        try:
            return self._client.get_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if code_of(error) not in NOT_FOUND:
                raise
            return None

    def head_object(self, key: str) -> HeadedObject | None:
        """Return the object's own metadata, or None if there is no object."""
        with self._translated_errors("read the metadata of", key):
            try:
                answer = self._client.head_object(Bucket=self.name, Key=key)
                return HeadedObject(answer["ContentLength"], answer["ETag"], answer["Metadata"])
            except ClientError as error:
                if code_of(error) not in NOT_FOUND:
                    raise
                return None

    def create_upload(self, key: str, media_type: str, metadata: Mapping[str, str]) -> OpenUpload:
        """Return an upload that has no part yet."""
        with self._translated_errors("upload", key):
            answer = self._client.create_multipart_upload(
                Bucket=self.name,
                Key=key,
                ContentType=media_type,
                Metadata=dict(metadata),
                ChecksumAlgorithm="SHA256",
                **self._extra_args,
            )
            return OpenUpload(key, answer["UploadId"], ())

    def upload_part(
        self, upload: OpenUpload, number: int, content: bytes | bytearray | BinaryIO, digest: bytes
    ) -> CompletedPartTypeDef:
        """Send a part, or send it again; the store verifies its digest.

        :param content: or a file, which is read to its end.
        :param digest: the part's sha256.
        """
        checksum = base64.b64encode(digest).decode()
        body: Any = content  # Its type does not know bytearray.
        with self._translated_errors("upload", upload.key):
            answer = self._client.upload_part(
                Bucket=self.name,
                Key=upload.key,
                UploadId=upload.upload_id,
                PartNumber=number,
                Body=body,
                ChecksumSHA256=checksum,
            )
            self._check_checksum(upload.key, checksum, answer)
            return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    def complete_upload(self, upload: OpenUpload, condition: Precondition) -> str:
        """Make the object visible and return its ETag.

        :raises ConditionFailedError: if the key is not in the state of ``condition``.
        :raises UploadConflictError: if a new upload may succeed.
        """
        signals = ConditionFailedError, UploadConflictError
        with self._translated_errors("complete", upload.key, *signals):
            answer = self._client.complete_multipart_upload(
                Bucket=self.name,
                Key=upload.key,
                UploadId=upload.upload_id,
                MultipartUpload={"Parts": list(upload.parts)},
                **self._condition(condition),
            )
            return answer["ETag"]

    def drop_uploads(self, uploads: Collection[OpenUpload]) -> bool:
        """Abort incomplete uploads, and return whether none of them is open any more.

        Failures are logged, so that they do not hide an error.
        """
        left = len(uploads)
        for upload in uploads:
            try:
                self.abort_upload(upload.key, upload.upload_id)
                left -= 1
            except EarthEngineProviderError as error:
                log.warning("%s", error)
                if isinstance(error, ServiceUnavailableError | FetchTimeoutError):
                    break  # The store is down: the next one would take as long to fail.
        if left:
            log.warning(
                "Could not abort %d open uploads in %s; the bucket's lifecycle rule will.",
                left,
                self.name,
            )
        return not left

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Abort an upload of any attempt: from here on, nothing of it can become visible."""
        with self._translated_errors("abort the upload of", key):
            try:
                self._client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload_id)
            except ClientError as error:
                if code_of(error) != "NoSuchUpload":
                    raise

    def put_file(self, key: str, path: Path, digest: bytes) -> None:
        """Write an object that is not part of a result, overwriting any other.

        :param digest: the file's sha256.
        """
        with self._translated_errors("write", key), path.open("rb") as file:
            self._client.put_object(
                Bucket=self.name,
                Key=key,
                Body=file,
                ChecksumSHA256=base64.b64encode(digest).decode(),
                **self._extra_args_of_small,
            )

    def get_file(self, key: str, path: Path) -> str | None:
        """Write the object's content to ``path``; return its sha256, or None if there is none."""
        with self._translated_errors("read", key):
            if (answer := self._get(key)) is None:
                return None
            with path.open("wb") as file:
                return copy_body(answer["Body"], file.write)

    def digest_object(self, key: str, etag: str) -> str:
        """Return the sha256 of an object's content, by reading it.

        :raises ConditionFailedError: if its ETag has changed.
        """
        with self._translated_errors("read", key, ConditionFailedError):
            body = self._client.get_object(Bucket=self.name, Key=key, IfMatch=etag)["Body"]
            return copy_body(body, lambda _: None)

    @property
    def _extra_args_of_small(self) -> dict[str, Any]:
        """The arguments for objects that are soon read again: without a storage class."""
        return {key: each for key, each in self._extra_args.items() if key != "StorageClass"}

    def write_object(
        self, key: str, content: bytes, media_type: str, condition: Precondition
    ) -> str:
        """Write a small object and return its ETag.

        Later runs read it again, so it stays in the store's standard class.

        :raises ConditionFailedError: if the key is not in the state of ``condition``.
        :raises UploadConflictError: if another write was in progress.
        """
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        with self._translated_errors("write", key, ConditionFailedError, UploadConflictError):
            answer = self._client.put_object(
                Bucket=self.name,
                Key=key,
                Body=content,
                ContentType=media_type,
                ChecksumSHA256=checksum,
                **self._condition(condition),
                **self._extra_args_of_small,
            )
            self._check_checksum(key, checksum, answer)
            return answer["ETag"]

    def delete_object(self, key: str, etag: str) -> None:
        """Delete the object if it still has this ETag.

        :raises ConditionFailedError: if it is gone, has another ETag, or is just being written.
        """
        condition: dict[str, Any] = Precondition(etag).arguments()
        if not self._conditions.on_deletes:
            condition = {}
            found = self.head_object(key)  # As close to it as the store allows.
            if found is None or found.etag != etag:
                raise ConditionFailedError
        try:
            with self._translated_errors("delete", key, ConditionFailedError, UploadConflictError):
                self._client.delete_object(Bucket=self.name, Key=key, **condition)
        except UploadConflictError:
            raise ConditionFailedError from None

    def _check_checksum(self, key: str, sent: str, answer: Mapping[str, Any]) -> None:
        stored = answer.get("ChecksumSHA256", sent)  # Not every store returns it.
        if stored != sent:
            raise StoredObjectMismatchError(
                f"{self.uri(key)} was sent with SHA-256 {sent}, but the object store has {stored}; "
                "check the store, and run the task again."
            )

    def _translated_errors(
        self, action: str, key: str, *signals: type[Exception]
    ) -> AbstractContextManager[None]:
        return translated_errors(self.name, action, self.uri(key), *signals)
