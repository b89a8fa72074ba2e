"""What an item records of a download: it was written after everything that it names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.objects import ListedObject
from airflow_provider.earthengine.download.fields.destination import Destination, Identity
from airflow_provider.earthengine.download.fields.source import SOURCE_IMAGES, collections_of
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError, parse_json
from airflow_provider.earthengine.download.publish.published_data import (
    PublishedData,
    read_published_data,
)
from airflow_provider.earthengine.download.publish.recorded_lineage import (
    RecordedLineage,
    read_lineage,
)
from airflow_provider.earthengine.download.publish.writers import Writer
from airflow_provider.earthengine.download.usage import Usage
from airflow_provider.earthengine.exceptions import ObjectExistsError

FINGERPRINT = "earthengine:fingerprint"
GENERATION = "earthengine:generation"
ETAG = "earthengine:etag"
WARNINGS = "earthengine:warnings"
ALL_MASKED = "earthengine:all_masked"
"""The names of the rasters that have no valid pixel."""
THUMBNAIL = "thumbnail"
"""The name and the role of the asset that is a picture."""
USAGE = "earthengine:usage"
"""What it took to make the download: requests, refusals, bytes and tiles."""
SHA256_MULTIHASH = "1220"
"""The prefix of a sha256 in a multihash. Source:
https://github.com/stac-extensions/file#checksums, read 2026-11."""
_MOST_WARNINGS = 20
_THUMBNAIL_END = re.compile(r"\.thumbnail\.[0-9a-f]{32}\.(?:png|webp)\Z")


@dataclass(frozen=True)
class Endpoint:
    """Where the object store is, for people; "" if nobody has to know."""

    url: str = ""
    region: str = ""


@dataclass(frozen=True)
class Target:
    """The bucket and destination of a download, and which download it is.

    :param run: facts of the task's run, for people who find an unfinished replacement.
    """

    bucket: Bucket
    destination: Destination
    identity: Identity
    run: Mapping[str, Any] = field(default_factory=dict)
    endpoint: Endpoint = Endpoint()


@dataclass(frozen=True)
class StoredObject:
    """One object of a download, as the bucket holds it."""

    key: str
    byte_count: int
    etag: str
    sha256: str


@dataclass(frozen=True)
class StoredThumbnail:
    """The picture that an item names."""

    key: str
    media_type: str
    sha256: str


@dataclass(frozen=True)
class CommitRecord:
    """A published download, as its item records it.

    :param task_id: of the task that published it; "" if the item does not say.
    :param map_index: -1 for a task that is not mapped.
    :param collections: those in which a listing found the images.
    :param thumbnail: its picture; None if it has none.
    :param item: all of the item, as whoever wrote it left it.
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
    thumbnail: StoredThumbnail | None = field(default=None, compare=False)
    item: Foreign = field(default=Foreign(None), compare=False, repr=False)
    data: PublishedData = field(default_factory=PublishedData)
    lineage: RecordedLineage = field(default_factory=RecordedLineage, compare=False)

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


def facts_of_usage(usage: Usage | None) -> dict[str, Any]:
    """Return what an item records of the cost; nothing if it is not known."""
    if usage is None:
        return {}
    profiles = {"profiles": list(usage.profiles)} if usage.profiles else {}
    return {USAGE: {**usage.to_dict(), **profiles}}


def is_listed(stored: StoredObject, listed: Mapping[str, ListedObject]) -> bool:
    """Return whether the bucket lists exactly that object."""
    return listed.get(stored.key) == ListedObject(stored.byte_count, stored.etag)


def missing_objects(record: CommitRecord, listed: Mapping[str, ListedObject]) -> list[str]:
    """Return the keys of an item's objects that the bucket does not list as the item says."""
    return [stored.key for stored in record.objects if not is_listed(stored, listed)]


def parse_record(destination: Destination, content: bytes, etag: str) -> CommitRecord:
    """Return the record in an item.

    :raises ObjectExistsError: if this package did not write the item.
    """
    try:
        return read_item(destination, parse_json(content, "the item"), etag)
    except ForeignValueError:
        raise not_ours(destination) from None


def read_item(destination: Destination, item: Foreign, etag: str) -> CommitRecord:
    """Return the record in a parsed item.

    :raises ForeignValueError: if this package did not write the item.
    """
    properties = item.at("properties")
    described = [Foreign(asset, "an asset") for asset in item.at("assets").fields().values()]
    assets = [asset for asset in described if not _is_thumbnail(asset)]
    map_index = properties.at("airflow:map_index")
    return CommitRecord(
        item_uri=destination.item_uri,
        item_etag=etag,
        fingerprint=properties.at(FINGERPRINT).text(),
        generation=properties.at(GENERATION).text(),
        objects=tuple(_read_asset(destination, asset) for asset in assets),
        uris=tuple(asset.at("href").text() for asset in assets),
        task_id=properties.at("airflow:task_id").optional_text(),
        map_index=-1 if map_index.is_absent else map_index.whole(),
        collections=collections_of(
            each.at("asset_id").text() for each in properties.at(SOURCE_IMAGES).optional_items()
        ),
        warnings=tuple(each.text() for each in properties.at(WARNINGS).optional_items()),
        all_masked=tuple(each.text() for each in properties.at(ALL_MASKED).optional_items()),
        thumbnail=_read_thumbnail(destination, described),
        item=item,
        data=read_published_data(item),
        lineage=read_lineage(item),
    )


def not_ours(destination: Destination) -> ObjectExistsError:
    """Return the error for an item's key that holds something else."""
    return ObjectExistsError(
        f"{destination.item_uri} is not an item that this package wrote; use another name or "
        "s3_prefix, or remove it."
    )


def _read_asset(destination: Destination, asset: Foreign) -> StoredObject:
    return StoredObject(
        # An object elsewhere keeps its whole URI, which no listing of the destination has.
        key=asset.at("href").text().removeprefix(destination.uri("")),
        byte_count=asset.at("file:size").whole(),
        etag=asset.at(ETAG).text(),
        sha256=asset.at("file:checksum").text().removeprefix(SHA256_MULTIHASH),
    )


def is_thumbnail_key(key: str, item_key: str) -> bool:
    """Return whether the key is that of a picture of the item."""
    start = item_key.removesuffix(".json")
    return key.startswith(start) and _THUMBNAIL_END.fullmatch(key, len(start)) is not None


def _is_thumbnail(asset: Foreign) -> bool:
    return THUMBNAIL in [role.value for role in asset.at("roles").optional_items()]


def _read_thumbnail(destination: Destination, assets: Sequence[Foreign]) -> StoredThumbnail | None:
    """Return the picture beside the item; one elsewhere, or that cannot be read, is none."""
    for asset in filter(_is_thumbnail, assets):
        try:
            stored = _read_asset(destination, asset)
            if is_thumbnail_key(stored.key, destination.item_key):
                return StoredThumbnail(stored.key, asset.at("type").text(100), stored.sha256)
        except ForeignValueError:
            continue
    return None
