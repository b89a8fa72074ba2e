"""The operator's field ``record`` -> what the user adds to the item, under STAC's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider.earthengine.download.fields.values import (
    is_unset,
    read_json,
    read_number,
    read_text,
    read_time,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

RECORD_TIMES = ("datetime", "start_datetime", "end_datetime")

_TEXTS = {"licence": "license", "attribution": "attribution"}
_BANDS = "bands"
# What a band's entry may have, and STAC's name of it. Source:
# https://github.com/stac-extensions/raster/blob/v2.0.0/README.md and
# https://github.com/radiantearth/stac-spec/blob/v1.1.0/commons/common-metadata.md, read 2026-11.
_OF_BANDS = {
    "scale": "raster:scale",
    "offset": "raster:offset",
    "unit": "unit",
    "description": "description",
}
_NUMBERS_OF_BANDS = frozenset({"scale", "offset"})


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
    read_band_records(given)
    return {**texts, **_read_times(given)}


def read_band_records(value: Any) -> dict[str, dict[str, Any]]:
    """Return what the user says of the bands, by their ids, under STAC's names.

    Physical values are the pixels' times the scale, plus the offset.

    :param value: the field ``record``.
    :raises DownloadParamsError: for an unknown key, a scale of 0 or what is not a number.
    """
    given = read_json("record", value) if isinstance(value, str) else value
    bands = None if is_unset(given) else given.get(_BANDS)
    if bands is None:
        return {}
    if not isinstance(bands, Mapping):
        raise DownloadParamsError(
            f"record['bands'] is {shown(bands)}; write a dict of band ids, each with a dict of any "
            f"of the keys {', '.join(_OF_BANDS)}.",
            field="record",
        )
    return {
        read_text("a band in record['bands']", name): _read_band_record(name, entry)
        for name, entry in bands.items()
    }


def _read_band_record(name: str, entry: Any) -> dict[str, Any]:
    where = f"record['bands'][{shown(name)}]"
    if not isinstance(entry, Mapping) or not set(entry) <= set(_OF_BANDS):
        raise DownloadParamsError(
            f"{where} is {shown(entry)}; write a dict with any of the keys {', '.join(_OF_BANDS)}.",
            field="record",
        )
    read: dict[str, Any] = {}
    for key, value in entry.items():
        reader = read_number if key in _NUMBERS_OF_BANDS else read_text
        found = reader(f"{where}[{key!r}]", value)
        read[_OF_BANDS[key]] = found if isinstance(found, str) else float(found)
    if read.get("raster:scale", 1) == 0:
        raise DownloadParamsError(
            f"{where} has the scale 0, by which all values are the same; write another number.",
            field="record",
        )
    return read


def check_record_keys(given: Any) -> None:
    """Raise unless it is a dict with known keys.

    :raises DownloadParamsError: if it is not.
    """
    known = (*_TEXTS, *RECORD_TIMES, _BANDS)
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
