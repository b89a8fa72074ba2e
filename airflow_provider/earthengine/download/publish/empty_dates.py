"""A download that finds nothing -> a marker, and no request until the next check is due."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from airflow_provider.earthengine.download.fields.destination import IfExists
from airflow_provider.earthengine.download.fields.job import Job
from airflow_provider.earthengine.download.fields.on_empty import ALL_MASKED, MARK, kind_of
from airflow_provider.earthengine.download.publish import markers
from airflow_provider.earthengine.download.publish.markers import StoredMarker
from airflow_provider.earthengine.download.publish.record import Target
from airflow_provider.earthengine.download.publish.standing import Standing, look_at_destination
from airflow_provider.earthengine.download.publish.writers import check_no_rival_at_work
from airflow_provider.earthengine.exceptions import AllMaskedError, EmptyImageError

log = logging.getLogger(__name__)


@contextmanager
def marking_empty(target: Target, job: Job) -> Iterator[Standing]:
    """Yield what is at the destination; mark the download if the block finds that it is empty.

    :raises EmptyImageError: if a marker that is not due says so, before the block.
    """
    standing = look_at_destination(target)
    marker = check_due(target, job, standing)
    try:
        yield standing
    except EmptyImageError as error:
        write_marker(target, job, marker, error)
        raise


def check_due(target: Target, job: Job, standing: Standing) -> StoredMarker | None:
    """Return the marker at the destination, if there is one.

    :raises EmptyImageError: if the job respects markers and this one is not due yet.
    :raises ObjectExistsError: if another task of this run wrote it.
    """
    key = _key(target)
    if key not in standing.listed or standing.done:
        return None
    found = markers.read_marker(target.bucket, key)
    if found:
        check_no_rival_at_work(target.bucket.uri(key), found.marker.writer, target.identity)
    # "replace" requests a check now.
    if found and target.identity.if_exists is not IfExists.REPLACE:
        marker = found.marker
        is_heeded = job.on_empty.of(marker.nothing) == MARK
        if (
            is_heeded
            and marker.fingerprint == target.identity.fingerprint
            and not marker.is_due(datetime.now(UTC))
        ):
            error = AllMaskedError if marker.nothing == ALL_MASKED else EmptyImageError
            raise error(
                f"Nothing was found on {marker.looked_at.isoformat()}; the next check is due after "
                f"{marker.recheck_after.isoformat()}. To check now, remove the marker "
                f"{target.destination.base}{markers.MARKER_SUFFIX}, or use if_exists='replace'.",
                recheck_after=marker.recheck_after.isoformat(),
            )
    return found


def write_marker(
    target: Target, job: Job, found: StoredMarker | None, error: EmptyImageError
) -> None:
    """Mark the download as empty, if the job requests it.

    :param found: the marker to replace, if there is one.
    :param error: why the download is empty.
    :raises ObjectExistsError: if another task of this run has written one meanwhile.
    """
    nothing = kind_of(error)
    if job.on_empty.of(nothing) != MARK:
        return
    key = _key(target)
    marker = markers.make_marker(
        target.destination,
        target.identity,
        job.image,
        job.source.given,
        error.message,
        job.recheck_days,
        found.marker if found else None,
    )
    marker = replace(marker, nothing=nothing)
    if not markers.write_marker(target.bucket, key, marker, found):
        if other := markers.read_marker(target.bucket, key):
            check_no_rival_at_work(target.bucket.uri(key), other.marker.writer, target.identity)
        return
    if found and found.marker.fingerprint != marker.fingerprint:
        log.info("Replaced %s, written by %s", target.bucket.uri(key), found.marker.writer)
    log.info(
        "Wrote marker %s; the next check is due after %s",
        target.bucket.uri(key),
        marker.recheck_after.isoformat(),
    )


def remove_marker(target: Target, standing: Standing) -> None:
    """Remove the marker of an earlier check, now that the download has found something."""
    key = _key(target)
    if listed := standing.listed.get(key):
        markers.remove_marker(target.bucket, key, listed.etag)


def _key(target: Target) -> str:
    return target.destination.key(markers.MARKER_SUFFIX)
