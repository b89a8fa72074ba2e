"""Markers are written and removed in the state that was seen, at one stroke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.fields.destination import Destination, Identity, IfExists
from airflow_provider.earthengine.download.fields.image import read_image
from airflow_provider.earthengine.download.publish.markers import (
    Marker,
    StoredMarker,
    make_marker,
    read_marker,
    remove_marker,
    write_marker,
)
from tests.support.memory_s3 import MemoryClient, Store

KEY = "a/scene.empty.json"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
MARKER = Marker(
    "v1:f", "scene", "a", "A/scene", {"name": "scene"}, "nothing", 1, NOW, NOW + timedelta(7),
    "run", "download", 4, "all_masked",
)  # fmt: skip


class Watched:
    """A bucket in memory, and the requests to it; after each, something may happen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = Store()
        self.requests: list[str] = []
        self.then: Callable[[], None] = lambda: None
        client: Any = MemoryClient(self.store, "it", self._pass)
        self.bucket = Bucket(client, "bucket")
        monkeypatch.setattr(self.bucket, "find_out_conditions", lambda _: None)

    def _pass(self, what: str, act: Callable[[], Any]) -> Any:
        self.requests.append(what.split(maxsplit=1)[0])
        try:
            return act()
        finally:
            self.then()

    def content(self) -> Marker | None:
        found = read_marker(self.bucket, KEY)
        return found.marker if found else None


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def stored(place: Watched, marker: Marker) -> StoredMarker:
    return StoredMarker(marker, place.store.put(KEY, marker.to_json()))


def test_a_marker_is_replaced_at_one_stroke(place: Watched) -> None:
    previous = stored(place, MARKER)
    seen = []
    place.then = lambda: seen.append(KEY in place.store.objects)
    again = replace(MARKER, looks=2)
    assert write_marker(place.bucket, KEY, again, previous)
    assert (place.requests, seen) == (["put"], [True])
    place.then = lambda: None
    assert place.content() == again


def test_a_marker_that_was_written_meanwhile_stays(place: Watched) -> None:
    previous = stored(place, MARKER)
    other = replace(MARKER, looks=7)
    stored(place, other)
    assert not write_marker(place.bucket, KEY, replace(MARKER, looks=2), previous)
    assert not write_marker(place.bucket, KEY, replace(MARKER, looks=2), None)
    assert place.content() == other
    remove_marker(place.bucket, KEY, previous.etag)
    assert place.content() == other


def test_a_marker_is_removed_as_it_was_seen(place: Watched) -> None:
    remove_marker(place.bucket, KEY, stored(place, MARKER).etag)
    assert place.store.objects == {}


@pytest.mark.parametrize(
    ("previous", "looks", "days"),
    [
        (None, 1, 7),
        (MARKER, 2, 14),
        (replace(MARKER, looks=3), 4, 56),
        # Another question at the same place: its looks are its own.
        (replace(MARKER, fingerprint="v1:another", looks=3), 1, 7),
    ],
)
def test_looks_are_counted_for_the_same_question(
    previous: Marker | None, looks: int, days: int
) -> None:
    made = make_marker(
        Destination("bucket", "a", "scene", ".tif.json"),
        Identity("v1:f", "dag/run/0", IfExists.REPLACE_CHANGED, "task", -1),
        read_image("A/scene"), None, "nothing", 7, previous,
    )  # fmt: skip
    assert made.looks == looks
    assert made.recheck_after - made.looked_at == timedelta(days=days)
