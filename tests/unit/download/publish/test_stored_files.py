"""Items, claims and markers in the bucket, whoever wrote them: read within bounds, or named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider.earthengine.catalog.drift import read_recorded
from airflow_provider.earthengine.download.fields.destination import Destination, Identity, IfExists
from airflow_provider.earthengine.download.fields.layout import ITEM_SUFFIXES
from airflow_provider.earthengine.download.publish.claim import make_claim
from airflow_provider.earthengine.download.publish.markers import list_due_markers, read_marker
from airflow_provider.earthengine.download.publish.record import Target
from airflow_provider.earthengine.download.publish.standing import read_register
from airflow_provider.earthengine.exceptions import ObjectExistsError
from tests.support.drawn import times_as_many
from tests.support.memory_s3 import Store, bucket_on
from tests.support.mutated import mutations

SEED = 20_261_126
CASES = 400
DESTINATION = Destination("bucket", "a/b", "scene", ".tif.json")
IDENTITY = Identity("v1:f", "dag/run/0", IfExists.REPLACE_CHANGED, "task", 3)
NOW = datetime(2026, 11, 26, tzinfo=UTC)

OBJECT = {
    "href": "s3://bucket/a/b/scene.tif",
    "file:size": 5,
    "file:checksum": f"1220{'ab' * 32}",
    "earthengine:etag": '"etag"',
}
ITEM: dict[str, Any] = {
    "type": "Feature",
    "id": "scene",
    "assets": {"data": OBJECT},
    "properties": {
        "datetime": "2021-01-09T18:57:51Z",
        "earthengine:fingerprint": "v1:f",
        "earthengine:generation": "dag/run/0",
        "earthengine:asset_id": "A/scene",
        "earthengine:asset_version": 1_641_990_767_055_141,
        "earthengine:source_images": [{"asset_id": "A/scene", "version": 1}],
        "earthengine:warnings": ["one"],
        "airflow:task_id": "task",
        "airflow:map_index": 3,
    },
}
MARKER: dict[str, Any] = {
    "kind": "earthengine-empty",
    "earthengine:fingerprint": "v1:f",
    "base": "scene",
    "prefix": "a/b",
    "image": "A/scene",
    "source": {"name": "scene", "images": [["A/scene", 1]]},
    "reason": "Nothing there.",
    "looks": 1,
    "looked_at": "2026-01-01T00:00:00+00:00",
    "recheck_after": "2026-01-08T00:00:00+00:00",
}
BROKEN = (b"[" * 100_000, b"\xff\xfe", b"9" * 10_000, b"", b"[1]", b"null", b'{"properties": 1}')


class Place:
    """A bucket in memory, with the files that somebody put there."""

    def __init__(self) -> None:
        self.store = Store()
        self.bucket = bucket_on(self.store)
        self.target = Target(self.bucket, DESTINATION, IDENTITY)

    def put(self, key: str, content: Any) -> None:
        is_text = isinstance(content, bytes)
        self.store.put(key, content if is_text else json.dumps(content).encode())


@pytest.fixture
def place() -> Place:
    return Place()


def claim_of(place: Place) -> dict[str, Any]:
    uploads = (("a/b/scene.tif", "an upload"),)
    claim = make_claim(place.target, "an id", uploads, json.dumps(ITEM).encode())
    value: dict[str, Any] = json.loads(claim.to_json())
    return value


def usable(contents: Iterable[Any], use: Callable[[Any], object]) -> int:
    """Return how many can be used; each other one is refused by name."""
    count = 0
    for content in contents:
        try:
            use(content)
        except ObjectExistsError:
            continue
        count += 1
    return count


def test_an_item_a_claim_and_a_marker_are_what_was_written(place: Place) -> None:
    place.put("a/b/scene.tif.json", ITEM)
    found = read_register(place.target)
    assert found.record
    assert found.record.objects[0].key == "a/b/scene.tif"
    assert (found.record.writer.task_id, found.record.writer.map_index) == ("task", 3)
    place.put("a/b/scene.tif.json", claim_of(place))
    found = read_register(place.target)
    assert found.claim
    assert found.claim.uploads == (("a/b/scene.tif", "an upload"),)
    assert found.item == json.dumps(ITEM).encode()
    assert (found.claim.writer.task_id, found.claim.writer.map_index) == ("task", 3)
    place.put("a/b/scene.empty.json", MARKER)
    stored = read_marker(place.bucket, "a/b/scene.empty.json")
    assert stored
    assert stored.marker.is_due(NOW)


@pytest.mark.mutated
def test_a_broken_item_claim_or_marker_is_refused_by_name(place: Place) -> None:
    def read_item(content: Any) -> None:
        place.put("a/b/scene.tif.json", content)
        read_register(place.target)

    def read_empty(content: Any) -> None:
        place.put("a/b/scene.empty.json", content)
        read_marker(place.bucket, "a/b/scene.empty.json")

    assert usable(BROKEN, read_item) == usable(BROKEN, read_empty) == 0
    for whole, use in ((ITEM, read_item), (claim_of(place), read_item), (MARKER, read_empty)):
        mutated = list(mutations(whole, CASES, SEED))
        assert 0 < usable(mutated, use) < len(mutated)


def test_what_is_larger_than_any_item_is_not_read_whole(place: Place) -> None:
    place.put("a/b/scene.tif.json", b" " * (25 << 20) + json.dumps(ITEM).encode())
    with pytest.raises(ObjectExistsError, match="not an item"):
        read_register(place.target)


@pytest.mark.parametrize("key", ["a/other.tif", "b/scene.tif", "a/b/scene2.tif", "../a/b/scene."])
def test_a_claim_that_names_an_upload_of_another_download_is_none(place: Place, key: str) -> None:
    claim = claim_of(place)
    claim["uploads"][0]["key"] = key
    place.put("a/b/scene.tif.json", claim)
    with pytest.raises(ObjectExistsError, match="not an item"):
        read_register(place.target)


@pytest.mark.mutated
def test_no_file_below_a_prefix_stops_the_reading_of_the_others(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    for number, content in enumerate([*BROKEN, *mutations(ITEM, CASES, SEED)]):
        place.put(f"x/{number}.tif.json", content)
    for number, content in enumerate([*BROKEN, *mutations(MARKER, CASES, SEED)]):
        place.put(f"x/{number}.empty.json", content)
    place.put("x/good.bands.json", ITEM)
    place.put("x/claimed.tif.json", claim_of(place))
    place.put("x/good.empty.json", MARKER)
    recorded, _ = read_recorded(place.bucket, "x")
    assert [each.base for each in recorded][-1] == "good"
    assert "claimed" not in {each.base for each in recorded}
    due = list_due_markers(place.bucket, "x", NOW)
    assert due[-1].base == "good"
    assert 10 < len(recorded) < times_as_many(CASES)
    assert 10 < len(due) < times_as_many(CASES)
    json.dumps([marker.to_fields() for marker in due])
    assert (
        caplog.text.count("files below s3://bucket that are not in the format of this package") == 2
    )
    assert " x/0.tif.json, x/1.tif.json, " in caplog.text
    assert " x/0.empty.json, x/1.empty.json, " in caplog.text


def test_where_a_download_is_comes_from_the_key_alone(place: Place) -> None:
    place.put("s2/scene.empty.json", {**MARKER, "prefix": "other/place", "base": "../../evil"})
    place.put("s2/scene.tif.json", {**ITEM, "id": "../../evil"})
    (marker,) = list_due_markers(place.bucket, "", NOW)
    fields = marker.to_fields()
    assert (fields["s3_prefix"], fields["source"]["name"]) == ("s2", "scene")
    ((recorded,), _) = read_recorded(place.bucket, "")
    assert (recorded.prefix, recorded.base, recorded.item_key) == (
        "s2", "scene", "s2/scene.tif.json",
    )  # fmt: skip


@pytest.mark.parametrize(
    "folder", ["/", "a//b/", "a/../b/", "./", "{{ x }}/", "a\x00/", "{% x %}/"]
)
def test_a_key_that_no_download_has_is_skipped(
    place: Place, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    place.put(f"{folder}scene.empty.json", MARKER)
    place.put(f"{folder}scene.tif.json", ITEM)
    assert list_due_markers(place.bucket, "", NOW) == []
    assert read_recorded(place.bucket, "") == ([], 0)
    assert caplog.text.count("Skipped") == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recheck_after", "2026-01-08T00:00:00"),
        ("looked_at", "today"),
        ("looks", 0),
        ("looks", 10**30),
        ("kind", "another"),
        ("image", None),
    ],
)
def test_a_marker_with_a_wrong_field_is_skipped(place: Place, field: str, value: Any) -> None:
    place.put("scene.empty.json", {**MARKER, field: value})
    assert list_due_markers(place.bucket, "", NOW) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("datetime", "2021-01-09T18:57:51"),
        ("earthengine:asset_id", "not an id"),
        ("earthengine:asset_id", ["A/scene"]),
        ("earthengine:asset_version", "new"),
        ("earthengine:asset_version", -1),
    ],
)
def test_an_item_with_a_wrong_source_is_skipped(place: Place, field: str, value: Any) -> None:
    place.put("scene.tif.json", {**ITEM, "properties": {**ITEM["properties"], field: value}})
    assert read_recorded(place.bucket, "") == ([], 0)


def test_items_of_every_layout_are_read(place: Place) -> None:
    for suffix in ITEM_SUFFIXES:
        place.put(f"scene{suffix}", ITEM)
    recorded, _ = read_recorded(place.bucket, "")
    assert [each.base for each in recorded] == ["scene"] * 4
