"""Listed images -> download fields to expand ``EarthEngineToS3Operator`` over.

Airflow may render the templated fields of a mapped task, including those that it was expanded over.
Text from the catalog or the bucket is therefore only passed in the field ``source``, which is not
templated, in JSON text without braces in its strings, or after a check.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.catalog.image_query import TIME_START
from airflow_provider.earthengine.catalog.prefix_pattern import PrefixPattern
from airflow_provider.earthengine.download.fields.source import ListedImage, update_time
from airflow_provider.earthengine.download.fields.templates import (
    function_call,
    keep_from_templates,
)
from airflow_provider.earthengine.download.fields.values import shown
from airflow_provider.earthengine.exceptions import DownloadParamsError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ListedDownload:
    """One download to make.

    :param name: the image's own name, or its date.
    :param image: an asset id, or a program as JSON text.
    :param start: the time of the image, or the start of its day in UTC.
    :param end: the end of the day; None for a single image.
    """

    name: str
    image: str
    start: datetime | None
    images: tuple[ListedImage, ...]
    end: datetime | None = None

    def to_fields(self, prefix: PrefixPattern | None = None) -> dict[str, Any]:
        """Return the fields of ``EarthEngineToS3Operator`` as plain JSON values.

        :param prefix: the pattern of ``s3_prefix``; None: it is not among the fields.
        """
        updates = [update_time(each.version) for each in self.images if each.version is not None]
        source = {
            "name": self.name,
            "start_time": _text_of(self.start),
            "update_time": _text_of(max((each for each in updates if each), default=None)),
            "images": [[each.asset_id, each.version] for each in self.images],
        }
        if self.end is not None:
            source["end_time"] = _text_of(self.end)
        fields = {"image": keep_from_templates(self.image), "source": source}
        return fields if prefix is None else {**fields, "s3_prefix": prefix.at(self.start)}


def each_image(images: Iterable[ListedImage]) -> list[ListedDownload]:
    """Return a download per image, in the order of the listing."""
    return [
        ListedDownload(image.asset_id.rpartition("/")[2], image.asset_id, image.start, (image,))
        for image in images
    ]


def each_date(images: Iterable[ListedImage]) -> list[ListedDownload]:
    """Return a download per date in UTC, in order: the mosaic of all images of the date.

    Where they overlap, the last in the order of the listing is on top. The program names each
    image, so an image that arrives late changes the program.

    :raises DownloadParamsError: if an image has no time.
    """
    dates: dict[datetime, list[ListedImage]] = {}
    for image in images:
        if image.start is None:
            raise DownloadParamsError(
                f"by is 'date', but {shown(image.asset_id)} has no system:time_start; use 'image'.",
                field="by",
            )
        day = image.start.replace(hour=0, minute=0, second=0, microsecond=0)
        dates.setdefault(day, []).append(image)
    return [mosaic_of(day.date().isoformat(), day, dates[day]) for day in sorted(dates)]


def mosaic_of(name: str, start: datetime | None, images: Sequence[ListedImage]) -> ListedDownload:
    """Return the download of the mosaic of these images of one day, the last on top."""
    program = _mosaic_program([image.asset_id for image in images], start)
    end = None if start is None else start + timedelta(days=1)
    return ListedDownload(name, json.dumps(program, sort_keys=True), start, tuple(images), end)


def _mosaic_program(asset_ids: Sequence[str], start: datetime | None) -> dict[str, Any]:
    """Return the serialised program of the mosaic, without importing ``ee``."""
    images = {
        str(number): function_call("Image.load", id={"constantValue": asset_id})
        for number, asset_id in enumerate(asset_ids, 1)
    }
    array = {"arrayValue": {"values": [{"valueReference": number} for number in images]}}
    mosaic = function_call(
        "ImageCollection.mosaic",
        collection=function_call("ImageCollection.fromImages", images=array),
    )
    if start is not None:
        milliseconds = round((start - _EPOCH) / timedelta(milliseconds=1))
        mosaic = function_call(
            "Element.set",
            object=mosaic,
            key={"constantValue": TIME_START},
            value={"constantValue": milliseconds},
        )
    return {"result": "0", "values": {"0": mosaic, **images}}


def _text_of(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
