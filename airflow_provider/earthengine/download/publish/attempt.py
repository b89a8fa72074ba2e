"""One attempt's writes to one destination, each conditional on the expected state of its key.

The order of the writes is decided in :mod:`commit`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.objects import HeadedObject, Precondition
from airflow_provider.earthengine.download.fields.destination import IfExists
from airflow_provider.earthengine.download.publish.check_item import BuildItem, check_item
from airflow_provider.earthengine.download.publish.files import LocalFile, SharedFile
from airflow_provider.earthengine.download.publish.item_key import ItemKey
from airflow_provider.earthengine.download.publish.object_metadata import (
    is_of_download,
    is_of_item,
    is_tombstone,
)
from airflow_provider.earthengine.download.publish.open_uploads import OpenUploads
from airflow_provider.earthengine.download.publish.record import (
    CommitRecord,
    StoredObject,
    Target,
    is_listed,
)
from airflow_provider.earthengine.download.publish.standing import Standing
from airflow_provider.earthengine.download.publish.sweep import Sweep
from airflow_provider.earthengine.download.publish.writers import (
    Writer,
    check_no_rival_at_work,
    writer_of,
)
from airflow_provider.earthengine.exceptions import (
    ObjectExistsError,
    ServiceUnavailableError,
    StoredObjectMismatchError,
)

log = logging.getLogger(__name__)

_COMPLETES = 3
_COMMITS = 5


class OvertakenError(Exception):
    """Another attempt has published the same download. Never leaves this package."""

    def __init__(self, record: CommitRecord) -> None:
        self.record = record
        super().__init__(record.item_uri)


class Attempt:
    """One attempt to publish files, with what existed at the destination when it was decided.

    :raises ObjectExistsError: if a key holds an object that must not be replaced.
    """

    def __init__(self, target: Target, standing: Standing, files: Sequence[LocalFile]) -> None:
        self._target = target
        self._bucket = target.bucket
        self._destination = target.destination
        self._standing = standing
        self._files = {target.destination.key(file.suffix): file for file in files}
        self._uploads = OpenUploads(target)
        self._item_key = ItemKey(target, self._uploads)
        self._states = {key: self._examine(key) for key in self._files}
        self._sweep = Sweep(target, self._uploads, standing, self._files.keys())

    @contextmanager
    def cleaning_up(self) -> Iterator[None]:
        """Abort the uploads that are open at the end of the block; after an error, give the item's
        key back, too.

        After an error, parts that other tasks have sent are kept for the next try. But an attempt
        that restores the item that it was to replace leaves nothing that could still overwrite it.
        """
        try:
            yield
        except Exception:
            if not self._item_key.has_tried:
                self._uploads.leave_shared()
            if self._uploads.drop_all():
                self._item_key.give_back()
            raise
        finally:
            self._uploads.drop_all()

    def upload(self) -> None:
        """Have all parts uploaded of what does not exist yet; nothing becomes visible."""
        for key, state in self._states.items():
            if isinstance(state, Precondition):
                self._states[key] = self._upload(key, state)
        self._sweep.upload()

    def _upload(self, key: str, state: Precondition) -> StoredObject | Precondition:
        """Have a file uploaded; return the state of its key, maybe a new one."""
        file = self._files[key]
        try:
            self._uploads.send(key, file)
        except UploadConflictError:
            state_now = self._look_again(key)
            if isinstance(file, SharedFile) and isinstance(state_now, Precondition):
                raise file.lost(self._destination.uri(key)) from None
            return state_now
        return state

    def check(self, build_item: BuildItem) -> None:
        """Build the whole item while everything that exists is still unchanged."""
        check_item(
            self._destination,
            build_item,
            [
                state if isinstance(state, StoredObject) else self._uploads.predict(key)
                for key, state in self._states.items()
            ],
        )

    def claim(self) -> None:
        """Claim the item's key, unless this attempt only writes to empty keys.

        :raises OvertakenError: if another attempt has published the download meanwhile.
        """
        overwrites = any(
            isinstance(state, Precondition) and state.etag for state in self._states.values()
        )
        register = self._standing.register
        if not (overwrites or self._sweep or register.etag):
            return
        if register.record:
            log.info(
                "Replacing %s, written by %s, with %s",
                self._destination.item_uri,
                register.writer,
                writer_of(self._target.identity),
            )
        self._yield_to(self._item_key.claim(register))

    def complete(self) -> list[StoredObject]:
        """Make each object visible, or adopt the one that another attempt made visible."""
        stored = [self._complete(key, state) for key, state in self._states.items()]
        self._states = {each.key: each for each in stored}
        return stored

    def sweep(self) -> None:
        """Delete the replaced download's objects that the new download does not have."""
        self._sweep.run()

    def commit(self, build_item: BuildItem) -> CommitRecord:
        """Write the item, or return the one that another attempt wrote."""
        for _ in range(_COMMITS):
            record = self._item_key.write_item(build_item(self._as_listed()))
            if record:
                return record
        raise ServiceUnavailableError(
            f"The item {self._destination.item_uri} was changed by other attempts {_COMMITS} "
            "times; run the task again."
        )

    def _examine(self, key: str) -> StoredObject | Precondition:
        """Return the object to adopt, or the state of the key in which to replace it."""
        is_listed_there = key in self._standing.listed
        head = self._bucket.head_object(key) if is_listed_there else None
        if head is None:
            return Precondition()
        if is_of_download(self._target, head):
            log.info("%s already exists, from an earlier attempt.", self._destination.uri(key))
            return self._adopted(key, head)
        if not is_of_item(self._target, head):
            raise ObjectExistsError(
                f"{self._destination.uri(key)} holds an object that does not belong to "
                f"{self._destination.item_uri}; use another name or s3_prefix, "
                "or remove it."
            )
        if is_tombstone(head):
            return Precondition(head.etag)
        writer = Writer.of_object(head.metadata)
        check_no_rival_at_work(self._destination.uri(key), writer, self._target.identity)
        if self._target.identity.if_exists is IfExists.FAIL:
            raise ObjectExistsError(
                f"{self._destination.uri(key)} holds an object of another download, but if_exists "
                "is 'fail'; use another name or s3_prefix, or if_exists='replace_changed'."
            )
        log.info("%s, written by %s, will be replaced.", self._destination.uri(key), writer)
        return Precondition(head.etag)

    def _complete(self, key: str, state: StoredObject | Precondition) -> StoredObject:
        for _ in range(_COMPLETES):
            if isinstance(state, StoredObject):
                return state
            if key not in self._uploads:
                self._uploads.send(key, self._files[key])
                if self._item_key.is_claimed:
                    self._yield_to(self._item_key.renew())
            try:
                stored = self._uploads.complete(key, state)
            except ConditionFailedError:
                state = self._look_again(key)
            except UploadConflictError:
                state = self._after_conflict(key)
            else:
                log.info(
                    "Published %s (%s bytes)", self._destination.uri(key), f"{stored.byte_count:,}"
                )
                return stored
        raise ServiceUnavailableError(
            f"{self._destination.uri(key)} was overwritten by another writer {_COMPLETES} times; "
            "run the task again."
        )

    def _after_conflict(self, key: str) -> StoredObject | Precondition:
        """Drop an upload, which may have been completed though the answer was lost; look again.

        :raises ServiceUnavailableError: if other tasks have sent its parts: the next try may help.
        """
        if not self._uploads.is_shared(key):
            self._uploads.drop(key)
            return self._look_again(key)
        state = self._look_again(key)
        if isinstance(state, Precondition):
            raise ServiceUnavailableError(
                f"Could not complete {self._destination.uri(key)}: another attempt has sent a part "
                "of it again, or the upload was aborted; run the task again, and if that does not "
                "help, clear the group's fetching tasks with their downstream tasks."
            )
        self._uploads.drop(key)
        return state

    def _look_again(self, key: str) -> StoredObject | Precondition:
        """Return the state of a key that is not in the expected one.

        An attempt that has claimed the item's key overwrites what attempts at another download have
        written since.

        :raises ObjectExistsError: if it holds an object that must not be replaced.
        """
        head = self._bucket.head_object(key)
        if head is None:
            return Precondition()
        if is_of_download(self._target, head):
            log.info("%s was published by another attempt.", self._destination.uri(key))
            return self._adopted(key, head)
        writer = Writer.of_object(head.metadata)
        check_no_rival_at_work(self._destination.uri(key), writer, self._target.identity)
        may_replace = self._item_key.is_claimed and is_of_item(self._target, head)
        if may_replace and self._target.identity.if_exists is not IfExists.FAIL:
            return Precondition(head.etag)
        raise ObjectExistsError(
            f"{self._destination.uri(key)} was written by another download while this one was "
            "being published; use another name or s3_prefix for one of them."
        )

    def _as_listed(self) -> list[StoredObject]:
        """Return the objects as the bucket lists them.

        Some stores accept two conditional completes that arrive together, so the listing of the
        bucket, not this attempt's memory, decides what was stored.
        """
        for _ in range(_COMMITS):
            stored = self.complete()
            listed = self._bucket.list_objects(self._destination.listing_prefix)
            changed = [each.key for each in stored if not is_listed(each, listed)]
            if not changed:
                return stored
            self._states.update({key: self._look_again(key) for key in changed})
        uri = self._destination.uri(changed[0])
        if changed[0] in listed:
            raise ServiceUnavailableError(
                f"{uri} was changed by another writer {_COMMITS} times; run the task again."
            )
        raise StoredObjectMismatchError(
            f"{uri} was published {_COMMITS} times, but the bucket does not list it; check what "
            "deletes objects there, and run the task again."
        )

    def _adopted(self, key: str, head: HeadedObject) -> StoredObject:
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

    def _yield_to(self, winner: CommitRecord | None) -> None:
        if winner:
            raise OvertakenError(winner)
