"""Fields as people and templates write them -> a query of a collection, or what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest

from airflow_provider.earthengine.catalog.image_query import (
    ImageQuery,
    read_availability,
    read_listing,
)
from airflow_provider.earthengine.catalog.property_conditions import PropertyCondition
from airflow_provider.earthengine.catalog.read_query import check_query, read_query, read_time
from airflow_provider.earthengine.download.fields.source import update_time
from airflow_provider.earthengine.exceptions import DownloadParamsError, ServiceUnavailableError

EASTERN = timezone(timedelta(hours=2))
FIELDS = {"collection": "A/B", "start": "2021-01-01", "end": "2021-01-02"}
BOX = [5, 43, 5.1, 43.1]


def query(**fields: Any) -> ImageQuery:
    return read_query(**{**FIELDS, **fields})


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("2021-01-09", datetime(2021, 1, 9, tzinfo=UTC)),
        (" 2021-01-09T12:00:00Z ", datetime(2021, 1, 9, 12, tzinfo=UTC)),
        ("2021-01-09T01:00:00+02:00", datetime(2021, 1, 8, 23, tzinfo=UTC)),
        (datetime(2021, 1, 9, tzinfo=EASTERN), datetime(2021, 1, 8, 22, tzinfo=UTC)),
        (datetime(2021, 1, 9), datetime(2021, 1, 9, tzinfo=UTC)),  # noqa: DTZ001 - the point
        (pendulum.datetime(2021, 1, 9, tz="UTC"), datetime(2021, 1, 9, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_time_is_what_was_meant(written: Any, wanted: datetime) -> None:
    read = read_time("start", written)
    assert read == wanted
    assert type(read) is datetime


@pytest.mark.parametrize("written", ["yesterday", "2021-13-01", "", 5, None, "{{ ds }}"])
def test_what_is_no_time_is_refused(written: Any) -> None:
    with pytest.raises(DownloadParamsError, match=r"start is .*write a date or time"):
        read_time("start", written)


def test_a_window_without_length_says_which_timetable_or_dates_to_use() -> None:
    with pytest.raises(DownloadParamsError, match=r"CronDataIntervalTimetable.*macros\.ds_add"):
        query(end="2021-01-01")


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(DownloadParamsError, match="after its end"):
        query(end="2020-12-31")


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ({"A": "x"}, [("A", "eq", "x")]),
        ({"A": 20}, [("A", "eq", 20)]),
        ({"A": [1, "x"]}, [("A", "in", (1, "x"))]),
        ({"A": {"lt": "20"}}, [("A", "lt", 20)]),
        ({"A": {"gte": "0.5", "neq": "7"}}, [("A", "gte", 0.5), ("A", "neq", "7")]),
        ({"A": {"lt": "2021-01-01"}}, [("A", "lt", "2021-01-01")]),
        ('{"A": {"in": [1]}, "B": "[2, 3]"}', [("A", "in", (1,)), ("B", "in", (2, 3))]),
        ("", []),
        (None, []),
    ],
)
def test_a_condition_is_what_was_meant(written: Any, wanted: list[tuple[str, str, Any]]) -> None:
    assert query(filters=written).conditions == tuple(PropertyCondition(*each) for each in wanted)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (["A"], "filters is"),
        ({"A": {"lt_": 1}}, "did you mean 'lt'"),
        ({"A": {"matches": 1}}, "use one of eq"),
        ({"A": None}, "compares A with None"),
        ({"A": True}, "compares A with True"),
        ({"A": {}}, "has no condition for 'A'"),
        ({"A": []}, "by 'in'"),
        ({"": 1}, "a property in filters"),
    ],
)
def test_what_is_no_condition_is_refused(written: Any, words: str) -> None:
    with pytest.raises(DownloadParamsError, match=words) as caught:
        query(filters=written)
    if "a property in filters" not in words:
        assert caught.value.facts["field"] == "filters"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"collection": ""}, "collection is"),
        ({"collection": "A B"}, "write the asset id of an image collection"),
        ({"limit": 0}, "limit is 0; write a whole number above 0"),
        ({"limit": "2.5"}, "limit is"),
        ({"min_coverage_percent": 101, "region": BOX}, "from 0 to 100"),
        ({"min_coverage_percent": 50}, "without region"),
        ({"region": "nowhere"}, "region is"),
        ({"region": "s3://bucket/area.geojson"}, "pass the GeoJSON itself"),
        ({"region": "areas/one.geojson"}, "pass the GeoJSON itself"),
        ({"sort": "-"}, "sort is"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(DownloadParamsError, match=words) as caught:
        query(**fields)
    assert caught.value.facts["field"] == next(iter(fields))


def test_numbers_may_be_text() -> None:
    read = query(limit="5", min_coverage_percent="80", region="[5, 43, 5.1, 43.1]", sort="-A")
    assert (read.limit, read.min_coverage_percent, read.region) == (5, 80, BOX)
    assert read.sort == "-A"


def test_a_version_is_the_time_of_ingestion() -> None:
    # Source: https://developers.google.com/earth-engine/guides/image_info, read 2025-08.
    assert update_time(1_641_990_767_055_141) == datetime(
        2022, 1, 12, 12, 32, 47, 55141, tzinfo=UTC
    )
    assert update_time(None) is None


@pytest.mark.parametrize("answer", [None, {}, [1], [[["x"]], [], []], "text"])
def test_an_answer_of_something_else_is_not_taken_for_an_empty_collection(answer: Any) -> None:
    with pytest.raises(ServiceUnavailableError, match="cannot be understood"):
        read_listing(query(), answer)
    with pytest.raises(ServiceUnavailableError, match="cannot be understood"):
        read_availability(answer)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"collection": ""}, "collection is"),
        ({"collection": "A B"}, "write the asset id"),
        ({"start": "soon"}, "start is"),
        ({"end": "2021-13-01"}, "end is"),
        ({"start": "2021-01-02", "end": "2021-01-01"}, "after its end"),
        ({"start": "2021-01-02", "end": "2021-01-02"}, "has no length"),
        ({"region": "s3://bucket/area.geojson"}, "pass the GeoJSON itself"),
        ({"region": [1, 2]}, "region holds 1"),
        ({"filters": {"A": {"lt_": "{{ ds }}"}}}, "did you mean 'lt'"),
        ({"filters": {"A": {"lt": "{{ ds }}"}, "B": None}}, "compares B with None"),
        ({"filters": ["A"]}, "filters is"),
        ({"min_coverage_percent": 101}, "from 0 to 100"),
        ({"min_coverage_percent": 50, "region": None}, "without region"),
        ({"sort": "-"}, "sort is"),
        ({"limit": 0}, "limit is"),
    ],
)
def test_a_literal_that_can_never_be_right_is_refused_before_anything_is_rendered(
    fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(DownloadParamsError, match=words):
        check_query(fields)


def test_what_is_rendered_later_and_what_is_not_given_are_not_checked() -> None:
    template = "{{ ds }}"
    check_query({})
    check_query({"start": "2021-01-02", "end": template, "collection": template})
    check_query({"start": template, "end": "2021-01-01", "filters": {"A": {"lt": template}}})
    check_query({"min_coverage_percent": 50, "limit": None, "sort": "", "region": template})
    check_query({"min_coverage_percent": 50})
    check_query({"min_coverage_percent": None, "region": None})
