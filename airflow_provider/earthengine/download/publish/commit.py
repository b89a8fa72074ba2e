"""Local files -> objects -> item: how a download becomes visible, completely or not at all.

The promise: an item exists only if every object that it names is complete and verified. An
object without an item is not a result; the next attempt adopts or replaces it. Two attempts of one
task can run at the same time, so every write is conditional on the expected state of its key:

1. All parts of all objects are uploaded first; none of this is visible.
2. The uploads are completed one after another. A key changes from old to new exactly once: the
   second attempt to write it gets a failed condition, and adopts the stored object if it belongs
   to the same download.
3. The item is written last, from a listing of what the bucket then holds. When a download is
   replaced, its old item is deleted first.

No attempt deletes a final object of the download that it publishes; a failing attempt aborts only
its own open uploads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from airflow_provider.earthengine.download.publish.attempt import Attempt
from airflow_provider.earthengine.download.publish.files import LocalFile
from airflow_provider.earthengine.download.publish.record import (
    CommitRecord,
    Standing,
    StoredObject,
    Target,
)
from airflow_provider.earthengine.download.publish.writers import writer_of

log = logging.getLogger(__name__)


def publish_files(
    target: Target,
    standing: Standing,
    files: Sequence[LocalFile],
    build_item: Callable[[Sequence[StoredObject]], bytes],
    confirm: Callable[[], object] | None = None,
) -> CommitRecord:
    """Return the record of the published download, whichever attempt published it.

    :param build_item: makes the item's content from the stored objects, in the order of ``files``.
    :param confirm: called once all is uploaded and nothing visible; raises to stop publishing.
    :raises ObjectExistsError: if a key holds an object that must not be replaced.
    """
    attempt = Attempt(target)
    destination = target.destination
    states = {
        destination.key(file.suffix): attempt.examine(destination.key(file.suffix), standing)
        for file in files
    }
    with attempt.own_uploads():
        for file in files:
            key = destination.key(file.suffix)
            if not isinstance(states[key], StoredObject):
                attempt.upload(key, file)
        if confirm is not None:
            confirm()
        if standing.previous:
            log.info(
                "Replacing %s, of %s, by %s",
                destination.item_uri, standing.previous.writer, writer_of(target.identity),
            )  # fmt: skip
            if winner := attempt.retire(standing.previous):
                return winner
        stored = [
            attempt.complete(destination.key(file.suffix), file, states)
            for file in files
        ]  # fmt: skip
        record = attempt.commit(stored, build_item)
    attempt.sweep(standing, {stored.key for stored in record.objects})
    return record
