"""Markers of empty dates: nothing was found on this day, and when to check again.

A marker takes the place of the download's item, as ``<base>.empty.json``. It is not a result: a
download that finds something replaces it. Until it is due, Earth Engine gets no request.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.objects import Precondition
from airflow_provider.earthengine.download.fields.destination import Destination, Identity
from airflow_provider.earthengine.download.fields.image import ImageSource
from airflow_provider.earthengine.download.fields.on_empty import NO_PIXELS
from airflow_provider.earthengine.download.fields.templates import (
    check_no_template,
    keep_from_templates,
)
from airflow_provider.earthengine.download.foreign import (
    MAX_JSON_BYTE_COUNT,
    Foreign,
    ForeignValueError,
    parse_json,
)
from airflow_provider.earthengine.download.publish.below_prefix import (
    GivenNames,
    Place,
    place_of,
    read_below,
    read_given,
)
from airflow_provider.earthengine.download.publish.record import FINGERPRINT
from airflow_provider.earthengine.download.publish.writers import Writer
from airflow_provider.earthengine.exceptions import ObjectExistsError

log = logging.getLogger(__name__)

MARKER_SUFFIX = ".empty.json"
_MEDIA_TYPE = "application/json"
_KIND = "earthengine-empty"
_MAX_LOOKS = 1_000_000
_WRITTEN_OTHERWISE = frozenset({"fingerprint", "given"})


@dataclass(frozen=True)
class Marker:
    """A download that found nothing.

    :param fingerprint: of the download.
    :param base: the base of its objects' names.
    :param image: an asset id, or a program as JSON text.
    :param source: the operator's field ``source``, as given.
    :param looks: the number of checks so far.
    :param recheck_after: when to check again.
    :param generation: the run that checked last; "" in markers of earlier versions.
    :param task_id: of the task that did; "" likewise.
    :param map_index: -1 for a task that is not mapped.
    :param given: the fields that a pattern of keys was given; None without one.
    :param nothing: "no_pixels", or "all_masked" if there were pixels, none of them valid.
    """

    fingerprint: str
    base: str
    prefix: str
    image: str
    source: Any
    reason: str
    looks: int
    looked_at: datetime
    recheck_after: datetime
    generation: str = ""
    task_id: str = ""
    map_index: int = -1
    nothing: str = NO_PIXELS
    given: GivenNames | None = None

    @property
    def writer(self) -> Writer:
        """Who wrote it."""
        return Writer(self.fingerprint, self.generation, self.task_id, self.map_index)

    def is_due(self, now: datetime) -> bool:
        """Return whether it is time to check again."""
        return now >= self.recheck_after

    def to_json(self) -> bytes:
        """Return the marker's content."""
        content = {
            "kind": _KIND,
            FINGERPRINT: self.fingerprint,
            **{key: each for key, each in vars(self).items() if key not in _WRITTEN_OTHERWISE},
            **({"given": vars(self.given)} if self.given else {}),
            "looked_at": self.looked_at.isoformat(),
            "recheck_after": self.recheck_after.isoformat(),
        }
        return json.dumps(content, indent=2).encode()

    def to_fields(self) -> dict[str, Any]:
        """Return the fields of an ``EarthEngineToS3Operator`` that checks again."""
        source = self.source if isinstance(self.source, Mapping) else {}
        given = self.given or GivenNames(self.prefix, self.base)
        return {
            "image": keep_from_templates(self.image),
            "source": {**source, "name": given.name},
            "s3_prefix": check_no_template(given.prefix),
        }


@dataclass(frozen=True)
class StoredMarker:
    """A marker, and its ETag when it was read."""

    marker: Marker
    etag: str


def read_marker(bucket: Bucket, key: str) -> StoredMarker | None:
    """Return the marker at the key; None if it no longer exists.

    :raises ObjectExistsError: if this package did not write it.
    """
    read = bucket.read_object(key)
    if read is None:
        return None
    content, etag = read
    try:
        marker = _read(place_of(key, MARKER_SUFFIX), parse_json(content, "the marker"))
    except ForeignValueError:
        raise ObjectExistsError(
            f"{bucket.uri(key)} is not a marker that this package wrote; use another name or "
            "s3_prefix, or remove it."
        ) from None
    return StoredMarker(marker, etag)


def _read(place: Place, value: Foreign) -> Marker:
    """Return the marker at a place.

    :raises ForeignValueError: if this package did not write it.
    """
    if value.at("kind").value != _KIND:
        value.refuse("a marker")
    map_index, nothing = value.at("map_index"), value.at("nothing")
    given = value.at("given")
    return Marker(
        fingerprint=value.at(FINGERPRINT).text(),
        base=place.base,
        prefix=place.prefix,
        image=value.at("image").text(MAX_JSON_BYTE_COUNT),
        source=value.at("source").plain(),
        reason=value.at("reason").text(),
        looks=value.at("looks").whole(1, _MAX_LOOKS),
        looked_at=value.at("looked_at").time(),
        recheck_after=value.at("recheck_after").time(),
        generation=value.at("generation").optional_text(),
        task_id=value.at("task_id").optional_text(),
        map_index=-1 if map_index.is_absent else map_index.whole(),
        nothing=NO_PIXELS if nothing.is_absent else nothing.text(),
        given=None if given.is_absent else read_given(place, given),
    )


def make_marker(
    destination: Destination,
    identity: Identity,
    image: ImageSource,
    source: Any,
    reason: str,
    recheck_days: float,
    previous: Marker | None,
) -> Marker:
    """Return the marker to write now.

    Each check that finds nothing doubles the wait until the next one, so that data that never
    arrives is rarely requested.
    """
    now, names = datetime.now(UTC), destination.names
    is_again = previous is not None and previous.fingerprint == identity.fingerprint
    looks = previous.looks + 1 if previous and is_again else 1
    return Marker(
        fingerprint=identity.fingerprint,
        base=destination.base,
        prefix=destination.prefix,
        image=image.asset_id or json.dumps(image.expression, sort_keys=True),
        source=source,
        reason=reason,
        looks=looks,
        looked_at=now,
        recheck_after=now + timedelta(days=recheck_days * 2 ** min(looks - 1, 10)),
        generation=identity.generation,
        task_id=identity.task_id,
        map_index=identity.map_index,
        given=GivenNames(names.prefix, names.name) if names else None,
    )


def write_marker(bucket: Bucket, key: str, marker: Marker, previous: StoredMarker | None) -> bool:
    """Write the marker in place of ``previous``, or where there was none; return whether it did.

    If two attempts write at once, the first marker stays.
    """
    bucket.find_out_conditions(marker.prefix)
    condition = Precondition(previous.etag if previous else None)
    try:
        bucket.write_object(key, marker.to_json(), _MEDIA_TYPE, condition)
    except (ConditionFailedError, UploadConflictError):
        log.info("%s was written by another attempt.", bucket.uri(key))
        return False
    return True


def remove_marker(bucket: Bucket, key: str, etag: str) -> None:
    """Delete the marker that was listed with this ETag, because there is a result now."""
    try:
        bucket.delete_object(key, etag)
        log.info("Removed marker %s; its download has a result now.", bucket.uri(key))
    except ConditionFailedError:
        log.info("Kept %s, which has just changed.", bucket.uri(key))


def list_due_markers(bucket: Bucket, prefix: str, now: datetime) -> list[Marker]:
    """Return the due markers below the prefix, in the order of their keys."""
    markers = read_below(bucket, prefix, (MARKER_SUFFIX,), _read)
    return [marker for marker in markers if marker.is_due(now)]
