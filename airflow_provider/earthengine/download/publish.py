"""Local files -> objects -> item: how a download becomes visible, whole or not at all.

The promise: there is no item unless every object that it names is complete and verified. An
object without an item is not a result; the next attempt adopts or replaces it. Two attempts of one
task can run at the same time, so every write says in which state of the key it was meant:

1. All parts of all objects are uploaded first; nothing of that is visible.
2. The uploads are completed one after another. A key goes from old to new once, whoever does it:
   the attempt that comes second meets a failed condition, and adopts what is stored if it is the
   same download.
3. The item is written last, from a listing of what the bucket then holds. When a download is
   replaced, its old item goes first.

No attempt deletes a final object of the download that it publishes; a failing one drops only its
own open uploads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from airflow_provider.earthengine.download.assemble import LocalFile
from airflow_provider.earthengine.download.record import (
    CommitRecord,
    Destination,
    Identity,
    IfExists,
    StoredObject,
    parse_record,
)
from airflow_provider.earthengine.download.store import (
    Bucket,
    HeadedObject,
    ListedObject,
    OpenUpload,
    Precondition,
)
from airflow_provider.earthengine.download.store_errors import (
    ConditionFailedError,
    UploadConflictError,
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
class Standing:
    """What is at the destination before anything is fetched.

    :param done: the record to return, when there is nothing to do.
    :param previous: the record that has to go first, when there is one.
    :param listed: every object whose key begins as the download's keys do.
    """

    done: CommitRecord | None
    previous: CommitRecord | None
    listed: Mapping[str, ListedObject]


def look_at_destination(bucket: Bucket, destination: Destination, identity: Identity) -> Standing:
    """Return what is there; one read and one listing.

    :raises ObjectExistsError: another download is there and has to stay.
    """
    record = _read_record(bucket, destination)
    listed = bucket.list_objects(destination.key("."))
    if record is None:
        return Standing(None, None, listed)
    if not identity.owns(record.fingerprint, record.generation):
        if identity.if_exists is IfExists.FAIL:
            raise ObjectExistsError(
                f"{record.item_uri} records another download, and if_exists is 'fail'; use "
                "another name or s3_prefix, or if_exists='replace_changed'."
            )
        return Standing(None, record, listed)
    missing = [stored.key for stored in record.objects if not _is_listed(stored, listed)]
    if missing:
        log.warning(
            "%s names objects that are gone or changed: %s; publishing again.",
            record.item_uri,
            ", ".join(missing),
        )
        return Standing(None, record, listed)
    return Standing(record, None, listed)


def publish_files(
    bucket: Bucket,
    destination: Destination,
    identity: Identity,
    standing: Standing,
    files: Sequence[LocalFile],
    build_item: Callable[[Sequence[StoredObject]], bytes],
) -> CommitRecord:
    """Return the record of the published download, by whichever attempt it was published.

    :param build_item: makes the item's content from the stored objects, in the order of ``files``.
    :raises ObjectExistsError: a key holds something that has to stay.
    """
    publication = _Publication(bucket, destination, identity)
    states = {
        destination.key(file.suffix): publication.examine(destination.key(file.suffix), standing)
        for file in files
    }
    with publication.own_uploads():
        for file in files:
            key = destination.key(file.suffix)
            if not isinstance(states[key], StoredObject):
                publication.upload(key, file)
        if standing.previous and (winner := publication.retire(standing.previous)):
            return winner
        stored = [
            publication.complete(destination.key(file.suffix), file, states)
            for file in files
        ]  # fmt: skip
        record = publication.commit(stored, build_item)
    publication.sweep(standing, {stored.key for stored in record.objects})
    return record


class _Publication:
    """One attempt's writes to one destination, and the uploads that it has open."""

    def __init__(self, bucket: Bucket, destination: Destination, identity: Identity) -> None:
        self._bucket = bucket
        self._destination = destination
        self._identity = identity
        self._uploads: dict[str, OpenUpload] = {}

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

    def upload(self, key: str, file: LocalFile) -> None:
        """Upload all parts; nothing becomes visible."""
        self._uploads[key] = self._bucket.upload_parts(
            key,
            file.path,
            file.media_type,
            {
                "fingerprint": self._identity.fingerprint,
                "generation": self._identity.generation,
                "sha256": file.sha256,
                "item": quote(self._destination.item_key),
            },
        )

    def retire(self, previous: CommitRecord) -> CommitRecord | None:
        """Delete the old item; return the record if another attempt has finished meanwhile."""
        try:
            self._bucket.delete_object(self._destination.item_key, previous.item_etag)
        except ConditionFailedError:
            return self._winner()
        return None

    def complete(
        self, key: str, file: LocalFile, states: Mapping[str, StoredObject | Precondition]
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
                log.info(
                    "Published %s (%s bytes)", self._destination.uri(key), f"{file.byte_count:,}"
                )
                return StoredObject(key, file.byte_count, etag, file.sha256)
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
            if all(_is_listed(each, listed) for each in winner.objects):
                return winner
            self.retire(winner)
        raise ServiceUnavailableError(
            f"The item {self._destination.item_uri} was changed by other attempts each time this "
            "one wrote it."
        )

    def _as_listed(self, stored: StoredObject, listed: Mapping[str, ListedObject]) -> StoredObject:
        if _is_listed(stored, listed):
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
        record = _read_record(self._bucket, self._destination)
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
        return StoredObject(key, head.byte_count, head.etag, head.metadata["sha256"])

    def _is_ours(self, head: HeadedObject) -> bool:
        return (
            head.metadata.get("item") == quote(self._destination.item_key)
            and "sha256" in head.metadata
        )


def _is_listed(stored: StoredObject, listed: Mapping[str, ListedObject]) -> bool:
    return listed.get(stored.key) == ListedObject(stored.byte_count, stored.etag)


def _read_record(bucket: Bucket, destination: Destination) -> CommitRecord | None:
    read = bucket.read_object(destination.item_key)
    return None if read is None else parse_record(destination, *read)
