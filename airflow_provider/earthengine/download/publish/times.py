"""The time of an item: that of the data, never that of the run.

STAC requires a ``datetime``, or null with ``start_datetime`` and ``end_datetime``. If the time is
unknown, these two span all times, and ``earthengine:time_source`` is "unknown".
Source: https://github.com/radiantearth/stac-spec/blob/v1.1.0/item-spec/item-spec.md#datetime, read
2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.download.fields.record import RECORD_TIMES
from airflow_provider.earthengine.download.fields.source import KnownSource
from airflow_provider.earthengine.download.fields.values import shown

UNKNOWN_SOURCE = "unknown"
TIME_START, TIME_END = "system:time_start", "system:time_end"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The whole years that fit into 64 bits as nanoseconds since 1970, so that numpy and pandas can read
# them.
_ANY_TIME = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DataTimes:
    """The time of the data.

    :param source: where it is from: "image", "listing", "record", "data_interval" or "unknown".
    :param moment: the nominal time; None if only start and end are known.
    :param start: None if, and only if, ``end`` is None.
    """

    source: str
    moment: datetime | None
    start: datetime | None = None
    end: datetime | None = None


def choose_times(
    properties: Mapping[str, Any],
    listed: KnownSource,
    record: Mapping[str, str],
    data_interval: tuple[datetime, datetime] | None,
) -> DataTimes:
    """Return the first known of: the image's times, the listing's, the user's, the run's.

    :param properties: of the image.
    :param listed: what a listing reported about the image.
    :param record: what the user adds, under STAC's names.
    :param data_interval: of the run. Under a cron schedule it has no length, and says nothing about
        the data.
    """
    start, end = (read_milliseconds(properties.get(name)) for name in (TIME_START, TIME_END))
    if start is not None:
        # The mosaic of a date has the start of the date among its properties, but no end.
        by_listing = listed.end if listed.start == start else None
        return _since("image", start, end or by_listing)
    if listed.start is not None:
        return _since("listing", listed.start, listed.end)
    if end is not None:
        return DataTimes("image", end)
    times = {name: record[name] for name in RECORD_TIMES if name in record}
    if times:
        moments = [_read_text(times.get(name)) for name in RECORD_TIMES]
        return DataTimes("record", *moments)
    if data_interval and data_interval[0] < data_interval[1]:
        return DataTimes("data_interval", None, *data_interval)
    return DataTimes(UNKNOWN_SOURCE, None, *_ANY_TIME)


def remarks_on_times(
    times: DataTimes, properties: Mapping[str, Any], record: Mapping[str, str]
) -> list[str]:
    """Return warnings about the chosen times, one sentence each."""
    remarks = [
        f"{name} of the image is {shown(properties[name])}, not a time in milliseconds since 1970, "
        "and is ignored."
        for name in (TIME_START, TIME_END)
        if properties.get(name) is not None and read_milliseconds(properties[name]) is None
    ]
    if times.source in ("image", "listing") and any(name in record for name in RECORD_TIMES):
        remarks.append(f"The {times.source} has a time, so that the time in record is ignored.")
    return remarks


def read_milliseconds(value: Any) -> datetime | None:
    """Return the time; None if the value is not one, or outside the years 1 to 9999.

    :param value: milliseconds since 1970, or an ``ee.Date`` as ``getInfo`` returns it.
    """
    if isinstance(value, Mapping) and value.get("type") == "Date":
        value = value.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except (OverflowError, ValueError):  # ValueError: NaN.
        return None


def _since(source: str, start: datetime, end: datetime | None) -> DataTimes:
    if end is None or end <= start:
        return DataTimes(source, start)
    return DataTimes(source, start, start, end)


def _read_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
