"""Whatever a field holds, it is read or refused in one sentence: never an error of Python's own."""

from __future__ import annotations

import decimal
import fractions
import math
import time
import uuid
from collections import UserDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields as fields_of
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.catalog.listing import read_by
from airflow_provider.earthengine.catalog.prefix_pattern import read_prefix_pattern
from airflow_provider.earthengine.catalog.read_query import read_query
from airflow_provider.earthengine.catalog.waiting import read_quiet_seconds
from airflow_provider.earthengine.download.fields.job import (
    DownloadFields,
    Job,
    Worker,
    read_job,
)
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.values import (
    read_boolean,
    read_count,
    read_number,
    read_text,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

GOOD: dict[str, Any] = {"image": "A/B", "download_params": {}, "s3_bucket": "demo"}
QUERY: dict[str, Any] = {"collection": "A/B", "start": "2021-01-01", "end": "2021-01-02"}


LAST = datetime.max  # noqa: DTZ901 - as people write an open end


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("a repr that fails")


class Endless(Mapping[str, Any]):
    """A dict whose values are the same dict again."""

    def __getitem__(self, key: str) -> Any:
        return self

    def __iter__(self) -> Iterator[str]:
        return iter("a")

    def __len__(self) -> int:
        return 1


def nested(depth: int, innermost: Any = 0) -> Any:
    value = innermost
    for _ in range(depth):
        value = [value]
    return value


HOLDS_ITSELF: list[Any] = []
HOLDS_ITSELF.append(HOLDS_ITSELF)

ODD: dict[str, Any] = {
    "None": None,
    "an array": np.arange(4),
    "an array of none": np.array([]),
    "an array of texts": np.array(["B1"]),
    "a number of numpy": np.int64(20),
    "a small float of numpy": np.float32(20),
    "a float of numpy": np.float64(20),
    "a boolean of numpy": np.True_,
    "pd.NA": pd.NA,
    "pd.NaT": pd.NaT,
    "a series": pd.Series([1, 2]),
    "a frame": pd.DataFrame({"a": [1]}),
    "a timestamp": pd.Timestamp(0),
    "bytes": b"B1",
    "a bytearray": bytearray(b"B1"),
    "a memoryview": memoryview(b"B1"),
    "a date": date(2021, 1, 9),
    "a datetime": datetime(2021, 1, 9, tzinfo=UTC),
    "the last datetime": LAST,
    "the last datetime in the west": datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
    "the first datetime in the east": datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
    "a timedelta": timedelta.max,
    "a decimal": decimal.Decimal("NaN"),
    "a fraction": fractions.Fraction(1, 3),
    "a complex number": 1j,
    "a uuid": uuid.UUID(int=0),
    "a path": Path("/tmp"),
    "a set": {"B1"},
    "a range without end": range(10**18),
    "an iterator": iter("ab"),
    "a type": dict,
    "what cannot be shown": Unshowable(),
    "a dict of what cannot be shown": {"a": Unshowable()},
    "a dict of another kind": UserDict({"scale": 10}),
    "a dict without end": Endless(),
    "a list that holds itself": HOLDS_ITSELF,
    "a deep list": nested(100_000),
    "a dict with numbers as keys": {1: 2},
    "a dict with None as a key": {None: 1},
    "a dict with an array": {"scale": np.arange(3), "region": np.eye(2)},
    "a huge number": 10**400,
    "a number that cannot be printed": 10**5000,
    "a huge negative number": -(10**400),
    "not a number": math.nan,
    "infinity": math.inf,
    "a large float": 1e300,
    "True": True,
    "zero": 0,
    "an empty list": [],
    "an empty dict": {},
    "an empty text": "",
    "a blank text": " \n",
    "half of a character": "\ud800",
    "a NUL": "a\0b",
    "a text that turns": "a\u202eb",
    "a backslash": "a\\b",
    "a long text": "9" * 1_000_000,
    "digits": "9" * 5000,
    "a number in JSON that cannot be printed": "[" + "9" * 5000 + "]",
    "a float in JSON without end": "[1e999]",
    "NaN in JSON": "[NaN]",
    "brackets": "[" * 100_000,
    "closed brackets": "[" * 900 + "]" * 900,
    "braces": '{"a":' * 100_000,
    "half of a character in JSON": '["\\ud800"]',
    "JSON of a text": '"a"',
    "an expression of nothing": '{"result":"0","values":{"0":null}}',
    "an expression of an unknown part": {"result": "0", "values": {"0": {"x": {}}}},
    "an expression whose result is a list": {"result": ["0"], "values": {"0": 1}},
    "an expression of odd arguments": {
        "result": "0",
        "values": {"0": {"functionInvocationValue": {"functionName": "Image.load",
                                                     "arguments": {"id": None}}}},
    },
    "an expression whose call is a text": {
        "result": "0", "values": {"0": {"functionInvocationValue": "x"}}
    },
}  # fmt: skip

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def odd(name: str) -> Any:
    return ODD[name]


# By their names, for hypothesis shows what it draws from.
anything = plain | st.sampled_from(list(ODD)).map(odd)

KEYS = {
    "download_params": ["name", "bands", "crs", "crs_transform", "dimensions", "scale", "region",
                        "filePerBand", "format", "x"],
    "limits": ["max_requests", "max_byte_count", "max_concurrent_requests", "attempt_seconds",
               "total_seconds", "resume", "staging_prefix", "tile_byte_count", "x"],
    "record": ["licence", "attribution", "x"],
    "s3_extra_args": ["Tagging", "StorageClass", "BucketKeyEnabled", "SSEKMSKeyId", "x"],
    "source": ["name", "images", "x"],
}  # fmt: skip
REGIONS = ["type", "coordinates", "geometry", "features", "crs", "properties", "geodesic"]
GEOJSON = ["Polygon", "MultiPolygon", "Feature", "FeatureCollection", "name"]


def read(**fields: Any) -> Job | DownloadParamsError:
    """Return the job that the fields mean, or the error: any other is the test's."""
    worker = Worker(lambda: None, lambda uri: uri.encode(), {})
    try:
        return read_job(DownloadFields(**{**GOOD, **fields}), "a_dag/run/0", worker)
    except DownloadParamsError as error:
        assert_is_one_sentence(error)
        return error


def assert_is_one_sentence(error: DownloadParamsError) -> None:
    text = str(error)
    assert text.strip()
    assert len(text) < 700
    assert "\n" not in text


@pytest.mark.slow
@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
@pytest.mark.parametrize("field", [each.name for each in fields_of(DownloadFields)])
def test_an_odd_value_of_a_field_is_read_or_refused(field: str, value: Any) -> None:
    started = time.process_time()
    job = read(**{field: value})
    assert time.process_time() - started < 5
    if isinstance(job, DownloadParamsError) and field != "download_params":
        assert job.facts["field"] == field


@pytest.mark.slow
@pytest.mark.parametrize("field", KEYS)
def test_an_odd_value_within_a_dict_is_read_or_refused(field: str) -> None:
    for key in KEYS[field]:
        for value in ODD.values():
            read(**{field: {key: value}})
            read(**{field: {key: [value, value]}})


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_an_odd_value_within_a_region_is_read_or_refused(value: Any) -> None:
    polygon = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    for region in (
        [value] * 4,
        [[value, 1], [2, 3], [1, 4]],
        {**polygon, "coordinates": [[[value, 0], [1, 0], [1, 1]]]},
        {**polygon, "crs": value},
        {**polygon, "crs": {"type": "name", "properties": {"name": value}}},
        {"type": "Feature", "geometry": value},
        {"type": "FeatureCollection", "features": [value]},
        {"type": value},
    ):
        read(download_params={"region": region})


@pytest.mark.slow
@given(field=st.sampled_from([each.name for each in fields_of(DownloadFields)]), value=anything)
def test_any_value_of_a_field_is_read_or_refused(field: str, value: Any) -> None:
    read(**{field: value})


@pytest.mark.slow
@given(data=st.data(), field=st.sampled_from(list(KEYS)))
def test_any_dict_with_the_right_keys_is_read_or_refused(data: st.DataObject, field: str) -> None:
    read(**{field: data.draw(st.dictionaries(st.sampled_from(KEYS[field]), anything, max_size=3))})


@pytest.mark.slow
@given(
    st.recursive(
        anything | st.sampled_from(GEOJSON) | st.tuples(st.floats(-10, 10), st.floats(-10, 10)),
        lambda inner: (
            st.dictionaries(st.sampled_from(REGIONS), inner, max_size=4) | st.lists(inner)
        ),
        max_leaves=10,
    )
)
def test_anything_like_a_region_is_read_or_refused(region: Any) -> None:
    job = read(download_params={"region": region})
    assert isinstance(job, DownloadParamsError) or isinstance(job.params, DownloadParams)


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_an_odd_value_of_a_query_is_read_or_refused(value: Any) -> None:
    for field in (*QUERY, "region", "filters", "min_coverage_percent", "sort", "limit"):
        try_to(lambda field=field: read_query(**{**QUERY, field: value}))
    for filters in ({"a": value}, {"a": {"lt": value}}, {"a": [value]}, {"a": {"in": value}}):
        try_to(lambda filters=filters: read_query(**QUERY, filters=filters))


@given(value=anything)
def test_any_value_of_a_query_is_read_or_refused(value: Any) -> None:
    for field in (*QUERY, "region", "filters", "min_coverage_percent", "sort", "limit"):
        try_to(lambda field=field: read_query(**{**QUERY, field: value}))


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_an_odd_value_of_any_kind_of_field_is_read_or_refused(value: Any) -> None:
    for read_one in (
        lambda: read_number("x", value), lambda: read_count("x", value),
        lambda: read_boolean("x", value), lambda: read_text("x", value),
        lambda: read_by(value), lambda: read_prefix_pattern(value),
        lambda: read_quiet_seconds(value),
    ):  # fmt: skip
        try_to(read_one)


def try_to(read_one: Callable[[], object]) -> None:
    try:
        read_one()
    except DownloadParamsError as error:
        assert_is_one_sentence(error)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("layout", pd.NA, "layout is <NA>; use one of cog"),
        ("if_exists", np.arange(4), "if_exists is array([0, 1, 2, 3]); use one of fail"),
        (
            "download_params",
            {"scale": 10**400},
            "download_params contains an integer of 1,329",
        ),
        (
            "download_params",
            {"bands": np.array(["B1"])},
            "contains a numpy.ndarray;",
        ),
        ("download_params", {"scale": date(2021, 1, 9)}, "contains a datetime.date; use only text"),
        ("download_params", {"region": nested(70)}, "download_params is nested too deeply"),
        ("download_params", {1: 2}, "contains a dict with a key of type int; use text"),
        ("download_params", HOLDS_ITSELF, "download_params is nested too deeply"),
        ("image", b"A/B", "image contains a bytes; use only text"),
        ("s3_prefix", b"a/b", "s3_prefix contains a bytes; use only text"),
        ("s3_prefix", "a\\b", "some stores treat a backslash as a slash"),
        ("limits", {"staging_prefix": "a\\b"}, "some stores treat a backslash as a slash"),
        (
            "limits",
            {"attempt_seconds": 1e300},
            "seconds above 0, at most 31,536,000",
        ),
        (
            "s3_extra_args",
            {"StorageClass": 5},
            "['StorageClass'] is 5; write text that is not empty",
        ),
        ("s3_extra_args", {"Tagging": {"a": ["b"]}}, "has ['b'] for 'a'; write text"),
        ("record", {"licence": "\ud800"}, "licence contains a lone surrogate"),
        ("source", {"images": [["A/B", math.inf]]}, "source is {'images'"),
        ("s3_bucket", "s3://demo", "write only the bucket's name, 'demo'."),
        ("s3_bucket", "s3://demo/a/b", "'demo', and put 'a/b' into s3_prefix."),
        ("s3_bucket", "https://demo.s3.amazonaws.com", "write only the bucket's name"),
        ("s3_bucket", "a bucket", "write only the bucket's name, such as 'my-bucket'."),
        ("s3_bucket", "demo/prefix", "write only the bucket's name"),
        ("s3_bucket", "..", "write only the bucket's name"),
        ("image_kwargs", {1: 2}, "image_kwargs is {1: 2}; write a dict of arguments by name"),
    ],
)
def test_what_is_refused_is_named_with_what_to_write_instead(
    field: str, value: Any, words: str
) -> None:
    error = read(**{field: value})
    assert isinstance(error, DownloadParamsError)
    assert words in str(error)


@pytest.mark.parametrize(
    ("end", "read_as"),
    [
        (LAST, datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
        (datetime.max.replace(tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
        (date(2021, 1, 9), datetime(2021, 1, 9, tzinfo=UTC)),
        (pd.Timestamp("2021-01-09T12:00+02:00"), datetime(2021, 1, 9, 10, tzinfo=UTC)),
    ],
)
def test_an_open_end_and_a_plain_date_are_times(end: Any, read_as: datetime) -> None:
    query = read_query(**{**QUERY, "end": end})
    assert query.end == read_as
    assert type(query.end) is datetime


def test_forty_thousand_bands_are_read_in_no_time_and_a_few_of_them_are_named() -> None:
    bands = [f"B{number}" for number in range(40_000)]
    started = time.process_time()
    job = read(download_params={"bands": bands, "format": "GEO_TIFF"})
    assert isinstance(job, Job)
    twice = read(download_params={"bands": [*bands, *bands]})
    assert time.process_time() - started < 15  # and not the minute of a look at each for each
    assert "B10022 and 39,970 others more than once" in str(twice)


def test_arguments_of_an_image_function_may_be_of_any_kind() -> None:
    kwargs = {"when": datetime(2021, 1, 9, tzinfo=UTC), "weights": np.eye(2)}
    error = read(image_kwargs=kwargs)
    assert "image is not a function" in str(error)
