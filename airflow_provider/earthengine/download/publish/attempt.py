"""One attempt's writes to one destination, each conditional on the expected state of its key.

The order of the writes is decided in :mod:`commit`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from urllib.parse import quote

from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.multipart import PartSender, PartUpload
from airflow_provider.earthengine.download.bucket.objects import (
    HeadedObject,
    ListedObject,
    OpenUpload,
    Precondition,
)
from airflow_provider.earthengine.download.fields.destination import IfExists
from airflow_provider.earthengine.download.publish.files import CogFile, LocalFile
from airflow_provider.earthengine.download.publish.object_metadata import metadata_of
from airflow_provider.earthengine.download.publish.record import (
    CommitRecord,
    Standing,
    StoredObject,
    Target,
    is_listed,
    parse_record,
    read_record,
)
from airflow_provider.earthengine.download.publish.writers import (
    Writer,
    check_no_rival,
    check_no_rival_at_work,
)
from airflow_provider.earthengine.exceptions import (
    ObjectExistsError,
    ServiceUnavailableError,
    StoredObjectMismatchError,
)

log = logging.getLogger(__name__)

ITEM_MEDIA_TYPE = "application/geo+json"

_UPLOAD_ATTEMPTS = 3
_COMMIT_ATTEMPTS = 5


class Attempt:
    """One attempt's writes to one destination, and its open uploads."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._bucket = target.bucket
        self._destination = target.destination
        self._identity = target.identity
        self._uploads: dict[str, OpenUpload] = {}
        self._sent: set[str] = set()

    def examine(self, key: str, standing: Standing) -> StoredObject | Precondition:
        """Return the object to adopt, or the state of the key in which to replace it."""
        if key not in standing.listed or (head := self._bucket.head_object(key)) is None:
            return Precondition()
        if adopted := self._adopt(key, head):
            return adopted
        if not self._is_ours(head):
            raise ObjectExistsError(
                f"{self._destination.uri(key)} holds an object that does not belong to "
                f"{self._destination.item_uri}; use another name or s3_prefix, "
                "or remove it."
            )
        writer = Writer.of_object(head.metadata)
        check_no_rival_at_work(self._destination.uri(key), writer, self._identity)
        if self._identity.if_exists is IfExists.FAIL:
            raise ObjectExistsError(
                f"{self._destination.uri(key)} holds an object of another download, but if_exists "
                "is 'fail'; use another name or s3_prefix, or if_exists='replace_changed'."
            )
        log.info("%s is of %s, and will be replaced.", self._destination.uri(key), writer)
        return Precondition(head.etag)

    @contextmanager
    def own_uploads(self) -> Iterator[None]:
        """Abort the uploads that are still open at the end of the block, even if it fails."""
        try:
            yield
        finally:
            self._bucket.drop_uploads(self._uploads.values())

    def upload(self, key: str, file: LocalFile) -> None:
        """Have all parts uploaded; nothing becomes visible."""
        if isinstance(file, CogFile) and key not in self._sent:
            self._uploads[key] = file.upload.take()
        else:
            metadata = {**metadata_of(self._target), "sha256": file.sha256}
            with (
                closing(PartSender()) as sender,
                closing(PartUpload(sender, self._bucket, key, file.media_type, metadata)) as upload,
            ):
                file.send(upload)
                self._uploads[key] = upload.take()
        self._sent.add(key)

    def retire(self, previous: CommitRecord) -> CommitRecord | None:
        """Delete the old item; return the new record if another attempt has already finished."""
        try:
            self._bucket.delete_object(self._destination.item_key, previous.item_etag)
        except ConditionFailedError:
            return self._winner()
        return None

    def complete(
        self,
        key: str,
        file: LocalFile,
        states: Mapping[str, StoredObject | Precondition],
    ) -> StoredObject:
        """Make one object visible, or adopt the one that another attempt made visible."""
        state = states[key]
        if isinstance(state, StoredObject):
            log.info("%s already exists, from an earlier attempt.", self._destination.uri(key))
            return state
        for _ in range(_UPLOAD_ATTEMPTS):
            try:
                etag = self._bucket.complete_upload(self._uploads[key], state)
            except ConditionFailedError:
                if adopted := self._adopt_after_lost_race(key):
                    return adopted
                state = Precondition()  # The conflicting object is gone by now.
            except UploadConflictError:
                # The upload may be gone because it was completed, but the answer was lost.
                head = self._bucket.head_object(key)
                if head and (adopted := self._adopt(key, head)):
                    return adopted
                self._bucket.drop_uploads([self._uploads.pop(key)])
                self.upload(key, file)
            else:
                del self._uploads[key]
                log.info(
                    "Published %s (%s bytes)", self._destination.uri(key), f"{file.byte_count:,}"
                )
                return StoredObject(key, file.byte_count, etag, file.sha256)
        raise ServiceUnavailableError(
            f"{self._destination.uri(key)} was overwritten by another writer {_UPLOAD_ATTEMPTS} "
            "times; run the task again."
        )

    def commit(
        self,
        stored: Sequence[StoredObject],
        build_item: Callable[[Sequence[StoredObject]], bytes],
    ) -> CommitRecord:
        """Write the item, or return the one that another attempt wrote.

        Some stores accept two conditional completes that arrive together, so the listing of the
        bucket, not this attempt's memory, decides what was stored; and an item that another attempt
        wrote before such an overwrite is rewritten. Every attempt commits after its own overwrite,
        so the last one leaves an item that matches.
        """
        for _ in range(_COMMIT_ATTEMPTS):
            listed = self._bucket.list_objects(self._destination.key("."))
            content = build_item([self._as_listed(each, listed) for each in stored])
            try:
                etag = self._bucket.create_object(
                    self._destination.item_key, content, ITEM_MEDIA_TYPE
                )
                return parse_record(self._destination, content, etag)
            except ConditionFailedError:
                winner = self._winner()
            except UploadConflictError:
                continue
            if winner is None:
                continue
            if all(is_listed(each, listed) for each in winner.objects):
                return winner
            self.retire(winner)
        raise ServiceUnavailableError(
            f"The item {self._destination.item_uri} was changed by other attempts "
            f"{_COMMIT_ATTEMPTS} times; run the task again."
        )

    def _as_listed(self, stored: StoredObject, listed: Mapping[str, ListedObject]) -> StoredObject:
        if is_listed(stored, listed):
            return stored
        adopted = self._adopt_after_lost_race(stored.key) if stored.key in listed else None
        if adopted is None:
            raise StoredObjectMismatchError(
                f"{self._destination.uri(stored.key)} was published, but the bucket no longer "
                "lists it; check what deletes objects there, and run the task again."
            )
        return adopted

    def sweep(self, standing: Standing, kept: set[str]) -> None:
        """Delete the replaced download's objects that the new download does not have."""
        for key in standing.listed:
            if key in kept or key == self._destination.item_key:
                continue
            head = self._bucket.head_object(key)
            if head and self._is_ours(head):
                try:
                    self._bucket.delete_object(key, head.etag)
                    log.info("Removed %s of the replaced download.", self._destination.uri(key))
                except ConditionFailedError:
                    log.info("%s has just changed and is kept.", self._destination.uri(key))

    def _winner(self) -> CommitRecord | None:
        """Return the record that another attempt of this download wrote, or None if there is none.

        :raises ObjectExistsError: if the item belongs to another download.
        """
        record = read_record(self._target)
        if record and not self._identity.owns(record.fingerprint, record.generation):
            check_no_rival(record.item_uri, record.writer, self._identity)
            raise ObjectExistsError(
                f"{record.item_uri} was written by another download while this one was being "
                "published; use another name or s3_prefix for one of them."
            )
        return record

    def _adopt_after_lost_race(self, key: str) -> StoredObject | None:
        """Return the object that another attempt made visible, or None if there is none.

        :raises ObjectExistsError: if it belongs to another download.
        """
        head = self._bucket.head_object(key)
        if head is None:
            return None
        if adopted := self._adopt(key, head):
            log.info("%s was published by another attempt.", self._destination.uri(key))
            return adopted
        writer = Writer.of_object(head.metadata)
        check_no_rival_at_work(self._destination.uri(key), writer, self._identity)
        raise ObjectExistsError(
            f"{self._destination.uri(key)} was written by another download while this one was "
            "being published; use another name or s3_prefix for one of them."
        )

    def _adopt(self, key: str, head: HeadedObject) -> StoredObject | None:
        fingerprint = head.metadata.get("fingerprint", "")
        generation = head.metadata.get("generation", "")
        if not self._is_ours(head) or not self._identity.owns(fingerprint, generation):
            return None
        return StoredObject(key, head.byte_count, head.etag, self._digest_of(key, head))

    def _digest_of(self, key: str, head: HeadedObject) -> str:
        """Return the sha256 of an object's content, from its metadata or by reading it."""
        if sha256 := head.metadata.get("sha256"):
            return sha256
        try:
            return self._bucket.digest_object(key, head.etag)
        except ConditionFailedError:
            raise ServiceUnavailableError(
                f"{self._destination.uri(key)} was overwritten by another attempt while it was "
                "read; run the task again."
            ) from None

    def _is_ours(self, head: HeadedObject) -> bool:
        return (
            head.metadata.get("item") == quote(self._destination.item_key)
            and "fingerprint" in head.metadata
        )
