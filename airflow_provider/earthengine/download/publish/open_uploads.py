"""The open uploads of an attempt: everything that it can still make visible."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace

from airflow_provider.earthengine.download.bucket.multipart import PartSender, PartUpload
from airflow_provider.earthengine.download.bucket.objects import OpenUpload, Precondition
from airflow_provider.earthengine.download.publish.files import CogFile, LocalFile, SharedFile
from airflow_provider.earthengine.download.publish.object_metadata import (
    metadata_of,
    metadata_of_tombstone,
)
from airflow_provider.earthengine.download.publish.record import StoredObject, Target

_PREDICTED_ETAG = "predicted"


class OpenUploads:
    """The open uploads of one attempt, by key; each is completed at most once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._bucket = target.bucket
        self._open: dict[str, OpenUpload] = {}
        self._sent: dict[str, StoredObject] = {}
        self._shared: set[str] = set()
        self._left = False

    def __contains__(self, key: str) -> bool:
        return key in self._open

    @property
    def ids(self) -> tuple[tuple[str, str], ...]:
        """(key, upload id) of each."""
        return tuple((key, upload.upload_id) for key, upload in self._open.items())

    def send(self, key: str, file: LocalFile) -> None:
        """Have all parts of a file uploaded; nothing becomes visible."""
        if isinstance(file, SharedFile) and key not in self._sent:
            self._open[key] = file.take()
            self._shared.add(key)
        elif isinstance(file, CogFile) and key not in self._sent:
            self._open[key] = file.upload.take()
        else:
            metadata = {**metadata_of(self._target), "sha256": file.sha256}
            with (
                closing(PartSender()) as sender,
                closing(PartUpload(sender, self._bucket, key, file.media_type, metadata)) as upload,
            ):
                file.send(upload)
                self._open[key] = upload.take()
        self._sent[key] = StoredObject(key, file.byte_count, _PREDICTED_ETAG, file.sha256)

    def send_tombstone(self, key: str, unique: str) -> None:
        """Upload what overwrites an object before it is deleted.

        :param unique: text that nobody else writes.
        """
        content = f"Deleted by {unique}".encode()
        digest = hashlib.sha256(content)
        upload = self._bucket.create_upload(key, "text/plain", metadata_of_tombstone(self._target))
        self._open[key] = upload
        part = self._bucket.upload_part(upload, 1, content, digest.digest())
        self._open[key] = OpenUpload(key, upload.upload_id, (part,))
        self._sent[key] = StoredObject(key, len(content), _PREDICTED_ETAG, digest.hexdigest())

    def predict(self, key: str) -> StoredObject:
        """Return the object that an upload will be, but for its ETag."""
        return self._sent[key]

    def complete(self, key: str, condition: Precondition) -> StoredObject:
        """Make an object visible.

        :raises ConditionFailedError: if the key is not in the state of ``condition``, and the
            upload stays open; or if another attempt has just overwritten the object.
        :raises UploadConflictError: if a new upload may succeed.
        """
        etag = self._bucket.complete_upload(self._open[key], condition)
        del self._open[key]
        sha256 = self._sent[key].sha256 or self._bucket.digest_object(key, etag)
        return replace(self._sent[key], etag=etag, sha256=sha256)

    def drop(self, key: str) -> None:
        """Abort one upload."""
        self._left |= not self._bucket.drop_uploads([self._open.pop(key)])

    def is_shared(self, key: str) -> bool:
        """Return whether other tasks have sent parts to the open upload of a key."""
        return key in self._shared and key in self._open

    def leave_shared(self) -> None:
        """Leave the uploads open that other tasks have sent parts to: the next try needs them."""
        for key in self._shared & self._open.keys():
            del self._open[key]

    def drop_all(self) -> bool:
        """Abort all that are open; return whether none of this attempt is open any more."""
        self._left |= not self._bucket.drop_uploads(self._open.values())
        self._open.clear()
        return not self._left
