"""Which images of a collection are new or reprocessed since the last look; knows neither Airflow
nor sockets.

An image is the pair of its id and its version, the time of its ingestion: Earth Engine gives a
reprocessed image another version. What was seen is remembered as short digests of these pairs, so
that an image is found however late it appears, also below versions that were seen before.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.catalog.image_query import ImageQuery
from airflow_provider.earthengine.catalog.listed_downloads import each_image
from airflow_provider.earthengine.catalog.read_query import check_query, read_query
from airflow_provider.earthengine.download.fields.literals import is_literal
from airflow_provider.earthengine.download.fields.source import ListedImage, update_time
from airflow_provider.earthengine.download.fields.values import (
    is_unset,
    read_number,
    read_time,
    shown,
)
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError
from airflow_provider.earthengine.exceptions import DownloadParamsError

FORMAT = 1
"""Raised when the meaning of a memory changes; one of another format is forgotten."""
MOST_REMEMBERED = 4_000
"""Digests of 15 bytes in JSON: Airflow warns of a value above 64 KiB. Source:
https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html, ``[state_store]
max_value_storage_bytes``, read 2026-11."""
MOST_EVENT_BYTES = 32 << 10
"""Of the images of one event: Airflow's database keeps it, and each run that it starts reads it."""
_DIGEST_BYTES = 8
# An image without a version sorts below all others, and above no floor at all.
_NO_VERSION, _NO_FLOOR = -1, -2
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Forecasts begin after today.
_NO_END = datetime(2200, 1, 1, tzinfo=UTC)
_MAX_DAYS = 36_525


@dataclass(frozen=True)
class Window:
    """When the images are that are watched.

    :param start: of a fixed window; None: it moves.
    :param end: of either; None: it has none.
    :param days: how long before now a moving window starts.
    """

    start: datetime | None
    end: datetime | None
    days: float

    def starts_at(self, now: datetime) -> datetime:
        """Return when it starts at a time."""
        return self.start or now - timedelta(days=self.days)


@dataclass(frozen=True)
class Memory:
    """What was seen.

    :param seen: digests of ids and versions.
    :param floor: images of this version or an older one count as seen: there was no room for them.
    """

    seen: tuple[str, ...] = ()
    floor: int = _NO_FLOOR

    def to_json(self) -> dict[str, Any]:
        """Return it as Airflow stores it; :func:`read_memory` reads it."""
        return {"format": FORMAT, "floor": self.floor, "seen": list(self.seen)}


def read_window(start: Any, end: Any, days: Any) -> Window:
    """Return the window that the fields describe.

    :raises DownloadParamsError: if a field is invalid, or the window has no length.
    """
    length = read_number("days", days)
    if not 0 < length <= _MAX_DAYS:
        raise DownloadParamsError(
            f"days is {shown(days)}; write a number above 0 and at most {_MAX_DAYS:,}.",
            field="days",
        )
    return Window(
        None if is_unset(start) else read_time("start", start),
        None if is_unset(end) else read_time("end", end),
        float(length),
    )


def check_watched(fields: Mapping[str, Any], window: Window) -> None:
    """Raise if the images to watch can never be found: a watcher's fields are final.

    :param fields: ``collection``, ``region`` and ``filters``.
    :raises DownloadParamsError: if one is invalid, or a template.
    """
    for name, value in fields.items():
        if not is_literal(value):
            raise DownloadParamsError(
                f"{name} is {shown(value)}; a watcher runs for no DAG run, so that nothing is "
                "rendered: write the value itself.",
                field=name,
            )
    check_query(fields)
    if window.start and window.end:
        check_query({"start": window.start, "end": window.end})


def query_of(fields: Mapping[str, Any], window: Window, now: datetime) -> ImageQuery:
    """Return the query of the images to watch, at a time."""
    return read_query(**fields, start=window.starts_at(now), end=window.end or _NO_END)


def read_memory(value: Any) -> Memory | None:
    """Return what was seen; None if nothing was, or if the value is not a memory of this format."""
    try:
        stored = Foreign(value, "what was seen")
        if value is None or stored.at("format").whole() != FORMAT:
            return None
        seen = tuple(digest.text() for digest in stored.at("seen").items())
        return Memory(seen, stored.at("floor").whole())
    except ForeignValueError:
        return None


def first_memory(images: Sequence[ListedImage], since: datetime | None) -> Memory:
    """Return what counts as seen at the first look.

    :param since: images that were ingested before it; None: all that there are.
    """
    least = None if since is None else round((since - _EPOCH) / _MICROSECOND)
    old = [
        image for image in images if least is None or image.version is None or image.version < least
    ]
    return _remember(old, Memory())


def compare(
    images: Sequence[ListedImage], before: Memory
) -> tuple[tuple[ListedImage, ...], Memory]:
    """Return the images to announce, oldest ingestion first, and what is seen then.

    They were not seen before. If one event has no room for all, the others are left for the next.
    """
    seen = frozenset(before.seen)
    new = [
        image
        for image in images
        if _version_of(image) > before.floor and _digest(image) not in seen
    ]
    new.sort(key=_version_of)
    announced = tuple(_first_that_fit(new))
    left = set(new[len(announced) :])
    return announced, _remember([each for each in images if each not in left], before)


def describe_images(images: Sequence[ListedImage]) -> dict[str, Any]:
    """Return what the event of a look says, as plain JSON values."""
    return {"images": [describe_image(image) for image in images]}


def describe_image(image: ListedImage) -> dict[str, Any]:
    """Return what an event says of one of its images.

    ``key`` is the same for the same version of the same image; ``download`` are the fields of
    ``EarthEngineToS3Operator``.
    """
    (download,) = each_image([image])
    fields = download.to_fields()
    updated = update_time(image.version)
    return {
        "key": f"{image.asset_id}@{image.version}",
        "asset_id": image.asset_id,
        "version": image.version,
        "update_time": None if updated is None else _text_of(updated),
        "start_time": None if image.start is None else _text_of(image.start),
        "download": fields,
    }


def _first_that_fit(images: Sequence[ListedImage]) -> Iterator[ListedImage]:
    """Yield the images that one event has room for; at least one."""
    left = MOST_EVENT_BYTES
    for number, image in enumerate(images):
        left -= len(json.dumps(describe_image(image))) + len(", ")
        if left < 0 and number:
            return
        yield image


def _remember(images: Iterable[ListedImage], before: Memory) -> Memory:
    """Return the memory with the images; if there is no room, the oldest ingestions go."""
    newest_first = sorted(images, key=_version_of, reverse=True)
    kept, left_out = newest_first[:MOST_REMEMBERED], newest_first[MOST_REMEMBERED:]
    # Those that are gone from the collection or the window come last: some come back.
    digests = dict.fromkeys([*map(_digest, kept), *before.seen])
    floor = max([before.floor, *map(_version_of, left_out)])
    return Memory(tuple(digests)[:MOST_REMEMBERED], floor)


def _version_of(image: ListedImage) -> int:
    return _NO_VERSION if image.version is None else image.version


def _digest(image: ListedImage) -> str:
    pair = f"{image.asset_id}@{image.version}".encode()
    digest = hashlib.blake2b(pair, digest_size=_DIGEST_BYTES).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _text_of(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
