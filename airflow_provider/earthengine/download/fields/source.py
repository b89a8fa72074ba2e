"""What a listing reported about the image: the operator's field ``source``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider.earthengine.download.fields.plain_values import check_plain
from airflow_provider.earthengine.download.fields.read_params import read_name
from airflow_provider.earthengine.download.fields.values import read_text, read_time, shown
from airflow_provider.earthengine.download.foreign import MICROSECOND, Foreign, ForeignValueError
from airflow_provider.earthengine.exceptions import (
    DownloadParamsError,
)

SOURCE_IMAGES = "earthengine:source_images"
"""The property of an item that lists the images of a listing."""


@dataclass(frozen=True)
class ListedImage:
    """An image of a collection, as a listing shows it.

    :param start: its ``system:time_start``; None if it has none.
    :param version: changes when the image is reprocessed: the time of ingestion in
        microseconds since 1970. Source:
        https://developers.google.com/earth-engine/guides/image_info, read 2025-08.
    """

    asset_id: str
    start: datetime | None
    version: int | None


def collections_of(asset_ids: Iterable[str]) -> frozenset[str]:
    """Return the collections, or folders, of assets."""
    return frozenset(asset_id.rpartition("/")[0] for asset_id in asset_ids)


def update_time(version: int | None) -> datetime | None:
    """Return when the asset of this version was ingested; None if the version is not a time."""
    try:
        return None if version is None else Foreign(version).moment(MICROSECOND)
    except (ForeignValueError, DownloadParamsError):
        return None


@dataclass(frozen=True)
class KnownSource:
    """What is known about the image before the download: the operator's field ``source``.

    :param name: the base of the objects' names, unless ``download_params`` has one.
    :param images: the images that it is made of, with their versions at the time of the listing.
    :param start: the time of the image, or the start of its day in UTC.
    :param end: the end of the day; None for a single image.
    :param given: the field as given, for the marker of an empty date.
    """

    name: str | None = None
    images: tuple[ListedImage, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    given: Mapping[str, Any] | None = None

    @property
    def collections(self) -> frozenset[str]:
        """The collections, or folders, of the images."""
        return collections_of(each.asset_id for each in self.images)

    def to_item(self) -> dict[str, Any]:
        """Return the properties that the item records."""
        images = [{"asset_id": each.asset_id, "version": each.version} for each in self.images]
        return {SOURCE_IMAGES: images} if images else {}


def read_source(value: Any) -> KnownSource:
    """Return the parsed field ``source`` of the operator; None means that nothing is known.

    :raises DownloadParamsError: if it is not in the form that a listing returns.
    """
    if value is None:
        return KnownSource()
    check_plain("source", value)
    try:
        check_plain("source", value)
        given = Foreign(value, "source")
        name, images = given.at("name"), given.at("images")
        listed = tuple(_read_listed(*image.items(2)) for image in images.optional_items())
        start, end = (_read_moment(given.at(key)) for key in ("start_time", "end_time"))
    except (ForeignValueError, DownloadParamsError):
        raise DownloadParamsError(
            f"source is {shown(value)}; pass it as EarthEngineListImagesOperator returned it.",
            field="source",
        ) from None
    base = None if name.is_absent else read_name("source name", name.value)
    return KnownSource(base, listed, start, end, value)


def _read_listed(asset_id: Foreign, version: Foreign) -> ListedImage:
    return ListedImage(
        read_text("source", asset_id.text()),
        None,
        None if version.is_absent else version.whole(),
    )


def _read_moment(moment: Foreign) -> datetime | None:
    return None if moment.is_absent else read_time("source", moment.value)
