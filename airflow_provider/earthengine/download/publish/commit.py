"""Local files -> objects -> item: how a download becomes visible, completely or not at all.

The promise: an item exists only if every object that it names is complete and verified. An
object without an item is not a result; the next attempt adopts or replaces it. Attempts at one
destination can run at the same time, stop for any time and go on, or die, so every write is
conditional on the state in which it was decided:

1. All parts of all objects are uploaded first; none of this is visible. The whole item is built
   while everything that exists is still unchanged.
2. If all keys are empty, or hold what this attempt would write, each upload is completed on the
   condition that its key is empty. This harms nobody, however late it happens.
3. If an object is to be overwritten or deleted, the item's key is claimed first, in the state in
   which that was decided. A claim names the uploads that its attempt may complete; an attempt that
   takes its place aborts them first. So an attempt that has lost its claim can change nothing.
4. The item is written last, if its key is still empty or claimed by this attempt. If it is to name
   a picture, that is written immediately before, under a key that no other attempt has.

No attempt deletes an object of the download that it publishes. A failing attempt aborts only its
own open uploads, and restores the item that it replaces if everything that this names still exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_provider.earthengine.download.publish.attempt import Attempt, OvertakenError
from airflow_provider.earthengine.download.publish.check_item import BuildItem
from airflow_provider.earthengine.download.publish.files import LocalFile
from airflow_provider.earthengine.download.publish.record import CommitRecord, Target
from airflow_provider.earthengine.download.publish.standing import Standing
from airflow_provider.earthengine.download.publish.thumbnails import Thumbnails
from airflow_provider.earthengine.download.raster.quicklook import Quicklook


def publish_files(
    target: Target,
    standing: Standing,
    files: Sequence[LocalFile],
    build_item: BuildItem,
    confirm: Callable[[], object] | None = None,
    quicklook: Quicklook | None = None,
) -> CommitRecord:
    """Return the record of the published download, whichever attempt published it.

    :param standing: what existed when this was decided; nothing newer is overwritten.
    :param confirm: called once all is uploaded and nothing visible; raises to stop publishing.
    :param quicklook: the picture for the item; None for none.
    :raises ObjectExistsError: if a key holds an object that must not be replaced.
    """
    attempt = Attempt(target, standing, files)
    thumbnails = Thumbnails(target, standing, quicklook)
    with attempt.cleaning_up():
        attempt.upload()
        if confirm is not None:
            confirm()
        attempt.check(build_item)
        try:
            attempt.claim()
            attempt.complete()
            attempt.sweep()
            record = attempt.commit(thumbnails.added_to(build_item))
        except OvertakenError as overtaken:
            return overtaken.record
    thumbnails.sweep(record)
    return record
