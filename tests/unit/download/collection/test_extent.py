"""The extent of a collection: what contains all of its items, and is no larger."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.download.collection.extent import (
    BBox,
    enclosing_bbox,
    enclosing_interval,
    read_extent,
    write_extent,
)
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError

DAY = datetime(2026, 1, 1, tzinfo=UTC)
NIGHT = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_bbox_of_two_places_contains_both() -> None:
    assert enclosing_bbox([(10, 20, 11, 21), (-5, 30, 3, 31)]) == (-5, 20, 11, 31)


@pytest.mark.parametrize(
    ("bboxes", "wanted"),
    [
        ([(170, 0, -175, 1)], (170, 0, -175, 1)),
        ([(170, 0, -175, 1), (-178, 2, -170, 3)], (170, 0, -170, 3)),
        ([(170, 0, 180, 1), (-180, 0, -170, 1)], (170, 0, -170, 1)),
        ([(160, 0, 165, 1), (175, 0, -175, 1)], (160, 0, -175, 1)),
        # Nothing says that a series of two places goes the short way.
        ([(170, 0, 171, 1), (-171, 0, -170, 1)], (-171, 0, 171, 1)),
    ],
)
def test_a_bbox_across_the_antimeridian_stays_narrow(bboxes: list[BBox], wanted: BBox) -> None:
    assert enclosing_bbox(bboxes) == wanted


@given(st.lists(st.tuples(*[st.integers(-179, 179)] * 2), min_size=1, max_size=8))
def test_places_come_to_the_same_one_by_one_and_all_at_once(spans: list[tuple[int, int]]) -> None:
    boxes: list[BBox] = [(min(each), 0.0, max(each), 1.0) for each in spans]
    widened = boxes[0]
    for box in boxes[1:]:
        widened = enclosing_bbox([widened, box])
    assert widened == enclosing_bbox(boxes)
    assert widened[0] == min(min(each) for each in spans)
    assert widened[2] == max(max(each) for each in spans)


@given(st.lists(st.tuples(*[st.integers(-179, 179)] * 2), min_size=1, max_size=8))
def test_no_place_is_outside_of_the_bbox(spans: list[tuple[int, int]]) -> None:
    boxes: list[BBox] = [(west, 0.0, east, 1.0) for west, east in spans]
    west, _, east, _ = enclosing_bbox(boxes)
    for each in boxes:
        for longitude in (each[0], each[2]):
            inside = west <= longitude <= east
            assert inside or (west > east and (longitude >= west or longitude <= east))


def test_an_interval_contains_all_and_unknown_times_say_nothing() -> None:
    assert enclosing_interval([(DAY, DAY), (None, None), (NIGHT, NIGHT)]) == (DAY, NIGHT)
    assert enclosing_interval([(None, None)]) == (None, None)
    assert enclosing_interval([(None, DAY), (DAY, NIGHT)]) == (None, NIGHT)


def test_what_is_written_is_read() -> None:
    for bboxes, intervals in (([(1.0, 2.0, 3.0, 4.0)], [(DAY, NIGHT)]), ([], [])):
        bbox, interval = read_extent(Foreign(write_extent(bboxes, intervals)))
        assert bbox == (bboxes[0] if bboxes else (-180, -90, 180, 90))
        assert interval == (intervals[0] if intervals else (None, None))


@pytest.mark.parametrize(
    "extent",
    [
        None,
        {},
        {"spatial": {"bbox": []}, "temporal": {"interval": [[None, None]]}},
        {"spatial": {"bbox": [[1, 2, 3]]}, "temporal": {"interval": [[None, None]]}},
        {"spatial": {"bbox": [[1, 2, 3, "4"]]}, "temporal": {"interval": [[None, None]]}},
        {"spatial": {"bbox": [[1, 2, 3, 4]]}, "temporal": {"interval": [["now", None]]}},
        {"spatial": {"bbox": [[1, 2, 3, 4]]}, "temporal": {"interval": [["2026-01-01", None]]}},
        {"spatial": {"bbox": [[1, 2, 3, 4]]}, "temporal": {"interval": []}},
    ],
)
def test_what_is_no_extent_is_refused(extent: object) -> None:
    with pytest.raises(ForeignValueError):
        read_extent(Foreign(extent))


def test_the_globe_goes_all_around() -> None:
    assert all(a < b for a, b in pairwise(write_extent([], [])["spatial"]["bbox"][0][::2]))
