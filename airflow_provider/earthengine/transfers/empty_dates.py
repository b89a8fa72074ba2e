"""What becomes of a download that finds nothing: a marker, and no question until it is due."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.download.fields.destination import IfExists
from airflow_provider.earthengine.download.fields.values import read_number, shown
from airflow_provider.earthengine.exceptions import DownloadParamsError, EmptyImageError

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.bucket.bucket import Bucket
    from airflow_provider.earthengine.download.markers import StoredMarker
    from airflow_provider.earthengine.download.publication import Standing
    from airflow_provider.earthengine.transfers.job import Job

log = logging.getLogger(__name__)

FAIL, SKIP, MARK = "fail", "skip", "mark"
_ON_EMPTY = (FAIL, SKIP, MARK)


def read_on_empty(value: Any) -> str:
    """Return "fail", "skip" or "mark".

    :raises DownloadParamsError: for anything else.
    """
    if value not in _ON_EMPTY:
        raise DownloadParamsError(
            f"on_empty is {shown(value)}; known are {', '.join(_ON_EMPTY)}.", field="on_empty"
        )
    return str(value)


def read_recheck_days(value: Any) -> float:
    """Return days, above zero.

    :raises DownloadParamsError: for anything else.
    """
    days = read_number("recheck_days", value)
    if not 0 < days <= 3650:
        raise DownloadParamsError(
            f"recheck_days is {shown(value)}; write days above 0, at most 3650.",
            field="recheck_days",
        )
    return days


@contextmanager
def minding_markers(
    job: Job, bucket: Bucket, standing: Standing, on_empty: str, recheck_days: Any, source: Any
) -> Iterator[None]:
    """Mark the download where the block finds it empty; remove its marker where it does not.

    :param source: the operator's field.
    :raises EmptyImageError: it is marked as empty and not due; the block is not entered.
    """
    from airflow_provider.earthengine.download import markers

    days = read_recheck_days(recheck_days)
    key = job.destination.key(markers.MARKER_SUFFIX)
    listed = standing.listed.get(key)
    found = markers.read_marker(bucket, key) if listed and not standing.done else None
    if on_empty == MARK:
        _check_due(job, found)
    try:
        yield
    except EmptyImageError as error:
        if on_empty == MARK:
            marker = markers.make_marker(
                job.destination,
                job.identity.fingerprint,
                job.image,
                source,
                error.message,
                days,
                found.marker if found else None,
            )
            markers.write_marker(bucket, key, marker, found)
            log.info("Marked %s; due at %s", bucket.uri(key), marker.recheck_after.isoformat())
        raise
    if listed:
        markers.remove_marker(bucket, key, listed.etag)


def _check_due(job: Job, found: StoredMarker | None) -> None:
    """Raise if it is known that there is nothing, and too early to look again."""
    # Whoever says "replace" wants it looked at.
    if found is None or job.identity.if_exists is IfExists.REPLACE:
        return
    marker = found.marker
    if marker.fingerprint == job.identity.fingerprint and not marker.is_due(datetime.now(UTC)):
        raise EmptyImageError(
            f"There was nothing on {marker.looked_at.isoformat()}, and it is looked again after "
            f"{marker.recheck_after.isoformat()}; to look now, remove the marker "
            f"{job.destination.base}.empty.json, or use if_exists='replace'.",
            recheck_after=marker.recheck_after.isoformat(),
        )
