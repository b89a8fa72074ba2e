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
from collections.abc import Callable, Sequence

from airflow_provider.earthengine.download.assemble import GrowingFile, LocalFile
from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.fields.destination import (
    CommitRecord,
    Destination,
    Identity,
    IfExists,
    StoredObject,
)
from airflow_provider.earthengine.download.publication import (
    Publication,
    Standing,
    is_listed,
    read_record,
)
from airflow_provider.earthengine.exceptions import ObjectExistsError

log = logging.getLogger(__name__)


def look_at_destination(bucket: Bucket, destination: Destination, identity: Identity) -> Standing:
    """Return what is there; one read and one listing.

    :raises ObjectExistsError: another download is there and has to stay.
    """
    record = read_record(bucket, destination)
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
    missing = [stored.key for stored in record.objects if not is_listed(stored, listed)]
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
    files: Sequence[LocalFile | GrowingFile],
    build_item: Callable[[Sequence[StoredObject]], bytes],
    confirm: Callable[[], object] = lambda: None,
) -> CommitRecord:
    """Return the record of the published download, by whichever attempt it was published.

    :param build_item: makes the item's content from the stored objects, in the order of ``files``.
    :param confirm: called when all is uploaded and nothing is visible; raises if it must stay so.
    :raises ObjectExistsError: a key holds something that has to stay.
    """
    publication = Publication(bucket, destination, identity)
    states = {
        destination.key(file.suffix): publication.examine(destination.key(file.suffix), standing)
        for file in files
    }
    with publication.own_uploads():
        for file in files:
            key = destination.key(file.suffix)
            if not isinstance(states[key], StoredObject):
                publication.upload(key, file)
        confirm()
        if standing.previous and (winner := publication.retire(standing.previous)):
            return winner
        stored = [
            publication.complete(destination.key(file.suffix), file, states)
            for file in files
        ]  # fmt: skip
        record = publication.commit(stored, build_item)
    publication.sweep(standing, {stored.key for stored in record.objects})
    return record
