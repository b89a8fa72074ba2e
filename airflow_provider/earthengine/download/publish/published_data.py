"""An item -> where and when its data is, and which images it is made of: what an event says of it.

It never refuses an item. Items of earlier versions and of people who edit them say less, and what
they say otherwise is not passed on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from airflow_provider.earthengine.download.fields.source import SOURCE_IMAGES
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError
from airflow_provider.earthengine.download.publish.times import UNKNOWN_SOURCE

T = TypeVar("T")

TIME_SOURCE = "earthengine:time_source"
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class PublishedData:
    """What an item says of its data; each part is None, or empty, if it does not.

    :param bbox: west, south, east and north in degrees; west is the larger at the antimeridian.
    :param moment: the nominal time, in UTC as the others.
    :param start: of the time span.
    :param end: likewise; exclusive.
    :param images: the asset ids, and their versions if they are known.
    """

    bbox: tuple[float, ...] | None = None
    moment: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    images: tuple[tuple[str, int | None], ...] = ()

    @property
    def date(self) -> str | None:
        """The date in UTC, for example "2021-01-09"; None if there is none, or not a single one."""
        first = self.moment
        if first is None and self.start and self.end and self.end - self.start <= _DAY:
            first = self.start
        return None if first is None else first.date().isoformat()


def read_published_data(item: Foreign) -> PublishedData:
    """Return what a parsed item says of its data."""
    properties = item.at("properties")
    times: dict[str, datetime | None] = {}
    if properties.at(TIME_SOURCE).value != UNKNOWN_SOURCE:
        names = {"moment": "datetime", "start": "start_datetime", "end": "end_datetime"}
        times = {key: _read_time(properties.at(name)) for key, name in names.items()}
    return PublishedData(
        bbox=_known(lambda: tuple(each.finite() for each in item.at("bbox").items(4))),
        images=_known(lambda: _read_images(properties)) or (),
        **times,
    )


def _read_time(value: Foreign) -> datetime | None:
    return _known(lambda: value.time().astimezone(UTC))


def _read_images(properties: Foreign) -> tuple[tuple[str, int | None], ...]:
    listed = properties.at(SOURCE_IMAGES)
    if not listed.is_absent:
        images = listed.items()
        return tuple(_read_image(each.at("asset_id"), each.at("version")) for each in images)
    asset_id = properties.at("earthengine:asset_id")
    if asset_id.is_absent:
        return ()
    return (_read_image(asset_id, properties.at("earthengine:asset_version")),)


def _read_image(asset_id: Foreign, version: Foreign) -> tuple[str, int | None]:
    return asset_id.text(), None if version.is_absent else _known(version.whole)


def _known(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (ForeignValueError, OverflowError):  # The latter: the year 0, in UTC.
        return None
