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

from collections.abc import Callable, Sequence

from airflow_provider.earthengine.download.publish.attempt import Attempt
from airflow_provider.earthengine.download.publish.files import GrowingFile, LocalFile
from airflow_provider.earthengine.download.publish.record import (
    CommitRecord,
    Standing,
    StoredObject,
    Target,
)


def publish_files(
    target: Target,
    standing: Standing,
    files: Sequence[LocalFile | GrowingFile],
    build_item: Callable[[Sequence[StoredObject]], bytes],
    confirm: Callable[[], object] | None = None,
) -> CommitRecord:
    """Return the record of the published download, by whichever attempt it was published.

    :param build_item: makes the item's content from the stored objects, in the order of ``files``.
    :param confirm: called when all is uploaded and nothing is visible; raises if it must stay so.
    :raises ObjectExistsError: a key holds something that has to stay.
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
        if standing.previous and (winner := attempt.retire(standing.previous)):
            return winner
        stored = [
            attempt.complete(destination.key(file.suffix), file, states)
            for file in files
        ]  # fmt: skip
        record = attempt.commit(stored, build_item)
    attempt.sweep(standing, {stored.key for stored in record.objects})
    return record
