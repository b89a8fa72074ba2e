"""Joins of two collections, and filters that compare two fields: against loops over Python's own
values.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import ee
import numpy as np
import pytest
from pyproj import Geod

from tests.emulator.official_client import Tiff
from tests.support.expected import formula_values

pytestmark = pytest.mark.usefixtures("client")

DAILY = "projects/demo/assets/s2_daily"
DAY = 86_400_000
FIRST = [{"n": 0, "k": "a"}, {"n": 1, "k": "b"}, {"n": 1, "k": "c"}, {"n": 2}, {"k": "e"}]
SECOND = [{"m": 1, "k": "b"}, {"m": 1, "k": "f"}, {"m": 2.5, "k": "g"}, {"k": "h"}]

Rows = list[dict[str, Any]]


def table(rows: Rows) -> ee.FeatureCollection:
    return ee.FeatureCollection([ee.Feature(None, row) for row in rows])


def properties(value: Any) -> dict[str, Any]:
    """Return the properties of an element as it is shown, but for those of the system."""
    shown: dict[str, Any] = value["properties"]
    return {name: each for name, each in shown.items() if not name.startswith("system:")}


def shown(collection: Any) -> list[dict[str, Any]]:
    return [properties(feature) for feature in collection.getInfo()["features"]]


def known(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Return a comparison that nothing passes that is unknown."""
    return lambda a, b: a is not None and b is not None and compare(a, b)


COMPARISONS = {
    "equals": known(lambda a, b: a == b),
    "notEquals": lambda a, b: not known(lambda a, b: a == b)(a, b),
    "lessThan": known(lambda a, b: a < b),
    "lessThanOrEquals": lambda a, b: not known(lambda a, b: a > b)(a, b),
    "greaterThan": known(lambda a, b: a > b),
    "greaterThanOrEquals": lambda a, b: not known(lambda a, b: a < b)(a, b),
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_join_compares_a_field_of_each_collection(name: str) -> None:
    compare = COMPARISONS[name]
    condition = getattr(ee.Filter, name)(leftField="n", rightField="m")
    pairs = shown(ee.Join.inner().apply(table(FIRST), table(SECOND), condition))
    found = [(properties(pair["primary"]), properties(pair["secondary"])) for pair in pairs]
    expected = [
        (one, other)
        for one, other in product(FIRST, SECOND)
        if compare(one.get("n"), other.get("m"))
    ]
    assert found == expected


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_filter_compares_two_fields_of_one_element(name: str) -> None:
    rows = [{"a": a, "b": b} for a, b in product((1, 2.5, 3), repeat=2)] + [{"a": 1}, {"b": 1}]
    condition = getattr(ee.Filter, name)(leftField="a", rightField="b")
    expected = [row for row in rows if COMPARISONS[name](row.get("a"), row.get("b"))]
    assert shown(table(rows).filter(condition)) == expected
    swapped = getattr(ee.Filter, name)(leftValue=2.5, rightField="b")
    expected = [row for row in rows if COMPARISONS[name](2.5, row.get("b"))]
    assert shown(table(rows).filter(swapped)) == expected


def test_numbers_are_near_each_other_and_texts_begin_and_end() -> None:
    rows = [{"a": 1, "b": 4}, {"a": 5, "b": 4}, {"a": "x", "b": 4}, {"b": 4}]
    near = ee.Filter.maxDifference(2, leftField="a", rightField="b")
    assert shown(table(rows).filter(near)) == [rows[1]]
    near_five = ee.Filter.maxDifference(difference=0.5, leftField="b", rightValue=4.5)
    assert shown(table(rows).filter(near_five)) == rows
    texts: Rows = [{"t": "abc"}, {"t": "cab"}, {"t": 3}]
    for condition, wanted in (
        (ee.Filter.stringStartsWith("t", "ab"), texts[:1]),
        (ee.Filter.stringEndsWith("t", "ab"), texts[1:2]),
        (ee.Filter.stringContains("t", "ab"), texts[:2]),
    ):
        assert shown(table(texts).filter(condition)) == wanted
    numbers = [{"v": value} for value in (1, 2, 3.5)] + [{}]
    assert shown(table(numbers).filter(ee.Filter.rangeContains("v", 2, 3.5))) == numbers[1:3]


def test_simple_and_inverted_joins_split_a_collection() -> None:
    condition = ee.Filter.equals(leftField="k", rightField="k")
    matched = shown(ee.Join.simple().apply(table(FIRST), table(SECOND), condition))
    rest = shown(ee.Join.inverted().apply(table(FIRST), table(SECOND), condition))
    keys = {row["k"] for row in SECOND}
    assert matched == [row for row in FIRST if row.get("k") in keys]
    assert rest == [row for row in FIRST if row.get("k") not in keys]


def test_all_matches_are_saved_in_order() -> None:
    condition = ee.Filter.maxDifference(1, leftField="n", rightField="m")
    join = ee.Join.saveAll("found", ordering="k", ascending=False, measureKey="far", outer=True)
    results = shown(join.apply(table(FIRST), table(SECOND), condition))
    assert [{key: row[key] for key in row if key != "found"} for row in results] == FIRST
    for row in results:
        near = [
            other for other in SECOND if "m" in other and abs(row.get("n", 99) - other["m"]) <= 1
        ]
        near.sort(key=lambda other: other["k"], reverse=True)
        expected = [other | {"far": abs(row["n"] - other["m"])} for other in near]
        assert [properties(each) for each in row.get("found", [])] == expected
        assert ("found" in row) is bool(near)


def test_the_first_or_the_best_match_is_saved() -> None:
    condition = ee.Filter.maxDifference(3, leftField="n", rightField="m")
    first = shown(ee.Join.saveFirst("one").apply(table(FIRST), table(SECOND), condition))
    assert [properties(row["one"]) for row in first] == [SECOND[0]] * 4
    last = ee.Join.saveFirst("one", ordering="m", ascending=False)
    ordered = shown(last.apply(table(FIRST), table(SECOND), condition))
    assert [properties(row["one"]) for row in ordered] == [SECOND[2]] * 4
    best = ee.Join.saveBest("one", "far")
    found = shown(best.apply(table(FIRST), table(SECOND), condition))
    near = [SECOND[0] | {"far": 1}, *[SECOND[0] | {"far": 0}] * 2, SECOND[2] | {"far": 0.5}]
    assert [properties(row["one"]) for row in found] == near


def test_a_condition_may_have_parts() -> None:
    same = ee.Filter.equals(leftField="k", rightField="k")
    near = ee.Filter.maxDifference(3, leftField="n", rightField="m")
    best = ee.Join.saveBest("one", "far").apply(
        table(FIRST), table(SECOND), ee.Filter.And(same, near)
    )
    assert [row["k"] for row in shown(best)] == ["b"]
    either = ee.Filter.Or(same, ee.Filter.equals(leftField="n", rightField="m"))
    simple = ee.Join.simple().apply(table(FIRST), table(SECOND), either)
    assert [row["k"] for row in shown(simple)] == ["b", "c"]
    # What names the second collection only: every element goes with its "g".
    of_second = ee.Filter.equals(leftValue="g", rightField="k")
    pairs = shown(ee.Join.inner().apply(table(FIRST), table(SECOND), of_second))
    assert [properties(pair["secondary"]) for pair in pairs] == [SECOND[2]] * len(FIRST)


@pytest.mark.parametrize(
    "condition",
    [
        lambda: ee.Filter.equals(leftField="n", rightField="m"),
        lambda: ee.Filter.maxDifference(1, leftField="n", rightField="m").Not(),
        lambda: ee.Filter.And(
            ee.Filter.maxDifference(1, leftField="n", rightField="m"),
            ee.Filter.maxDifference(2, leftField="n", rightField="m"),
        ),
    ],
)
@pytest.mark.parametrize(
    "join",
    [
        lambda: ee.Join.saveBest("one", "far"),
        lambda: ee.Join.saveFirst("one", measureKey="far"),
        lambda: ee.Join.inner(measureKey="far"),
    ],
)
def test_what_tells_no_distance_cannot_be_measured(join: Any, condition: Any) -> None:
    with pytest.raises(ee.EEException, match=r"Join\.apply: .* measures how far"):
        join().apply(table(FIRST), table(SECOND), condition()).getInfo()


def test_a_field_without_a_partner_is_refused() -> None:
    for condition in (
        ee.Filter.equals(leftField="a"),
        ee.Filter.equals(leftField="a", rightField="b", rightValue=1),
        ee.Filter.equals(leftValue=1, rightValue=1),
    ):
        with pytest.raises(ee.EEException, match="A field and a value, or two fields"):
            table(FIRST).filter(condition).size().getInfo()


GRID = {
    "crsCode": "EPSG:32610",
    "affineTransform": {
        "scaleX": 10, "translateX": 500980, "scaleY": -10, "translateY": 4198000,
    },
    "dimensions": {"width": 16, "height": 10},
}  # fmt: skip


def pixels(image: ee.Image) -> Any:
    params = {"expression": image, "fileFormat": "GEO_TIFF", "grid": GRID}
    return Tiff(ee.data.computePixels(params)).bands


def band(number: int, place: int) -> Any:
    rows, columns = np.arange(200, 210)[:, np.newaxis], np.arange(100, 116)[np.newaxis, :]
    return formula_values(place, "uint16", rows, columns, number + 1)


def test_images_are_joined_with_those_of_the_same_index() -> None:
    images = ee.ImageCollection(DAILY).limit(3).select(["B4"])
    clouds = ee.ImageCollection(DAILY).limit(2).select(["B8"], ["cloud"])
    condition = ee.Filter.equals(leftField="system:index", rightField="system:index")
    joined = ee.ImageCollection(ee.Join.saveFirst("mask").apply(images, clouds, condition))
    assert joined.size().getInfo() == 2

    def stack(image: ee.Image) -> ee.Image:
        return image.addBands(ee.Image(image.get("mask")))

    second = ee.Image(joined.map(stack).toList(1, 1).get(0))
    assert second.bandNames().getInfo() == ["B4", "cloud"]
    np.testing.assert_array_equal(pixels(second), [band(1, 0), band(1, 1)])
    # The other way to write it: pairs, which are features, become images again.
    pairs = ee.ImageCollection(ee.Join.inner().apply(images, clouds, condition))
    merged = pairs.map(lambda pair: ee.Image.cat(pair.get("primary"), pair.get("secondary")))
    np.testing.assert_array_equal(pixels(ee.Image(merged.toList(1, 1).get(0))), pixels(second))
    expected = np.maximum(band(0, 1), band(1, 1))
    np.testing.assert_array_equal(pixels(merged.max().select("cloud"))[0], expected)


def test_an_image_gets_the_one_that_is_nearest_in_time() -> None:
    images = ee.ImageCollection(DAILY).limit(3)
    shifted = images.map(
        lambda image: image.set(
            "system:time_start", ee.Number(image.get("system:time_start")).add(2 * DAY)
        )
    )
    condition = ee.Filter.maxDifference(
        difference=4 * DAY, leftField="system:time_start", rightField="system:time_start"
    )
    joined = ee.Join.saveBest("best", "far").apply(images, shifted, condition)
    features = joined.getInfo()["features"]
    assert [feature["type"] for feature in features] == ["Image"] * 3
    found = [feature["properties"]["best"] for feature in features]
    assert [image["properties"]["far"] for image in found] == [2 * DAY] * 3
    assert [image["bands"][0]["id"] for image in found] == ["B4"] * 3


def test_features_are_joined_by_place() -> None:
    places = [(0, 0), (0.001, 0), (1, 1)]
    points = ee.FeatureCollection(
        [ee.Feature(ee.Geometry.Point(place), {"n": n}) for n, place in enumerate(places)]
    )
    box = ee.Geometry.Rectangle([-0.5, -0.5, 0.5, 0.5])
    boxes = ee.FeatureCollection([ee.Feature(box, {"box": 1}), ee.Feature(None, {"box": 2})])
    fields = {"leftField": ".geo", "rightField": ".geo"}

    def numbers(condition: Any) -> list[tuple[int, int]]:
        pairs = shown(ee.Join.inner().apply(points, boxes, condition))
        return [
            (properties(pair["primary"])["n"], properties(pair["secondary"])["box"])
            for pair in pairs
        ]

    assert numbers(ee.Filter.intersects(**fields, maxError=10)) == [(0, 1), (1, 1)]
    assert numbers(ee.Filter.isContained(**fields)) == [(0, 1), (1, 1)]
    assert numbers(ee.Filter.contains(**fields)) == []
    assert (2, 1) in numbers(ee.Filter.disjoint(**fields))
    best = ee.Join.saveBest("near", "metres").apply(
        points, points.filter(ee.Filter.gt("n", 0)), ee.Filter.withinDistance(500, **fields)
    )
    found = [properties(row["near"]) for row in shown(best)]
    assert [each["n"] for each in found] == [1, 1, 2]
    expected = Geod(ellps="WGS84").inv(0, 0, 0.001, 0)[2]
    assert [each["metres"] for each in found] == pytest.approx([expected, 0, 0], rel=1e-6)


def test_images_meet_the_features_that_they_show() -> None:
    images = ee.ImageCollection(DAILY).limit(2)
    points = ee.FeatureCollection(
        [
            ee.Feature(ee.Geometry.Point([-122.5, 37.3]), {"n": 0}),
            ee.Feature(ee.Geometry.Point([-124.5, 37.3]), {"n": 1}),
        ]
    )
    condition = ee.Filter.intersects(leftField=".geo", rightField=".geo")
    joined = ee.Join.saveAll("scenes").apply(points, images, condition)
    (row,) = shown(joined)
    assert (row["n"], len(row["scenes"])) == (0, 2)
