"""When data is from: who is believed, in which order, and how a listing and a record say it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider.earthengine.catalog.listed_downloads import each_date, each_image
from airflow_provider.earthengine.download.fields.record import read_record
from airflow_provider.earthengine.download.fields.source import (
    KnownSource,
    ListedImage,
    read_source,
)
from airflow_provider.earthengine.download.publish.times import (
    choose_times,
    read_milliseconds,
    remarks_on_times,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]  # year, month, day, ...


JANUARY, FEBRUARY = at(2026, 1, 1), at(2026, 2, 1)
MILLISECONDS = 1610218671000
TAKEN = at(2021, 1, 9, 18, 57, 51)
NOTHING = KnownSource()
EVER = (at(1678, 1, 1), at(2262, 1, 1))
IMAGE = ListedImage("A/B/c", at(2021, 1, 9, 10), 1)
INTERVAL = (at(2026, 3, 1), at(2026, 3, 2))
MONTH = {"start_datetime": "2026-01-01T00:00:00Z", "end_datetime": "2026-02-01T00:00:00Z"}


def listed(download: Any) -> KnownSource:
    """Return what a download is told of itself, by way of XCom."""
    return read_source(json.loads(json.dumps(download.to_fields()["source"])))


OF_IMAGE, OF_DATE = listed(each_image([IMAGE])[0]), listed(each_date([IMAGE])[0])


@pytest.mark.parametrize(
    ("properties", "source", "record", "interval", "wanted"),
    [
        (
            {"system:time_start": MILLISECONDS, "system:time_end": MILLISECONDS + 500},
            OF_IMAGE, MONTH, INTERVAL,
            ("image", TAKEN, TAKEN, TAKEN + timedelta(seconds=0.5)),
        ),
        (
            {"system:time_start": MILLISECONDS}, OF_DATE, MONTH, INTERVAL,
            ("image", TAKEN, None, None),
        ),
        (
            {"system:time_start": MILLISECONDS, "system:time_end": MILLISECONDS - 1},
            NOTHING, {}, None, ("image", TAKEN, None, None),
        ),
        (
            {"system:time_start": 1610150400000}, OF_DATE, {}, INTERVAL,
            ("image", at(2021, 1, 9), at(2021, 1, 9), at(2021, 1, 10)),
        ),
        (
            {}, OF_DATE, MONTH, INTERVAL,
            ("listing", at(2021, 1, 9), at(2021, 1, 9), at(2021, 1, 10)),
        ),
        ({}, OF_IMAGE, MONTH, INTERVAL, ("listing", IMAGE.start, None, None)),
        (
            {"system:time_end": MILLISECONDS}, NOTHING, MONTH, INTERVAL,
            ("image", TAKEN, None, None),
        ),
        ({}, NOTHING, MONTH, INTERVAL, ("record", None, JANUARY, FEBRUARY)),
        (
            {}, NOTHING, {**MONTH, "datetime": "2026-01-15T00:00:00Z"}, None,
            ("record", at(2026, 1, 15), JANUARY, FEBRUARY),
        ),
        (
            {}, NOTHING, {"datetime": "2026-01-15T00:00:00Z"}, INTERVAL,
            ("record", at(2026, 1, 15), None, None),
        ),
        ({}, NOTHING, {"license": "CC0-1.0"}, INTERVAL, ("data_interval", None, *INTERVAL)),
        ({}, NOTHING, {}, (JANUARY, JANUARY), ("unknown", None, *EVER)),
        ({}, NOTHING, {}, None, ("unknown", None, *EVER)),
    ],
)  # fmt: skip
def test_the_first_who_knows_the_time_is_believed(
    properties: dict[str, Any],
    source: KnownSource,
    record: dict[str, str],
    interval: Any,
    wanted: tuple[Any, ...],
) -> None:
    times = choose_times(properties, source, record, interval)
    assert (times.source, times.moment, times.start, times.end) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0, at(1970, 1, 1)),
        (-2_208_988_800_000, at(1900, 1, 1)),
        (1610218671000.5, TAKEN + timedelta(microseconds=500)),
        ({"type": "Date", "value": MILLISECONDS}, TAKEN),
    ],
)
def test_a_time_of_an_image_is_milliseconds_since_1970(value: Any, wanted: datetime) -> None:
    assert read_milliseconds(value) == wanted


@pytest.mark.parametrize(
    "value",
    [
        1609459200000000,  # microseconds
        -(10**18), 10**400, float("nan"), float("inf"), True, None, "soon", "1610218671000",
        [MILLISECONDS], {"type": "Date"}, {"type": "Date", "value": "x"}, {"value": MILLISECONDS},
    ],
)  # fmt: skip
def test_what_is_no_time_is_not_taken_for_one_and_is_said(value: Any) -> None:
    assert read_milliseconds(value) is None
    properties = {"system:time_start": value}
    times = choose_times(properties, NOTHING, MONTH, None)
    assert times.source == "record"
    remarks = remarks_on_times(times, properties, MONTH)
    assert len(remarks) == (value is not None)
    assert all(each.startswith("system:time_start of the image is") for each in remarks)


def test_a_time_in_record_that_is_not_used_is_said() -> None:
    properties = {"system:time_start": MILLISECONDS}
    times = choose_times(properties, NOTHING, MONTH, None)
    (remark,) = remarks_on_times(times, properties, MONTH)
    assert remark == "The image has a time, so that the time in record is ignored."
    assert remarks_on_times(times, properties, {"license": "CC0-1.0"}) == []


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"datetime": "2026-01-15"}, {"datetime": "2026-01-15T00:00:00Z"}),
        (
            '{"licence": "CC0-1.0", "datetime": "2026-01-15T01:00:00+01:00"}',
            {"license": "CC0-1.0", "datetime": "2026-01-15T00:00:00Z"},
        ),
        ({"start_datetime": JANUARY, "end_datetime": "2026-02-01"}, MONTH),
        (
            {"start_datetime": JANUARY.astimezone(timezone(timedelta(hours=-3))),
             "end_datetime": FEBRUARY, "datetime": None},
            MONTH,
        ),
        ({"start_datetime": "2026-01-01", "end_datetime": "2026-01-01"},
         dict.fromkeys(MONTH, "2026-01-01T00:00:00Z")),
        (None, {}),
    ],
)  # fmt: skip
def test_a_record_may_hold_times(given: Any, wanted: dict[str, str]) -> None:
    assert read_record(given) == wanted


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"start_datetime": "2026-01-01"}, "write start_datetime and end_datetime together"),
        ({"end_datetime": "2026-01-01", "datetime": "2026-01-01"}, "together"),
        ({"start_datetime": "2026-02-01", "end_datetime": "2026-01-01"}, "exchange them"),
        ({**MONTH, "datetime": "2026-02-02"}, "which is not between start_datetime"),
        ({"datetime": "January"}, r"record\['datetime'\] is 'January'; write a date or time"),
        ({"datetime": ""}, "write a date or time"),
        ({"datetime": 1610218671000}, "write a date or time"),
        ({"datetime": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))}, "write a date"),
        ({"date": "2026-01-01"}, "any of the keys licence, attribution, datetime, start_datetime"),
        (["2026-01-01"], "write a dict"),
    ],
)
def test_times_that_stac_does_not_take_are_refused(given: Any, told: str) -> None:
    with pytest.raises(DownloadParamsError, match=told):
        read_record(given)


@pytest.mark.parametrize("field", ["start_time", "end_time"])
def test_a_listing_whose_time_is_none_is_refused(field: str) -> None:
    with pytest.raises(DownloadParamsError, match=r"source is .*soon"):
        read_source({"name": "a", field: "soon"})
