"""A published download -> the asset event of its task: when there is one, and what it says.

Airflow makes an event for each asset among a task's outlets whenever the task succeeds. The outlets
of a task that published nothing are therefore taken away before it ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from airflow.providers.common.compat.sdk import Asset, AssetAlias
from airflow.sdk.definitions.asset import AssetRef

from airflow_provider.earthengine.download.fields.values import read_words
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider.earthengine.download.publish.record import CommitRecord

T = TypeVar("T")

EVENT = "event"
"""The XCom key of what an event says, which every download has, with or without outlets."""
CHANGED, ALWAYS = "changed", "always"
DATE, NONE = "date", "none"
_CHOICES = {"when": (CHANGED, ALWAYS), "partition_key": (DATE, NONE)}
# The metadata database keeps each event, and the API returns it, for every run that it starts.
_MOST_EXTRA_BYTES = 16 << 10
# Of an asset's name and URI. Source: https://github.com/apache/airflow,
# ``task-sdk/src/airflow/sdk/definitions/asset/__init__.py``, release 3.3.2.
_MOST_URI_CHARACTERS = 1_500
# Escaped as a URL would have it: the databases of some Airflows keep these names in ASCII only.
_URI_CHARACTERS = "/:!$&'()*+,;=@~"


@dataclass(frozen=True)
class AssetEvents:
    """The field ``asset_events``.

    :param when: "changed": only if this run of the task published the item; or "always".
    :param partition_key: "date", that of the data; or "none".
    """

    when: str = CHANGED
    partition_key: str = DATE

    def is_due(self, extra: Mapping[str, Any]) -> bool:
        """Return whether there is an event.

        :param extra: what it would say.
        """
        return self.when == ALWAYS or extra.get("changed") is True


def read_asset_events(value: Any) -> AssetEvents:
    """Return the parsed field ``asset_events``.

    :param value: one word, for ``when``; or a dict, or its JSON, with either or both.
    :raises DownloadParamsError: if the value is anything else.
    """
    return AssetEvents(**read_words("asset_events", value, _CHOICES))


def describe_published(record: CommitRecord, *, is_changed: bool) -> dict[str, Any]:
    """Return what an event says of one download: JSON, at most 16 KiB.

    :param is_changed: whether this run of the task published it.
    """
    data = record.data
    times = {"datetime": data.moment, "start_datetime": data.start, "end_datetime": data.end}
    described: dict[str, Any] = {
        "item": record.item_uri,
        "fingerprint": record.fingerprint,
        "changed": is_changed,
        "date": data.date,
        **{key: _text_of(moment) for key, moment in times.items()},
        "bbox": None if data.bbox is None else list(data.bbox),
        "image_count": len(data.images),
    }
    images = [{"asset_id": asset_id, "version": version} for asset_id, version in data.images]
    return {**described, "images": first_that_fit(images, described)}


def describe_together(described: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what one event says of several downloads: JSON, at most 16 KiB.

    :param described: what an event of each would say, from XCom; at least one. What another version
        of this package wrote differently is left out.
    """
    dates = {_known(partial(Foreign(each.get("date")).text, 10)) for each in described}
    starts = [_first_time(each, "start_datetime", "datetime") for each in described]
    ends = [_first_time(each, "end_datetime", "datetime") for each in described]
    boxes = [_known(partial(_read_box, each)) for each in described]
    together: dict[str, Any] = {
        "changed": any(each.get("changed") is True for each in described),
        # The date of all of them, if they have the same.
        "date": dates.pop() if len(dates) == 1 else None,
        "start_datetime": _text_of(min((each for each in starts if each), default=None)),
        "end_datetime": _text_of(max((each for each in ends if each), default=None)),
        "bbox": _bbox_around([each for each in boxes if each]),
        "item_count": len(described),
    }
    items = first_that_fit([each["item"] for each in described], together)
    return {**together, "items": items}


def _first_time(described: Mapping[str, Any], *names: str) -> datetime | None:
    times = (_known(Foreign(described.get(name)).time) for name in names)
    return next((each for each in times if each), None)


def _read_box(described: Mapping[str, Any]) -> list[float]:
    return [each.finite() for each in Foreign(described.get("bbox")).items(4)]


def _known(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except ForeignValueError:
        return None


def _bbox_around(boxes: Sequence[Sequence[float]]) -> list[float] | None:
    if not boxes:
        return None
    west, south, east, north = zip(*boxes, strict=True)
    if any(each[0] > each[2] for each in boxes):
        # One crosses the antimeridian, and what lies between it and the others is anybody's guess.
        west, east = (-180.0,), (180.0,)
    return [min(west), min(south), max(east), max(north)]


def _text_of(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def first_that_fit(values: Sequence[Any], beside: Mapping[str, Any]) -> list[Any]:
    """Return as many of the values as an event can hold beside its other facts."""
    left = _MOST_EXTRA_BYTES - len(json.dumps(beside)) - len(', "images": []')
    fitting: list[Any] = []
    for value in values:
        left -= len(json.dumps(value)) + len(", ")
        if left < 0:
            break
        fitting.append(value)
    return fitting


def is_of_this_task(record: CommitRecord, generation: str, context: Context) -> bool:
    """Return whether this run of the task wrote the item: now, or a try that was killed after it.

    Airflow knows of no event of that try, so the next one still owes it.
    """
    ti = context["ti"]
    map_index = -1 if ti.map_index is None else ti.map_index
    return (record.generation, record.task_id, record.map_index) == (
        generation,
        ti.task_id,
        map_index,
    )


def announce(
    outlets: Sequence[Any], events: AssetEvents, extra: Mapping[str, Any], context: Context
) -> list[Any]:
    """Give the event to each asset among the outlets; return the outlets that Airflow is to see.

    :param extra: what the event says; the assets of an alias are the items that it names.
    """
    if not events.is_due(extra):
        return without_assets(outlets)
    date = extra.get("date") if events.partition_key == DATE else None
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            # An alias has no event of its own: it passes on those of the assets added to it.
            asset = Asset(uri=_uri_of(extra.get("item") or extra["items"][0]))
            context["outlet_events"][outlet].add(asset, extra=dict(extra))
        elif isinstance(outlet, Asset | AssetRef):
            accessor = context["outlet_events"][outlet]
            accessor.extra.update(extra)
            # Airflow before 3.3 has no keys that a task decides.
            if date and hasattr(accessor, "add_partitions"):
                accessor.add_partitions(date)
    return list(outlets)


def without_assets(outlets: Sequence[Any]) -> list[Any]:
    """Return the outlets for which Airflow makes no event."""
    return [each for each in outlets if not isinstance(each, Asset | AssetAlias | AssetRef)]


def _uri_of(uri: str) -> str:
    """Return the item's URI as an asset may have it."""
    escaped = quote(uri, safe=_URI_CHARACTERS)
    if len(escaped) <= _MOST_URI_CHARACTERS:
        return escaped
    digest = hashlib.sha256(uri.encode()).hexdigest()
    return f"{escaped[: _MOST_URI_CHARACTERS - len(digest) - 1]}~{digest}"
