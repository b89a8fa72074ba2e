"""Values from outside: what is read of them, and that everything else is one error."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider.earthengine.download.foreign import (
    MAX_DEPTH,
    MAX_JSON_BYTE_COUNT,
    MAX_JSON_DEPTH,
    MICROSECOND,
    MILLISECOND,
    Foreign,
    ForeignValueError,
    parse_json,
    shown,
)
from tests.support.mutated import WRONG_VALUES, nested

READERS: dict[str, Callable[[Foreign], Any]] = {
    "fields": lambda value: value.fields(),
    "field": lambda value: value.at("a").at("b"),
    "items": lambda value: value.items(),
    "two items": lambda value: value.items(2),
    "text": lambda value: value.text(10),
    "number": lambda value: value.number(),
    "finite": lambda value: value.finite(),
    "whole": lambda value: value.whole(0, 100),
    "moment": lambda value: value.moment(MILLISECOND),
    "optional text": lambda value: value.optional_text(),
    "time": lambda value: value.time(),
    "plain": lambda value: value.plain(),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("value", [*WRONG_VALUES, object(), b"bytes", {1: 2}, 10**5000], ids=type)
def test_a_reader_returns_what_it_promises_or_says_what_is_wrong(
    read: Callable[[Foreign], Any], value: Any
) -> None:
    try:
        found = read(Foreign(value, "it"))
    except ForeignValueError as error:
        text = str(error)
        assert text.startswith("it")
        assert len(text) < 300
        text.encode()
    else:
        json.dumps(found, default=str).encode()


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), (0.5, 0.5), ("Infinity", math.inf), ("-Infinity", -math.inf), (10**400, math.inf)],
)
def test_a_number_may_be_infinite_and_written_as_protocol_buffers_do(
    value: Any, number: float
) -> None:
    assert Foreign(value).number() == number


def test_no_number_is_one_too_but_not_finite() -> None:
    assert math.isnan(Foreign("NaN").number())
    with pytest.raises(ForeignValueError, match="the answer is 'NaN', not a finite number"):
        Foreign("NaN").finite()


@pytest.mark.parametrize("value", [7, 7.0, "7"])
def test_a_whole_number_may_be_a_float_or_the_text_of_one(value: Any) -> None:
    assert Foreign(value).whole() == 7
    assert isinstance(Foreign(value).whole(), int)


@pytest.mark.parametrize("value", [7.5, "7.0", "seven", True, 101, -1, math.inf, None])
def test_what_is_no_whole_number_within_its_limits_is_refused(value: Any) -> None:
    with pytest.raises(ForeignValueError, match="a whole number from 0 to 100"):
        Foreign(value).whole(0, 100)


def test_times_keep_every_microsecond() -> None:
    moment = datetime(2022, 1, 12, 12, 32, 47, 55_141, tzinfo=UTC)
    assert Foreign(1_641_990_767_055_141).moment(MICROSECOND) == moment
    assert Foreign(253_402_300_799_999).moment(MILLISECOND).year == 9999
    with pytest.raises(ForeignValueError, match="between the years 1 and 9999"):
        Foreign(253_402_300_800_000).moment(MILLISECOND)


def test_a_time_has_an_offset() -> None:
    assert Foreign("2026-01-02T03:04:05+13:45").time().isoformat() == "2026-01-02T03:04:05+13:45"
    assert Foreign("2026-01-02T03:04:05Z").time() == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for text in ("2026-01-02T03:04:05", "2026-01-02", "soon", "", 5):
        with pytest.raises(ForeignValueError, match=r"not a time with an offset|not a text"):
            Foreign(text).time()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b"[" * (MAX_JSON_DEPTH + 1) + b"1" + b"]" * (MAX_JSON_DEPTH + 1),
        b'{"a":' * 100_000,
        b"9" * 100_000,
        b"[" + b"[]," * 500_000 + b"[]]",
        b" " * MAX_JSON_BYTE_COUNT + b"1",
        b"\xff",
        "{}".encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"{}{}",
        b"",
    ],
    ids=lambda content: f"{content[:8]!r}, {len(content)} bytes",
)
def test_text_that_is_not_json_of_bounded_size_is_one_error(content: bytes) -> None:
    with pytest.raises(ForeignValueError, match=r"^the file "):
        parse_json(content, "the file")


def test_text_that_is_json_is_read() -> None:
    assert parse_json(b'{"a": [1, null, "\\u00e9"]}', "it").at("a").value == [1, None, "\u00e9"]
    content = b"[" * MAX_JSON_DEPTH + b"1" + b"]" * MAX_JSON_DEPTH
    assert json.loads(content) == parse_json(content, "it").value


def test_an_error_says_where_and_what() -> None:
    answer = Foreign({"bands": [{"id": "B1"}, {"id": 5}]}, "the image")
    with pytest.raises(ForeignValueError) as caught:
        answer.at("bands").items()[1].at("id").text(100)
    assert str(caught.value) == "the image.bands[1].id is 5, not a text of 1 to 100 characters"


def test_plain_data_is_kept_and_what_json_cannot_hold_becomes_text() -> None:
    given = {"a": [1, 2.5, None, True, "ö"], "b": [math.nan, -math.inf, 2**70], "c\ud800": "\udfff"}
    assert Foreign(given).plain() == {
        "a": [1, 2.5, None, True, "ö"], "b": ["nan", "-inf", str(2**70)], "c\\ud800": "\\udfff",
    }  # fmt: skip


def test_data_may_be_so_deep_and_no_deeper() -> None:
    assert Foreign(nested(MAX_DEPTH)).plain() == nested(MAX_DEPTH)
    with pytest.raises(ForeignValueError, match="levels"):
        Foreign(nested(MAX_DEPTH + 1)).plain()


@pytest.mark.parametrize("value", WRONG_VALUES)
def test_every_value_can_be_shown_in_one_short_line(value: Any) -> None:
    text = shown(value)
    assert len(text.encode()) < 300
    assert "\n" not in text
