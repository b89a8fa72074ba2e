"""Dates, numbers and texts that are computed by the emulator, against Python's own."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import ee
import pytest

pytestmark = pytest.mark.usefixtures("client")

MOMENT = datetime(2021, 2, 3, 16, 5, 6, 789000, tzinfo=UTC)


def date(moment: datetime = MOMENT) -> ee.Date:
    return ee.Date(round(moment.timestamp() * 1000))


def computed(value: Any) -> Any:
    return value.getInfo()


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        (None, "2021-02-03T16:05:06"),
        ("yyyy-MM-dd", "2021-02-03"),
        ("YYYYMMdd", "20210203"),
        ("yy M d", "21 2 3"),
        ("MMM d, yyyy", "Feb 3, 2021"),
        ("MMMM EEEE EEE", "February Wednesday Wed"),
        ("HH:mm:ss.SSS", "16:05:06.789"),
        ("h 'o''clock' a", "4 o'clock PM"),
        ("DDD D", "034 34"),
        ("xxxx-'W'ww-e", "2021-W05-3"),
        ("'only text'", "only text"),
        ("yyyy_MM", "2021_02"),
    ],
)
def test_a_date_is_written_as_its_pattern_says(pattern: str | None, written: str) -> None:
    assert computed(date().format(pattern) if pattern else date().format()) == written


@pytest.mark.parametrize("pattern", ["yyyy Z", "q", "zzz"])
def test_other_letters_are_refused_by_name(pattern: str) -> None:
    with pytest.raises(ee.EEException, match=r"the letter '[Zqz]' in a pattern of Date"):
        computed(date().format(pattern))


@pytest.mark.parametrize(
    ("unit", "value", "start", "end"),
    [
        ("year", 2021, "2021-01-01", "2022-01-01"),
        ("month", 2, "2021-02-01", "2021-03-01"),
        ("week", 5, "2021-02-01", "2021-02-08"),
        ("day", 3, "2021-02-03", "2021-02-04"),
        ("hour", 16, "2021-02-03T16:00", "2021-02-03T17:00"),
        ("minute", 5, "2021-02-03T16:05", "2021-02-03T16:06"),
        ("second", 6, "2021-02-03T16:05:06", "2021-02-03T16:05:07"),
    ],
)
def test_a_date_has_parts_and_lies_in_spans(unit: str, value: int, start: str, end: str) -> None:
    span = date().getRange(unit)
    ends = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end)]
    found = computed(
        ee.List([date().get(unit), span.start().millis(), span.end().millis()]),
    )
    assert found == [value, *(each.timestamp() * 1000 for each in ends)]
    share = (MOMENT - ends[0]) / (ends[1] - ends[0])
    assert computed(date().getFraction(unit)) == pytest.approx(share)


@pytest.mark.parametrize(
    ("unit", "outer", "value"),
    [
        ("month", "year", 1),
        ("day", "year", 33),
        ("day", "month", 2),
        ("hour", "day", 16),
        ("minute", "day", 16 * 60 + 5),
        ("second", "minute", 6),
    ],
)
def test_a_part_counts_from_zero_in_a_larger_one(unit: str, outer: str, value: int) -> None:
    assert computed(date().getRelative(unit, outer)) == value


def test_a_larger_unit_is_no_part_of_a_smaller_one() -> None:
    # As in Google's own example.
    assert computed(ee.Date("2021-4-30T07:15:31.24").getRelative("year", "month")) == 0
    assert computed(date().getRelative("day", "day")) == 0


def test_spans_meet_and_hold_each_other() -> None:
    january = ee.DateRange("2021-01-01", "2021-02-01")
    winter = ee.DateRange("2020-12-01", "2021-01-11")
    answers = ee.List(
        [
            january.contains("2021-01-01"),
            january.contains(ee.Date("2021-02-01")),
            january.contains(ee.DateRange("2021-01-05", "2021-02-01")),
            january.contains(winter),
            january.intersects(winter),
            january.intersects(ee.DateRange("2021-02-01", "2021-03-01")),
            january.isEmpty(),
        ]
    )
    assert computed(answers) == [True, False, True, False, True, False, False]
    both, either = january.intersection(winter), january.union(winter)
    dates = [both.start(), both.end(), either.start(), either.end()]
    assert computed(ee.List([each.format("yyyy-MM-dd") for each in dates])) == [
        "2021-01-01", "2021-01-11", "2020-12-01", "2021-02-01",
    ]  # fmt: skip


def test_dates_are_made_changed_and_read() -> None:
    made = ee.Date.fromYMD(2020, 2, 29)
    assert computed(made.format("yyyy-MM-dd")) == "2020-02-29"
    assert computed(made.millis()) == datetime(2020, 2, 29, tzinfo=UTC).timestamp() * 1000
    changed = date().update(year=2019, second=1.5)
    assert computed(changed.format("yyyy-MM-dd HH:mm:ss.SSS")) == "2019-02-03 16:05:01.500"
    read = ee.Date.parse("yyyyMMdd'T'HHmmss", "20210203T160506")
    assert computed(read.millis()) == MOMENT.replace(microsecond=0).timestamp() * 1000
    image = ee.ImageCollection("projects/demo/assets/s2_daily").first()
    assert computed(image.date().format("yyyy-MM-dd")) == "2021-01-01"
    for bad in (ee.Date.fromYMD(2021, 2, 29), ee.Date.parse("yyyy", "x")):
        with pytest.raises(ee.EEException, match="Date"):
            computed(bad.millis())


def test_differences_use_the_average_length_of_a_unit() -> None:
    later = MOMENT + timedelta(days=400, hours=7)
    days = (later - MOMENT) / timedelta(days=1)
    lengths = {"day": 1, "week": 7, "hour": 1 / 24, "year": 365.2425, "month": 365.2425 / 12}
    for unit, length in lengths.items():
        assert computed(date(later).difference(date(), unit)) == pytest.approx(days / length)
    assert computed(ee.Date.unitRatio("week", "hour")) == 168


BINARY = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "mod": math.fmod,
    "min": min,
    "max": max,
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
}


BITS = {
    "bitwiseAnd": lambda a, b: a & b,
    "bitwiseOr": lambda a, b: a | b,
    "bitwiseXor": lambda a, b: a ^ b,
    "leftShift": lambda a, b: a << b,
    "rightShift": lambda a, b: a >> b,
}


@pytest.mark.parametrize("name", BITS)
def test_bits_of_numbers_are_those_of_python(name: str) -> None:
    pairs = [(12, 10), (255, 3), (-7, 2), (1, 31)]
    found = ee.List([getattr(ee.Number(a), name)(b) for a, b in pairs])
    assert computed(found) == [BITS[name](a, b) for a, b in pairs]
    with pytest.raises(ee.EEException, match="Bitwise operands must be integer only"):
        computed(getattr(ee.Number(1.5), name)(1))


def test_a_shift_by_more_than_a_number_has_bits_is_refused() -> None:
    with pytest.raises(ee.EEException, match="leftShift: a shift by 1000000000"):
        computed(ee.Number(1).leftShift(1_000_000_000))


def test_angles_are_those_of_python() -> None:
    names = ["sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"]
    found = ee.List([getattr(ee.Number(0.4), name)() for name in names])
    assert computed(found) == pytest.approx([getattr(math, name)(0.4) for name in names])
    # The values of Google's own example, where the left number is x.
    points = [((0, 0), 0), ((1, 0), 0), ((0, 1), math.pi / 2), ((-1, 0), math.pi)]
    angles = ee.List([ee.Number(x).atan2(y) for (x, y), _ in points])
    assert computed(angles) == pytest.approx([angle for _, angle in points])
    others = ee.List([ee.Number(3).hypot(4), ee.Number(-8).cbrt(), ee.Number(-0.1).signum()])
    assert computed(others) == pytest.approx([5, -2, -1])


def test_numbers_are_cast_clamped_and_scaled() -> None:
    number = ee.Number(300.7)
    casts = [number.uint8(), number.toInt8(), number.toByte(), number.uint16(), number.toShort()]
    assert computed(ee.List(casts)) == [255, 127, 255, 300, 300]
    below = ee.Number(-70000.9)
    casts = [below.toUint32(), below.int16(), below.toInt32(), below.long(), below.int()]
    assert computed(ee.List(casts)) == [0, -32768, -70000, -70000, -70000]
    assert computed(ee.List([number.clamp(0, 10), number.clamp(-5, 400)])) == [10, 300.7]
    scaled = ee.List([ee.Number(3).unitScale(2, 4), ee.Number(3).unitScale(2, 2)])
    assert computed(scaled) == [0.5, 0]
    assert computed(ee.Number(5).bitwiseNot()) == -6


@pytest.mark.parametrize("name", BINARY)
def test_numbers_are_computed_as_python_does(name: str) -> None:
    pairs = [(7, 2), (2.5, 4), (-7, 3), (3, 3)]
    found = ee.List([getattr(ee.Number(a), name)(b) for a, b in pairs]).getInfo()
    assert found == pytest.approx([float(BINARY[name](a, b)) for a, b in pairs])


def test_numbers_are_rounded_and_cut() -> None:
    number = ee.Number(-2.5)
    found = ee.List(
        [number.abs(), number.floor(), number.ceil(), number.int(), ee.Number(2.5).round()]
    )
    assert computed(found) == [2.5, -3, -2, -2, 3]
    roots = ee.List([ee.Number(9).sqrt(), ee.Number(1).exp(), ee.Number(math.e).log()])
    assert computed(roots) == pytest.approx([3, math.e, 1])
    with pytest.raises(ee.EEException, match=r"Number\.log"):
        computed(ee.Number(-1).log())


@pytest.mark.parametrize(
    ("number", "pattern", "text"),
    [(3.14159, "%.2f", "3.14"), (42, "%05d", "00042"), (7, "%s", "7"), (255, "B%x!", "Bff!")],
)
def test_numbers_are_written_as_printf_does(number: float, pattern: str, text: str) -> None:
    assert computed(ee.Number(number).format(pattern)) == text


@pytest.mark.parametrize("pattern", ["%,d", "%d %d", "no", "%c", "%*d"])
def test_other_patterns_are_refused_by_name(pattern: str) -> None:
    with pytest.raises(ee.EEException, match="does not support the pattern"):
        computed(ee.Number(1).format(pattern))


def test_texts_are_joined_cut_and_searched() -> None:
    text = ee.String("S2_20210203")
    found = ee.List(
        [
            ee.String("a").cat("b"),
            text.slice(3),
            text.slice(-4, -2),
            text.length(),
            text.toLowerCase(),
            text.index("_"),
            text.index("x"),
            text.split("_"),
            text.replace("0", "o"),
            text.replace("[0-9]", "#", "g"),
            text.match("([0-9]{4})([0-9]{2})"),
            text.match("[0-9]+", "g"),
            ee.Number.parse("12"),
            ee.Number.parse("1.5"),
            ee.String(" x ").trim(),
        ]
    )
    assert computed(found) == [
        "ab", "20210203", "02", 11, "s2_20210203", 2, -1, ["S2", "20210203"], "S2_2o210203",
        "S#_########", ["202102", "2021", "02"], ["2", "20210203"], 12, 1.5, "x",
    ]  # fmt: skip


def test_texts_are_compared_and_become_json() -> None:
    a, b = ee.String("a"), ee.String("b")
    found = ee.List([a.compareTo(b), b.compareTo(a), a.compareTo("a"), a.equals("a"), a.equals(1)])
    assert computed(found) == [-1, 1, 0, True, False]
    value = {"b": [1, 2.5, None], "a": "ü"}
    text = computed(ee.String.encodeJSON(value))
    assert json.loads(text) == value
    assert computed(ee.String(text).decodeJSON()) == value
    with pytest.raises(ee.EEException, match=r"String\.decodeJSON: The text is not JSON"):
        computed(ee.String("{").decodeJSON())


def test_a_regular_expression_that_is_none_is_refused() -> None:
    with pytest.raises(ee.EEException, match="is not a pattern"):
        computed(ee.String("x").match("("))
    with pytest.raises(ee.EEException, match="does not support the flags 'm'"):
        computed(ee.String("x").match("x", "m"))
