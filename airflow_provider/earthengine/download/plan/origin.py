"""What an image is made of: the assets in Earth Engine's catalog, and the sensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.download.fields.image import ImageSource
from airflow_provider.earthengine.download.fields.loaded_assets import (
    loaded_collections,
    loaded_images,
)
from airflow_provider.earthengine.download.fields.source import KnownSource, collections_of
from airflow_provider.earthengine.download.plan.sensors import Sensor, find_sensor

if TYPE_CHECKING:
    # It imports rasterio, and DAG files import this room on every parse.
    from airflow_provider.earthengine.download.plan.image_info import ImageInfo

_PUBLIC = "projects/earthengine-public/assets/"
# Ids of assets that are not in Earth Engine's catalog begin with these.
_PRIVATE = ("projects/", "users/")


def catalogued_sources(image: ImageSource, info: ImageInfo, listed: KnownSource) -> tuple[str, ...]:
    """Return the ids of what the image is made of, as Earth Engine's catalog may have them.

    :param listed: what a listing reported about the image.
    """
    images = (*loaded_images(image.expression), *(each.asset_id for each in listed.images))
    collections = _public(loaded_collections(image.expression))
    return tuple(dict.fromkeys((*collections, *_entries(_public(images), info.properties))))


def sensor_of(image: ImageSource, info: ImageInfo, listed: KnownSource) -> Sensor | None:
    """Return the sensor that all of the image is of; None if it is not known."""
    return find_sensor(info.properties, catalogued_sources(image, info, listed))


def _public(asset_ids: Iterable[str]) -> list[str]:
    names = [each.removeprefix(_PUBLIC) for each in asset_ids]
    return [name for name in names if "/" in name and not name.startswith(_PRIVATE)]


def _entries(images: list[str], properties: Mapping[str, Any]) -> Iterable[str]:
    """Yield the entries of images: those of their collections, or their own.

    :param properties: of the image that is downloaded. One that has an entry of its own has a
        title, or its kind, among them.
    """
    is_own = len(images) == 1 and ("title" in properties or "type_name" in properties)
    for each in images:
        if is_own or each.count("/") == 1:
            yield each
        else:
            yield from collections_of([each])
