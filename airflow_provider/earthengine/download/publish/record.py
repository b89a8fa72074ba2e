"""What exists at a destination, and what an item records of a download.

The item is the commit record: it was written after everything that it names.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.objects import (
    ListedObject,
)
from airflow_provider.earthengine.download.fields.destination import Destination, Identity, IfExists
from airflow_provider.earthengine.download.fields.source import SOURCE_IMAGES, collections_of
from airflow_provider.earthengine.download.publish.writers import Writer, check_no_rival
from airflow_provider.earthengine.exceptions import (
    ObjectExistsError,
)

log = logging.getLogger(__name__)

FINGERPRINT = "earthengine:fingerprint"
GENERATION = "earthengine:generation"
ETAG = "earthengine:etag"
TIME_SOURCE = "earthengine:time_source"
WARNINGS = "earthengine:warnings"
ALL_MASKED = "earthengine:all_masked"
"""The names of the rasters that have no valid pixel."""
SHA256_MULTIHASH = "1220"
"""The prefix of a sha256 in a multihash. Source:
https://github.com/stac-extensions/file#checksums, read 2026-11."""
_MOST_WARNINGS = 20


@dataclass(frozen=True)
class Target:
    """The bucket and destination of a download, and which download it is."""

    bucket: Bucket
    destination: Destination
    identity: Identity


@dataclass(frozen=True)
class StoredObject:
    """One object of a download, as the bucket holds it."""

    key: str
    byte_count: int
    etag: str
    sha256: str


@dataclass(frozen=True)
class CommitRecord:
    """A published download, as its item records it.

    :param task_id: of the task that published it; "" if the item does not say.
    :param map_index: -1 for a task that is not mapped.
    :param collections: those in which a listing found the images.
    """

    item_uri: str
    item_etag: str
    fingerprint: str
    generation: str
    objects: tuple[StoredObject, ...]
    uris: tuple[str, ...]
    task_id: str = ""
    map_index: int = -1
    collections: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    all_masked: tuple[str, ...] = ()

    @property
    def writer(self) -> Writer:
        """Who published it."""
        return Writer(
            self.fingerprint, self.generation, self.task_id, self.map_index, self.collections
        )

    def to_summary(self) -> dict[str, Any]:
        """Return what is notable about the download, short enough for XCom."""
        return {
            "warnings": list(self.warnings[:_MOST_WARNINGS]),
            "all_masked": list(self.all_masked),
        }


@dataclass(frozen=True)
class Standing:
    """What exists at the destination before anything is fetched.

    :param done: the record to return if there is nothing to do.
    :param previous: the record to delete first, if there is one.
    :param listed: every object whose key starts like the download's keys.
    """

    done: CommitRecord | None
    previous: CommitRecord | None
    listed: Mapping[str, ListedObject]


def is_listed(stored: StoredObject, listed: Mapping[str, ListedObject]) -> bool:
    """Return whether the bucket lists exactly that object."""
    return listed.get(stored.key) == ListedObject(stored.byte_count, stored.etag)


def read_record(target: Target) -> CommitRecord | None:
    """Return the record in the destination's item, or None if there is no item."""
    read = target.bucket.read_object(target.destination.item_key)
    return None if read is None else parse_record(target.destination, *read)


def look_at_destination(target: Target) -> Standing:
    """Return what exists at the destination, with one read and one listing.

    :raises ObjectExistsError: if it holds another download that must not be replaced, or one that
        another task of this run published.
    """
    record = read_record(target)
    identity = target.identity
    listed = target.bucket.list_objects(target.destination.key("."))
    if record is None:
        return Standing(None, None, listed)
    if not identity.owns(record.fingerprint, record.generation):
        check_no_rival(record.item_uri, record.writer, identity)
        if identity.if_exists is IfExists.FAIL:
            raise ObjectExistsError(
                f"{record.item_uri} records another download, but if_exists is 'fail'; use "
                "another name or s3_prefix, or if_exists='replace_changed'."
            )
        return Standing(None, record, listed)
    missing = [stored.key for stored in record.objects if not is_listed(stored, listed)]
    if missing:
        log.warning(
            "%s names objects that are missing or changed: %s; publishing again.",
            record.item_uri,
            ", ".join(missing),
        )
        return Standing(None, record, listed)
    return Standing(record, None, listed)


def parse_record(destination: Destination, content: bytes, etag: str) -> CommitRecord:
    """Return the record in an item.

    :raises ObjectExistsError: if this package did not write the item.
    """
    try:
        item = json.loads(content)
        assets, properties = item["assets"].values(), item["properties"]
        return CommitRecord(
            item_uri=destination.item_uri,
            item_etag=etag,
            fingerprint=properties[FINGERPRINT],
            generation=properties[GENERATION],
            objects=tuple(
                StoredObject(
                    key=asset["href"].removeprefix(destination.uri("")),
                    byte_count=asset["file:size"],
                    etag=asset[ETAG],
                    sha256=asset["file:checksum"].removeprefix(SHA256_MULTIHASH),
                )
                for asset in assets
            ),
            uris=tuple(asset["href"] for asset in assets),
            task_id=str(properties.get("airflow:task_id", "")),
            map_index=int(properties.get("airflow:map_index", -1)),
            collections=collections_of(
                each["asset_id"] for each in properties.get(SOURCE_IMAGES, ())
            ),
            warnings=tuple(map(str, properties.get(WARNINGS, ()))),
            all_masked=tuple(map(str, properties.get(ALL_MASKED, ()))),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ObjectExistsError(
            f"{destination.item_uri} is not an item that this package wrote; use "
            "another name or s3_prefix, or remove it."
        ) from None
