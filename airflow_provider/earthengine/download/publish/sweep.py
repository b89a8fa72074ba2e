"""The objects of a replaced download that the new one does not have: they are deleted."""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress

from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.objects import NO_ETAG, Precondition
from airflow_provider.earthengine.download.publish.claim import new_id
from airflow_provider.earthengine.download.publish.object_metadata import is_of_item
from airflow_provider.earthengine.download.publish.open_uploads import OpenUploads
from airflow_provider.earthengine.download.publish.record import Target, is_thumbnail_key
from airflow_provider.earthengine.download.publish.standing import Standing

log = logging.getLogger(__name__)


class Sweep:
    """What one attempt deletes, each object in the state that this was decided in.

    Nobody can abort a delete that comes late, as they can an upload; and its condition holds again
    once the same content is back. So the attempt first overwrites each object, with an upload that
    its claim names, by a tombstone that nobody else can have written, and then deletes that.

    :param kept: the keys of the new download.
    """

    def __init__(
        self, target: Target, uploads: OpenUploads, standing: Standing, kept: Collection[str]
    ) -> None:
        self._target = target
        self._bucket = target.bucket
        self._uploads = uploads
        self._etags: dict[str, str] = {}
        item_key = target.destination.item_key
        for key in standing.listed:
            # The keys of items and markers end so, and of no object; pictures are deleted later.
            is_of_another_kind = key.endswith(".json") or is_thumbnail_key(key, item_key)
            if key in kept or is_of_another_kind or not target.destination.holds(key):
                continue
            head = self._bucket.head_object(key)
            if head and is_of_item(target, head):
                self._etags[key] = head.etag

    def __bool__(self) -> bool:
        """Return whether there is anything to delete."""
        return bool(self._etags)

    def upload(self) -> None:
        """Upload the tombstones; nothing becomes visible.

        :raises AccessDeniedError: if nothing may be deleted: later, that would be too late.
        """
        for key in self._etags:
            self._uploads.send_tombstone(key, new_id())
        for key in list(self._etags)[:1]:
            with suppress(ConditionFailedError):
                self._bucket.delete_object(key, NO_ETAG)

    def run(self) -> None:
        """Delete the objects."""
        for key, etag in self._etags.items():
            uri = self._target.destination.uri(key)
            try:
                tombstone = self._uploads.complete(key, Precondition(etag))
                self._bucket.delete_object(key, tombstone.etag)
                log.info("Removed %s of the replaced download.", uri)
            except (ConditionFailedError, UploadConflictError):
                log.info("Kept %s, which has just changed.", uri)
