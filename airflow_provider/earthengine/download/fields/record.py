"""The operator's field ``record`` -> what the user adds to the item, under STAC's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider.earthengine.download.fields.values import (
    is_unset,
    read_json,
    read_text,
    read_time,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

RECORD_TIMES = ("datetime", "start_datetime", "end_datetime")

_TEXTS = {"licence": "license", "attribution": "attribution"}


def read_record(value: Any) -> dict[str, str]:
    """Return what the user adds to the item; times are in UTC, in ISO 8601.

    :param value: a dict, or JSON text of one; times are text or datetimes.
    :raises DownloadParamsError: for an unknown key, or times that STAC does not allow.
    """
    # Its times may be datetimes, so not all of it has to be plain.
    given = read_json("record", value) if isinstance(value, str) else value
    given = {} if is_unset(given) else given
    check_record_keys(given)
    texts = {_TEXTS[key]: read_text(key, given[key]) for key in _TEXTS if key in given}
    return {**texts, **_read_times(given)}


def check_record_keys(given: Any) -> None:
    """Raise unless it is a dict with known keys.

    :raises DownloadParamsError: if it is not.
    """
    known = (*_TEXTS, *RECORD_TIMES)
    if not isinstance(given, Mapping) or not set(given) <= set(known):
        raise DownloadParamsError(
            f"record is {shown(given)}; write a dict with any of the keys {', '.join(known)}.",
            field="record",
        )


def _read_times(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the times; start and end come together.

    Source: https://github.com/radiantearth/stac-spec/blob/v1.1.0/commons/common-metadata.md
    #date-and-time-range, read 2026-11.
    """
    times = {
        key: read_time(f"record['{key}']", given[key])
        for key in RECORD_TIMES
        if given.get(key) is not None
    }
    start, end = times.get("start_datetime"), times.get("end_datetime")
    if (start is None) != (end is None):
        raise DownloadParamsError(
            f"record has {' and '.join(times)} only; write start_datetime and end_datetime "
            "together, or datetime alone.",
            field="record",
        )
    if start and end:
        if start > end:
            raise DownloadParamsError(
                f"record has start_datetime {start.isoformat()}, after its end_datetime "
                f"{end.isoformat()}; exchange them.",
                field="record",
            )
        moment = times.get("datetime", start)
        if not start <= moment <= end:
            raise DownloadParamsError(
                f"record has datetime {moment.isoformat()}, which is not between start_datetime "
                f"{start.isoformat()} and end_datetime {end.isoformat()}; correct one of them.",
                field="record",
            )
    return {key: moment.isoformat().replace("+00:00", "Z") for key, moment in times.items()}
