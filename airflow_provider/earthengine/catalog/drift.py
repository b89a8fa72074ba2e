"""Items of a prefix and the catalog -> what changed, vanished or is new.

Compares versions, which change whenever an asset is reprocessed; no pixels are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_provider.earthengine.catalog.image_query import read_version
from airflow_provider.earthengine.catalog.listed_downloads import (
    ListedDownload,
    each_image,
    mosaic_of,
)
from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.fields.asset_id import find_asset_id
from airflow_provider.earthengine.download.fields.destination import KEY_NAMES
from airflow_provider.earthengine.download.fields.layout import ITEM_SUFFIXES
from airflow_provider.earthengine.download.fields.source import SOURCE_IMAGES, ListedImage
from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.publish.below_prefix import (
    Place,
    read_below,
    read_given,
)
from airflow_provider.earthengine.download.publish.published_data import TIME_SOURCE
from airflow_provider.earthengine.download.publish.record import FINGERPRINT

Versions = Mapping[str, int | None]
"""The current version of each asset by its id; vanished assets are not in it."""


@dataclass(frozen=True)
class RecordedDownload:
    """What an item records of its source.

    :param base: the base of the objects' names.
    :param images: the assets that it was made from, with their versions at that time.
    :param is_mosaic: whether it was computed from them.
    """

    item_key: str
    prefix: str
    base: str
    images: tuple[ListedImage, ...]
    is_mosaic: bool
    start: datetime | None

    @property
    def asset_ids(self) -> frozenset[str]:
        """The ids of the assets."""
        return frozenset(image.asset_id for image in self.images)

    def download_again(
        self, versions: Versions, listed: ListedDownload | None
    ) -> ListedDownload | None:
        """Return the download as it would be now; None if no source is left.

        :param listed: the same date, as listed in the catalog now, if it was queried.
        """
        if listed is not None:
            return replace(listed, name=self.base)
        left = [
            replace(image, version=versions[image.asset_id])
            for image in self.images
            if image.asset_id in versions
        ]
        if not left:
            return None
        if self.is_mosaic:
            return mosaic_of(self.base, self.start, left)
        (again,) = each_image(replace(image, start=self.start) for image in left)
        return replace(again, name=self.base)


@dataclass(frozen=True)
class Drift:
    """The differences between the recorded downloads and the catalog.

    :param changed: what to download again, each with its prefix.
    :param vanished: the items that have no source left.
    :param appeared: downloads in the catalog that no item records.
    """

    changed: tuple[tuple[str, ListedDownload], ...]
    vanished: tuple[RecordedDownload, ...]
    appeared: tuple[ListedDownload, ...]


def read_recorded(bucket: Bucket, prefix: str) -> tuple[list[RecordedDownload], int]:
    """Return the downloads below the prefix in order of key, and how many items name no source."""
    recorded = read_below(bucket, prefix, ITEM_SUFFIXES, _read_item)
    return [each for each in recorded if each.images], sum(not each.images for each in recorded)


def find_drift(
    recorded: Sequence[RecordedDownload],
    versions: Versions,
    present: Sequence[ListedDownload] | None,
    *,
    by_date: bool,
) -> Drift:
    """Return the differences.

    :param present: what the catalog lists now; None if it was not queried: then nothing is new.
    :param by_date: whether ``present`` holds a mosaic per date, rather than images.
    """
    changed: list[tuple[str, ListedDownload]] = []
    vanished: list[RecordedDownload] = []
    dates = {each.start: each for each in present or ()} if by_date else {}
    for download in recorded:
        listed = dates.get(download.start) if download.is_mosaic else None
        again = download.download_again(versions, listed)
        if again is None:
            vanished.append(download)
        elif _state(again.images) != _state(download.images):
            changed.append((download.prefix, again))
    known = _known(recorded, by_date=by_date)
    appeared = [
        each for each in present or () if (each.start if by_date else each.image) not in known
    ]
    return Drift(tuple(changed), tuple(vanished), tuple(appeared))


def _known(recorded: Iterable[RecordedDownload], *, by_date: bool) -> set[Any]:
    if by_date:
        return {download.start for download in recorded if download.is_mosaic}
    return {
        asset_id
        for download in recorded
        if not download.is_mosaic
        for asset_id in download.asset_ids
    }


def _state(images: Iterable[ListedImage]) -> set[tuple[str, int | None]]:
    return {(image.asset_id, image.version) for image in images}


def _read_item(place: Place, item: Foreign) -> RecordedDownload | None:
    """Return what an item records; None if it is not an item of this package.

    :raises ForeignValueError: if it says to be one, and cannot be.
    """
    if not isinstance(item.value, Mapping) or not isinstance(item.value.get("properties"), Mapping):
        return None
    properties = item.at("properties")
    if FINGERPRINT not in properties.fields():
        return None
    asset_id = properties.at("earthengine:asset_id")
    if asset_id.is_absent:
        listed = properties.at(SOURCE_IMAGES)
        images = [] if listed.is_absent else [_read_image(each) for each in listed.items()]
    else:
        images = [_image_of(asset_id, properties.at("earthengine:asset_version"))]
    time = properties.at("datetime")
    if time.is_absent:
        time = properties.at("start_datetime")
    # A time that is not that of the images is none.
    is_of_images = properties.fields().get(TIME_SOURCE, "image") in ("image", "listing")
    given = read_given(place, properties.at(KEY_NAMES))
    return RecordedDownload(
        item_key=place.key,
        prefix=given.prefix,
        base=given.name,
        images=tuple(images),
        is_mosaic=asset_id.is_absent,
        start=None if time.is_absent or not is_of_images else time.time(),
    )


def _read_image(image: Foreign) -> ListedImage:
    return _image_of(image.at("asset_id"), image.at("version"))


def _image_of(asset_id: Foreign, version: Foreign) -> ListedImage:
    if find_asset_id(asset_id.text()) != asset_id.value:
        asset_id.refuse("an asset id")
    return ListedImage(asset_id.text(), None, read_version(version))
