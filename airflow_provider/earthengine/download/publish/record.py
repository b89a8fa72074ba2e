"""What is at a destination, and what an item records of a download.

The item is the commit record: what is parsed here was written last of all.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.objects import (
    ListedObject,
)
from airflow_provider.earthengine.download.fields.destination import Destination, Identity, IfExists
from airflow_provider.earthengine.exceptions import (
    ObjectExistsError,
)

log = logging.getLogger(__name__)

FINGERPRINT = "earthengine:fingerprint"
GENERATION = "earthengine:generation"
ETAG = "earthengine:etag"
SHA256_MULTIHASH = "1220"
"""What stands before a sha256 in a multihash. Source:
https://github.com/stac-extensions/file#checksums, read 2026-11."""


@dataclass(frozen=True)
class Target:
    """Where a download goes, in which bucket, and which download it is."""

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
    """A published download: what its item says."""

    item_uri: str
    item_etag: str
    fingerprint: str
    generation: str
    objects: tuple[StoredObject, ...]
    uris: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """What is at the destination before anything is fetched.

    :param done: the record to return, when there is nothing to do.
    :param previous: the record that has to go first, when there is one.
    :param listed: every object whose key begins as the download's keys do.
    """

    done: CommitRecord | None
    previous: CommitRecord | None
    listed: Mapping[str, ListedObject]


def is_listed(stored: StoredObject, listed: Mapping[str, ListedObject]) -> bool:
    """Return whether the bucket lists exactly that object."""
    return listed.get(stored.key) == ListedObject(stored.byte_count, stored.etag)


def read_record(target: Target) -> CommitRecord | None:
    """Return what the destination's item says, or None if there is none."""
    read = target.bucket.read_object(target.destination.item_key)
    return None if read is None else parse_record(target.destination, *read)


def look_at_destination(target: Target) -> Standing:
    """Return what is there; one read and one listing.

    :raises ObjectExistsError: another download is there and has to stay.
    """
    record = read_record(target)
    identity = target.identity
    listed = target.bucket.list_objects(target.destination.key("."))
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


def parse_record(destination: Destination, content: bytes, etag: str) -> CommitRecord:
    """Return what an item says.

    :raises ObjectExistsError: it is not an item that this package wrote.
    """
    try:
        item = json.loads(content)
        assets = item["assets"].values()
        return CommitRecord(
            item_uri=destination.item_uri,
            item_etag=etag,
            fingerprint=item["properties"][FINGERPRINT],
            generation=item["properties"][GENERATION],
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
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ObjectExistsError(
            f"{destination.item_uri} is not an item that this package wrote; use "
            "another name or s3_prefix, or remove it."
        ) from None
