"""What a watcher announces: each version of each image once, whatever order they come in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.catalog import watching
from airflow_provider.earthengine.catalog.watching import (
    Memory,
    check_watched,
    compare,
    describe_image,
    describe_images,
    first_memory,
    query_of,
    read_memory,
    read_window,
)
from airflow_provider.earthengine.download.fields.source import ListedImage
from airflow_provider.earthengine.exceptions import DownloadParamsError

NOW = datetime(2026, 11, 26, tzinfo=UTC)
VERSION = 1_610_218_671_000_000


def image(name: str, version: int | None = VERSION) -> ListedImage:
    return ListedImage(f"A/B/{name}", datetime(2021, 1, 9, tzinfo=UTC), version)


def names(images: tuple[ListedImage, ...]) -> list[str]:
    return [each.asset_id.rpartition("/")[2] for each in images]


def test_only_what_was_not_seen_before_is_new() -> None:
    first = [image("a"), image("b")]
    new, memory = compare([*first, image("c")], first_memory(first, None))
    assert names(new) == ["c"]
    assert compare([*first, image("c")], memory)[0] == ()


def test_a_reprocessed_image_is_new_and_so_is_one_that_goes_back() -> None:
    memory = first_memory([image("a", 1)], None)
    new, memory = compare([image("a", 2)], memory)
    assert [(each.asset_id, each.version) for each in new] == [("A/B/a", 2)]
    # A collection that shows the earlier version again has shown it before.
    assert compare([image("a", 1)], memory)[0] == ()


def test_an_image_that_appears_late_is_new_although_newer_ones_were_seen() -> None:
    memory = first_memory([image("a", VERSION)], None)
    new, _ = compare([image("a", VERSION), image("late", VERSION - 10**12)], memory)
    assert names(new) == ["late"]


def test_an_image_that_is_gone_for_a_while_is_not_new_when_it_is_back() -> None:
    memory = first_memory([image("a"), image("b")], None)
    _, memory = compare([], memory)
    assert compare([image("a"), image("b")], memory)[0] == ()


def test_new_images_come_in_the_order_of_their_ingestion() -> None:
    new, _ = compare([image("c", 3), image("a", 1), image("b", 2), image("none", None)], Memory())
    assert names(new) == ["none", "a", "b", "c"]


def test_at_the_first_look_only_what_was_ingested_since_a_time_is_new() -> None:
    since = datetime(2021, 1, 9, 18, 57, 51, tzinfo=UTC)
    images = [image("before", VERSION - 1), image("at", VERSION), image("none", None)]
    assert names(compare(images, first_memory(images, since))[0]) == ["at"]
    assert compare(images, first_memory(images, None))[0] == ()


def test_a_memory_fits_into_airflows_store_however_many_images_there_are() -> None:
    many = [image(str(number), number) for number in range(10_000)]
    memory = first_memory(many, None)
    stored = json.dumps(memory.to_json())
    assert len(stored) < 64 << 10
    kept = read_memory(json.loads(stored))
    assert kept == memory
    assert compare(many, memory)[0] == ()
    # Those that had no room are told apart by their version alone.
    later = [*many, image("new", 20_000), image("reprocessed", 5_000)]
    assert names(compare(later, memory)[0]) == ["new"]


def test_images_without_a_version_that_have_no_room_are_not_announced_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "MOST_REMEMBERED", 2)
    images = [image(str(number), None) for number in range(5)]
    assert compare(images, first_memory(images, None))[0] == ()


LOOKS = st.lists(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3)), unique=True), max_size=8
)


@given(LOOKS)
def test_over_any_looks_each_version_of_an_image_is_announced_once(
    looks: list[list[tuple[str, int]]],
) -> None:
    memory, announced = Memory(), []
    for look in looks:
        new, memory = compare([image(*each) for each in look], memory)
        memory = read_memory(json.loads(json.dumps(memory.to_json()))) or Memory()
        announced += [(each.asset_id[-1], each.version) for each in new]
    assert sorted(announced) == sorted({each for look in looks for each in look})


@pytest.mark.parametrize(
    "stored",
    [None, 7, "text", [], {}, {"format": 2, "floor": 0, "seen": []}, {"format": 1},
     {"format": 1, "floor": 0, "seen": [7]}, {"format": 1, "floor": "x", "seen": []}],
)  # fmt: skip
def test_what_is_no_memory_is_none(stored: Any) -> None:
    assert read_memory(stored) is None


def test_images_that_an_event_has_no_room_for_are_left_for_the_next() -> None:
    many = [image(f"{number:0100d}", number) for number in range(200)]
    memory, events = Memory(), []
    while True:
        new, memory = compare(many, memory)
        if not new:
            break
        events.append(new)
        assert len(json.dumps(describe_images(new))) <= 33_000
    assert 2 < len(events) < 20
    assert [each.version for new in events for each in new] == list(range(200))


def test_an_image_that_alone_has_no_room_is_announced_all_the_same() -> None:
    long = [image("x" * 40_000, 1), image("y" * 40_000, 2)]
    first, memory = compare(long, Memory())
    second, memory = compare(long, memory)
    assert (first, second) == ((long[0],), (long[1],))
    assert compare(long, memory)[0] == ()


def test_an_event_says_which_image_and_how_to_download_it() -> None:
    payload = describe_image(image("scene"))
    assert payload == json.loads(json.dumps(payload))
    assert payload == {
        "key": f"A/B/scene@{VERSION}",
        "asset_id": "A/B/scene",
        "version": VERSION,
        "update_time": "2021-01-09T18:57:51Z",
        "start_time": "2021-01-09T00:00:00Z",
        "download": {
            "image": "A/B/scene",
            "source": {
                "name": "scene",
                "start_time": "2021-01-09T00:00:00Z",
                "update_time": "2021-01-09T18:57:51Z",
                "images": [["A/B/scene", VERSION]],
            },
        },
    }


def test_a_name_that_looks_like_a_template_is_not_rendered_as_one() -> None:
    fields = describe_image(image("{{ macros }}"))["download"]
    assert "{{" not in fields["image"]
    assert (
        "{{ macros }}"
        in json.loads(fields["image"])["values"]["0"]["functionInvocationValue"]["arguments"]["id"][
            "constantValue"
        ]
    )


def test_a_window_moves_unless_it_has_a_start() -> None:
    fields = {"collection": "A/B", "region": None, "filters": None}
    moving = query_of(fields, read_window(None, None, 10), NOW)
    assert moving.start == datetime(2026, 11, 16, tzinfo=UTC)
    assert moving.end > datetime(2100, 1, 1, tzinfo=UTC)
    fixed = query_of(fields, read_window("2021-01-01", "2021-02-01", 10), NOW)
    assert (fixed.start, fixed.end) == (
        datetime(2021, 1, 1, tzinfo=UTC),
        datetime(2021, 2, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("days", [0, -1, 1e9, float("nan"), "soon", None, True])
def test_a_window_of_no_length_is_refused(days: Any) -> None:
    with pytest.raises(DownloadParamsError, match="days"):
        read_window(None, None, days)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"collection": None}, "collection"),
        ({"collection": "not an id"}, "collection"),
        ({"collection": "{{ params.collection }}"}, "nothing is rendered"),
        ({"collection": "A/B", "filters": {"CLOUD": {"less": 20}}}, "less"),
        ({"collection": "A/B", "region": [1, 2, 3]}, "region"),
        ({"collection": "A/B", "region": "s3://a/b.geojson"}, "region"),
    ],
)
def test_what_can_never_be_watched_is_refused_at_once(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(DownloadParamsError, match=problem):
        check_watched(fields, read_window(None, None, 30))


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(DownloadParamsError, match="after its end"):
        check_watched({"collection": "A/B"}, read_window("2021-02-01", "2021-01-01", 30))
