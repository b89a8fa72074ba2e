"""Which time is an item's? That of the data, from whoever knows it; never that of the run.

STAC wants a ``datetime``, or null with ``start_datetime`` and ``end_datetime``. Where nobody knows
the time, these two span all times, and ``earthengine:time_source`` says "unknown".
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

TIME_START, TIME_END = "system:time_start", "system:time_end"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The whole years that 64 bits hold as nanoseconds since 1970: what numpy and pandas can read.
_ANY_TIME = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DataTimes:
    """When the data is from.

    :param source: who says so: "image", "listing", "record", "data_interval", or "unknown".
    :param moment: its nominal time; None where only start and end are known.
    :param start: comes with ``end``, or both are None.
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
    """Return the first times that there are: the image's, the listing's, the user's, the run's.

    :param properties: the image's.
    :param listed: what a listing said of the image.
    :param record: what the user says of it, under STAC's names.
    :param data_interval: the run's; a cron schedule gives runs one that has no length, which says
        nothing of the data.
    """
    start, end = (read_milliseconds(properties.get(name)) for name in (TIME_START, TIME_END))
    if start is not None:
        # The mosaic of a date has the date's beginning among its properties, and no end.
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
    return DataTimes("unknown", None, *_ANY_TIME)


def remarks_on_times(
    times: DataTimes, properties: Mapping[str, Any], record: Mapping[str, str]
) -> list[str]:
    """Return what is odd about the times that were chosen, one sentence each."""
    remarks = [
        f"{name} of the image is {shown(properties[name])}, which is no time in milliseconds since "
        "1970; the item does not go by it."
        for name in (TIME_START, TIME_END)
        if properties.get(name) is not None and read_milliseconds(properties[name]) is None
    ]
    if times.source in ("image", "listing") and any(name in record for name in RECORD_TIMES):
        remarks.append(
            f"The {times.source} has a time of its own, so that of record is not in the item."
        )
    return remarks


def read_milliseconds(value: Any) -> datetime | None:
    """Return the time that Earth Engine means; None for what is none, or no date of STAC's.

    :param value: milliseconds since 1970, or an ``ee.Date`` as it arrives.
    """
    if isinstance(value, Mapping) and value.get("type") == "Date":
        value = value.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except (OverflowError, ValueError):  # The latter is for NaN.
        return None


def _since(source: str, start: datetime, end: datetime | None) -> DataTimes:
    if end is None or end <= start:
        return DataTimes(source, start)
    return DataTimes(source, start, start, end)


def _read_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
