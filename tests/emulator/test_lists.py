"""Lists, dictionaries and properties that the emulator computes with: against Python's own."""

from __future__ import annotations

import statistics
from typing import Any

import ee
import pytest

pytestmark = pytest.mark.usefixtures("client")

DAILY = "projects/demo/assets/s2_daily"


def computed(value: Any) -> Any:
    return value.getInfo()


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        # The values of Google's own examples.
        ({"start": 0, "end": 5}, [0, 1, 2, 3, 4, 5]),
        ({"start": 0, "end": 10, "step": 2}, [0, 2, 4, 6, 8, 10]),
        ({"start": 0, "step": -2, "count": 6}, [0, -2, -4, -6, -8, -10]),
        ({"start": 0, "end": 10, "step": 2, "count": 3}, [0, 5, 10]),
        ({"start": 10, "count": 3}, [10, 11, 12]),
        ({"start": 3, "end": 6, "step": 2}, [3, 5]),
        ({"start": -1e9, "end": 1e9, "count": 3}, [-1e9, 0, 1e9]),
        ({"start": 5, "end": 1}, []),
        ({"start": 1, "end": 2, "step": 0.5}, [1, 1.5, 2]),
    ],
)
def test_a_sequence_has_equal_steps(arguments: dict[str, float], values: list[float]) -> None:
    assert computed(ee.List.sequence(**arguments)) == values


def test_a_list_is_made_of_another() -> None:
    numbers = ee.List([3, 1, 2, 1])
    found = ee.List(
        [
            numbers.add(5),
            numbers.cat([7, 8]),
            numbers.insert(1, 9),
            numbers.insert(-1, 9),
            numbers.set(-1, 9),
            numbers.remove(1),
            numbers.removeAll([1, 3]),
            numbers.replace(1, 0),
            numbers.reverse(),
            numbers.distinct(),
            ee.List([1, [2, [3, []]], 4]).flatten(),
            numbers.zip(["a", "b"]),
            ee.List([[1, 2], [3, 4, 5]]).unzip(),
            ee.List.repeat("x", 3),
            numbers.filter(ee.Filter.gt("item", 1)),
        ]
    )
    assert computed(found) == [
        [3, 1, 2, 1, 5],
        [3, 1, 2, 1, 7, 8],
        [3, 9, 1, 2, 1],
        [3, 1, 2, 9, 1],
        [3, 1, 2, 9],
        [3, 2, 1],
        [2],
        [3, 0, 2, 1],
        [1, 2, 1, 3],
        [3, 1, 2],
        [1, 2, 3, 4],
        [[3, "a"], [1, "b"]],
        [[1, 3], [2, 4]],
        ["x", "x", "x"],
        [3, 2],
    ]


def test_a_list_is_searched_and_summed_up() -> None:
    numbers = ee.List([3, 1, 2, 1])
    total = numbers.iterate(lambda value, sum_: ee.Number(value).add(sum_), 100)
    found = ee.List(
        [
            numbers.indexOf(1),
            numbers.indexOf(9),
            numbers.frequency(1),
            numbers.containsAll([1, 2]),
            numbers.containsAll([1, 9]),
            numbers.equals([3, 1, 2, 1]),
            numbers.getNumber(-2),
            ee.List(["a", 1, 2.5, True]).join("-"),
            total,
            numbers.reduce(ee.Reducer.mean()),
            numbers.reduce(ee.Reducer.max()),
        ]
    )
    assert computed(found) == [1, -1, 2, True, False, True, 2, "a-1-2.5-true", 107, 1.75, 3]
    both = ee.Reducer.min().combine(ee.Reducer.max(), sharedInputs=True)
    assert computed(numbers.reduce(both)) == {"min": 1, "max": 3}


def test_a_composite_of_each_month_is_made_from_a_sequence() -> None:
    daily = ee.ImageCollection(DAILY)

    def composite(month: ee.Number) -> ee.Image:
        chosen = daily.filter(ee.Filter.calendarRange(month, month, "month"))
        return chosen.select("B4").median().set("month", month, "images", chosen.size())

    months = ee.ImageCollection.fromImages(ee.List.sequence(1, 3).map(composite))
    assert computed(months.aggregate_array("month")) == [1, 2, 3]
    counts = [
        computed(daily.filter(ee.Filter.calendarRange(month, month, "month")).size())
        for month in (1, 2, 3)
    ]
    assert computed(months.aggregate_array("images")) == counts


def test_a_dictionary_is_made_of_others() -> None:
    one = ee.Dictionary({"b": 2, "a": 1})
    found = ee.List(
        [
            one.keys(),
            one.values(),
            one.values(["b"]),
            one.size(),
            one.contains("a"),
            one.getNumber("b"),
            one.set("c", 3),
            one.combine({"b": 9, "c": 3}),
            one.combine({"b": 9, "c": 3}, False),
            one.select(["a", "z"], True),
            one.remove(["a"]),
            one.rename(["a"], ["c"]),
            one.map(lambda key, value: ee.Number(value).multiply(10)),
            ee.Dictionary.fromLists(["x", "y"], [1, 2]),
            ee.Dictionary(ee.List(["x", 1, "y", 2])),
        ]
    )
    assert computed(found) == [
        ["a", "b"],
        [1, 2],
        [2],
        2,
        True,
        2,
        {"a": 1, "b": 2, "c": 3},
        {"a": 1, "b": 9, "c": 3},
        {"a": 1, "b": 2, "c": 3},
        {"a": 1},
        {"b": 2},
        {"b": 2, "c": 1},
        {"a": 10, "b": 20},
        {"x": 1, "y": 2},
        {"x": 1, "y": 2},
    ]


def test_statistics_of_a_region_become_properties() -> None:
    image = ee.ImageCollection(DAILY).first()
    measured = image.set(ee.Dictionary(image.toDictionary(["ORBIT"])).rename(["ORBIT"], ["o"]))
    assert computed(ee.List([measured.getNumber("o"), measured.getString("MGRS_TILE")])) == [
        13,
        "10SEG",
    ]


def test_a_property_of_all_elements_is_summed_up() -> None:
    values = [3, 1, 4, 1, 5]
    table = ee.FeatureCollection(
        [ee.Feature(None, {"v": value, "t": str(value)}) for value in values] + [ee.Feature(None)]
    )
    expected = {
        "min": min(values),
        "max": max(values),
        "sum": sum(values),
        "mean": statistics.mean(values),
        "count": 5,
        "count_distinct": 4,
        "first": 3,
    }
    names = list(expected)
    found = ee.List([getattr(table, f"aggregate_{name}")("v") for name in names])
    assert dict(zip(names, computed(found), strict=True)) == expected
    assert computed(table.aggregate_max("t")) == "5"
    with pytest.raises(ee.EEException, match="The values must be numbers"):
        computed(table.aggregate_mean("t"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (lambda: ee.List([1]).get(1), "List index out of bounds: 1 for a list of 1"),
        (lambda: ee.List([1]).set(2, 0), r"List\.set: List index out of bounds: 2"),
        (lambda: ee.List(["a"]).getNumber(0), r"List\.getNumber: The value is not a Number"),
        (lambda: ee.List.sequence(1), "Either 'end' or 'count' must be specified"),
        (lambda: ee.List.sequence(1, 2, 0), "The step must not be zero"),
        (lambda: ee.List.repeat(1, 2_000_000), r"List\.repeat of more than 1,000,000 values"),
        (lambda: ee.Dictionary({"a": 1}).get("b"), r"does not contain key: 'b'.*\[a\]"),
        (lambda: ee.Dictionary({"a": 1}).select(["b"]), r"Dictionary\.select: .* key: 'b'"),
        (lambda: ee.Dictionary({"a": 1}).select(["a.*"]), r"pattern 'a\.\*' of Dictionary"),
        (lambda: ee.Dictionary({"a": "x"}).getNumber("a"), "value of 'a' is not a Number"),
        (lambda: ee.Dictionary({"a": 1, "b": 2}).rename(["a"], ["b"]), "key 'b' is taken"),
    ],
)
def test_what_is_not_there_is_refused(value: Any, text: str) -> None:
    with pytest.raises(ee.EEException, match=text):
        computed(value())
