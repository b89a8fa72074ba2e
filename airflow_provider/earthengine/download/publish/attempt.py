"""One attempt's writes to one destination: each says in which state of the key it was meant.

What the writes add up to is decided in :mod:`commit`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.multipart import FileUpload, digest_file
from airflow_provider.earthengine.download.bucket.objects import (
    HeadedObject,
    ListedObject,
    OpenUpload,
    Precondition,
)
from airflow_provider.earthengine.download.fields.destination import IfExists
from airflow_provider.earthengine.download.publish.files import GrowingFile, LocalFile
from airflow_provider.earthengine.download.publish.record import (
    CommitRecord,
    Standing,
    StoredObject,
    Target,
    is_listed,
    parse_record,
    read_record,
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


@dataclass(frozen=True)
class _SentFile:
    """A file that is in an open upload."""

    path: Path
    byte_count: int
    sha256: str


class Attempt:
    """One attempt's writes to one destination, and the uploads that it has open."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._bucket = target.bucket
        self._destination = target.destination
        self._identity = target.identity
        self._uploads: dict[str, OpenUpload] = {}
        self._sent: dict[str, _SentFile] = {}

    def examine(self, key: str, standing: Standing) -> StoredObject | Precondition:
        """Return the object to adopt, or the state of the key that it is replaced in."""
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
        if self._identity.if_exists is IfExists.FAIL:
            raise ObjectExistsError(
                f"{self._destination.uri(key)} holds an object of another download, and if_exists "
                "is 'fail'; use another name or s3_prefix, or if_exists='replace_changed'."
            )
        return Precondition(head.etag)

    @contextmanager
    def own_uploads(self) -> Iterator[None]:
        """Drop what is still open at the end, however it comes."""
        try:
            yield
        finally:
            self._bucket.drop_uploads(self._uploads.values())

    def upload(self, key: str, file: LocalFile | GrowingFile) -> None:
        """Upload all parts; nothing becomes visible. A growing file is written meanwhile."""
        metadata = {
            "fingerprint": self._identity.fingerprint,
            "generation": self._identity.generation,
            "item": quote(self._destination.item_key),
        }
        if isinstance(file, LocalFile):
            # Metadata goes before the first byte: of a growing file it cannot say this.
            metadata["sha256"] = file.sha256
        upload = FileUpload(self._bucket, key, file.media_type, metadata, file.byte_count)
        self._uploads[key] = upload.open_upload
        with closing(upload), ThreadPoolExecutor(1, "earthengine-digest") as hasher:
            path = self._path_of(key, file, upload)
            # It takes a second per GiB; the parts are compared meanwhile.
            digest = hasher.submit(_digest_of, file, path)
            self._uploads[key] = upload.finish(path)
        self._sent[key] = _SentFile(path, path.stat().st_size, digest.result())

    def _path_of(self, key: str, file: LocalFile | GrowingFile, upload: FileUpload) -> Path:
        """Return where the file is; one that grows is written now, unless it was before."""
        if isinstance(file, LocalFile):
            return file.path
        sent = self._sent.get(key)
        return sent.path if sent else file.write(upload.send_grown)

    def retire(self, previous: CommitRecord) -> CommitRecord | None:
        """Delete the old item; return the record if another attempt has finished meanwhile."""
        try:
            self._bucket.delete_object(self._destination.item_key, previous.item_etag)
        except ConditionFailedError:
            return self._winner()
        return None

    def complete(
        self,
        key: str,
        file: LocalFile | GrowingFile,
        states: Mapping[str, StoredObject | Precondition],
    ) -> StoredObject:
        """Make one object visible, or adopt the one that another attempt made visible."""
        state = states[key]
        if isinstance(state, StoredObject):
            log.info("%s is there already, from an earlier attempt.", self._destination.uri(key))
            return state
        for _ in range(_UPLOAD_ATTEMPTS):
            try:
                etag = self._bucket.complete_upload(self._uploads[key], state)
            except ConditionFailedError:
                if adopted := self._adopt_after_lost_race(key):
                    return adopted
                state = Precondition()  # What was in the way is gone meanwhile.
            except UploadConflictError:
                # The upload may be gone because it was completed and only the answer was lost.
                head = self._bucket.head_object(key)
                if head and (adopted := self._adopt(key, head)):
                    return adopted
                self._bucket.drop_uploads([self._uploads.pop(key)])
                self.upload(key, file)
            else:
                del self._uploads[key]
                sent = self._sent[key]
                log.info(
                    "Published %s (%s bytes)", self._destination.uri(key), f"{sent.byte_count:,}"
                )
                return StoredObject(key, sent.byte_count, etag, sent.sha256)
        raise ServiceUnavailableError(
            f"{self._destination.uri(key)} was written by somebody else each time this attempt did."
        )

    def commit(
        self,
        stored: Sequence[StoredObject],
        build_item: Callable[[Sequence[StoredObject]], bytes],
    ) -> CommitRecord:
        """Write the item, or return the one that another attempt wrote.

        Some stores let two conditional completes through that arrive together, so the bucket, not
        this attempt's memory, says what was stored; and an item that another attempt wrote before
        such an overwrite is written anew. Whoever overwrites commits after it, so the last one
        leaves an item that matches.
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
            f"The item {self._destination.item_uri} was changed by other attempts each time this "
            "one wrote it."
        )

    def _as_listed(self, stored: StoredObject, listed: Mapping[str, ListedObject]) -> StoredObject:
        if is_listed(stored, listed):
            return stored
        adopted = self._adopt_after_lost_race(stored.key) if stored.key in listed else None
        if adopted is None:
            raise StoredObjectMismatchError(
                f"{self._destination.uri(stored.key)} was published, and the bucket does not list "
                "it any more."
            )
        return adopted

    def sweep(self, standing: Standing, kept: set[str]) -> None:
        """Delete the objects of the replaced download that the new one does not have."""
        for key in standing.listed:
            if key in kept or key == self._destination.item_key:
                continue
            head = self._bucket.head_object(key)
            if head and self._is_ours(head):
                try:
                    self._bucket.delete_object(key, head.etag)
                    log.info("Removed %s, of the replaced download.", self._destination.uri(key))
                except ConditionFailedError:
                    log.info("%s changed meanwhile and stays.", self._destination.uri(key))

    def _winner(self) -> CommitRecord | None:
        """Return the item that another attempt of this download wrote, or None if none is there.

        :raises ObjectExistsError: it is of another download.
        """
        record = read_record(self._target)
        if record and not self._identity.owns(record.fingerprint, record.generation):
            raise ObjectExistsError(
                f"{record.item_uri} was written by another download while this one published."
            )
        return record

    def _adopt_after_lost_race(self, key: str) -> StoredObject | None:
        """Return the object that another attempt made visible, or None if none is there.

        :raises ObjectExistsError: it is of another download.
        """
        head = self._bucket.head_object(key)
        if head is None:
            return None
        if adopted := self._adopt(key, head):
            log.info("%s was published by another attempt.", self._destination.uri(key))
            return adopted
        raise ObjectExistsError(
            f"{self._destination.uri(key)} was written by another download while this one "
            "published."
        )

    def _adopt(self, key: str, head: HeadedObject) -> StoredObject | None:
        fingerprint = head.metadata.get("fingerprint", "")
        generation = head.metadata.get("generation", "")
        if not self._is_ours(head) or not self._identity.owns(fingerprint, generation):
            return None
        return StoredObject(key, head.byte_count, head.etag, self._digest_of(key, head))

    def _digest_of(self, key: str, head: HeadedObject) -> str:
        """Return the sha256 of an object's content, as it says itself, or read for it."""
        if sha256 := head.metadata.get("sha256"):
            return sha256
        try:
            return self._bucket.digest_object(key, head.etag)
        except ConditionFailedError:
            raise ServiceUnavailableError(
                f"{self._destination.uri(key)} was written by another attempt while it was read."
            ) from None

    def _is_ours(self, head: HeadedObject) -> bool:
        return (
            head.metadata.get("item") == quote(self._destination.item_key)
            and "fingerprint" in head.metadata
        )


def _digest_of(file: LocalFile | GrowingFile, path: Path) -> str:
    return file.sha256 if isinstance(file, LocalFile) else digest_file(path)
