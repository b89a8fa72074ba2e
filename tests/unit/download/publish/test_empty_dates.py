"""When a marker keeps a download from asking, and what a check that finds nothing writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.destination import IfExists
from airflow_provider.earthengine.download.fields.job import DownloadFields, Job, Worker, read_job
from airflow_provider.earthengine.download.fields.on_empty import ALL_MASKED, NO_PIXELS
from airflow_provider.earthengine.download.publish.empty_dates import (
    check_due,
    remove_marker,
    write_marker,
)
from airflow_provider.earthengine.download.publish.markers import (
    Marker,
    StoredMarker,
    make_marker,
    read_marker,
)
from airflow_provider.earthengine.download.publish.record import Target
from airflow_provider.earthengine.download.publish.standing import look_at_destination
from airflow_provider.earthengine.exceptions import (
    AllMaskedError,
    EmptyImageError,
    ObjectExistsError,
)
from tests.support.memory_s3 import Store, bucket_on

KEY = "a/scene.empty.json"
WORKER = Worker(lambda: None, lambda _: b"", {}, "download", 3, (Path("/none"),))


def job(run: str = "run", worker: Worker = WORKER, **fields: Any) -> Job:
    given = {"image": "A/scene", "download_params": {"format": "GEO_TIFF"}, "s3_bucket": "demo",
             "s3_prefix": "a", "on_empty": "mark", **fields}  # fmt: skip
    return read_job(DownloadFields(**given), run, worker)


class Place:
    """A bucket in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = Store()
        self.bucket = bucket_on(self.store)
        monkeypatch.setattr(self.bucket, "find_out_conditions", lambda _: None)

    def target(self, one: Job) -> Target:
        return Target(self.bucket, one.destination, one.identity)

    def check(self, one: Job) -> StoredMarker | None:
        target = self.target(one)
        return check_due(target, one, look_at_destination(target))

    def write(self, one: Job, error: EmptyImageError, found: StoredMarker | None = None) -> None:
        write_marker(self.target(one), one, found, error)

    def marker(self) -> Marker | None:
        found = read_marker(self.bucket, KEY)
        return found.marker if found else None

    def put(self, one: Job, *, days: float = 7, **other: Any) -> Marker:
        """Put the marker of an earlier run, which is due after so many days."""
        marker = make_marker(one.destination, one.identity, one.image, None, "nothing", days, None)
        marker = replace(marker, generation="earlier", **other)
        self.store.put(KEY, marker.to_json())
        return marker


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(monkeypatch)


def test_where_no_marker_is_the_download_goes_on(place: Place) -> None:
    assert place.check(job()) is None


@pytest.mark.parametrize(
    ("nothing", "error"), [(NO_PIXELS, EmptyImageError), (ALL_MASKED, AllMaskedError)]
)
def test_a_marker_that_is_not_due_ends_the_download_and_says_when_it_will_be(
    nothing: str, error: type[EmptyImageError], place: Place
) -> None:
    marked = job(on_empty={NO_PIXELS: "mark", ALL_MASKED: "mark"})
    marker = place.put(marked, nothing=nothing)
    with pytest.raises(error) as caught:
        place.check(marked)
    assert type(caught.value) is error
    assert caught.value.facts == {"recheck_after": marker.recheck_after.isoformat()}
    assert f"on {marker.looked_at.isoformat()}; " in str(caught.value)
    assert "remove the marker scene.empty.json" in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "days", "other"),
    [
        ({}, -1, {}),
        ({}, 7, {"fingerprint": "v1:another"}),
        ({"if_exists": "replace"}, 7, {}),
        ({"on_empty": "fail"}, 7, {}),
        ({"on_empty": {NO_PIXELS: "mark", ALL_MASKED: "publish"}}, 7, {"nothing": ALL_MASKED}),
        ({"on_empty": {NO_PIXELS: "fail", ALL_MASKED: "mark"}}, 7, {"nothing": NO_PIXELS}),
    ],
    ids=["it is due", "another download's", "replace", "fail", "masked is published", "no pixels"],
)
def test_a_marker_is_not_heeded_but_remembered_where(
    fields: dict[str, Any], days: float, other: dict[str, Any], place: Place
) -> None:
    one = job(**fields)
    marker = place.put(one, days=days, **other)
    found = place.check(one)
    assert found is not None
    assert found.marker == marker


@pytest.mark.parametrize("if_exists", list(IfExists))
def test_another_task_of_the_same_run_may_not_have_written_it(
    if_exists: IfExists, place: Place
) -> None:
    one = job(if_exists=if_exists.value)
    place.put(one)
    marker = place.marker()
    assert marker is not None
    rival = replace(marker, fingerprint="v1:rival", generation="run", task_id="other")
    place.store.put(KEY, rival.to_json())
    with pytest.raises(ObjectExistsError, match=r"s3://bucket/a/scene\.empty\.json"):
        place.check(one)


def test_a_check_that_finds_nothing_writes_who_looked_for_what_and_when_to_look_again(
    place: Place,
) -> None:
    one = job(recheck_days=2)
    place.write(one, EmptyImageError("There is no pixel."))
    marker = place.marker()
    assert marker is not None
    assert marker == Marker(
        one.identity.fingerprint, "scene", "a", "A/scene", None, "There is no pixel.", 1,
        marker.looked_at, marker.looked_at + timedelta(days=2), "run", "download", 3, NO_PIXELS,
    )  # fmt: skip
    assert abs(datetime.now(UTC) - marker.looked_at) < timedelta(minutes=1)


def test_each_look_at_the_same_download_doubles_the_wait_and_another_begins_anew(
    place: Place,
) -> None:
    one = job(recheck_days=2)
    for looks, days in ((1, 2), (2, 4), (3, 8)):
        place.write(one, EmptyImageError("none"), read_marker(place.bucket, KEY))
        marker = place.marker()
        assert marker is not None
        assert (marker.looks, marker.recheck_after - marker.looked_at) == (looks, timedelta(days))
    another = job("another run", download_params={"format": "GEO_TIFF", "scale": 20})
    place.write(another, AllMaskedError("none"), read_marker(place.bucket, KEY))
    marker = place.marker()
    # That they may be all masked is published, not marked.
    assert marker is not None
    assert marker.looks == 3
    place.write(another, EmptyImageError("none"), read_marker(place.bucket, KEY))
    marker = place.marker()
    assert marker is not None
    assert (marker.looks, marker.fingerprint) == (1, another.identity.fingerprint)


def test_pixels_without_a_valid_one_are_marked_as_that(place: Place) -> None:
    place.write(job(on_empty={ALL_MASKED: "mark"}), AllMaskedError("all masked"))
    marker = place.marker()
    assert marker is not None
    assert marker.nothing == ALL_MASKED


@pytest.mark.parametrize("word", ["fail", "skip"])
def test_nothing_is_marked_unless_it_was_asked_for(word: str, place: Place) -> None:
    place.write(job(on_empty=word), EmptyImageError("none"))
    assert place.store.objects == {}


def test_a_marker_written_meanwhile_stays_unless_a_task_of_the_same_run_wrote_it(
    place: Place,
) -> None:
    one = job()
    earlier = place.put(one)
    place.write(one, EmptyImageError("none"))
    assert place.marker() == earlier
    rival = replace(earlier, fingerprint="v1:rival", generation="run", task_id="other")
    place.store.put(KEY, rival.to_json())
    with pytest.raises(ObjectExistsError, match=r"s3://bucket/a/scene\.empty\.json"):
        place.write(one, EmptyImageError("none"))


def test_a_result_removes_the_marker_that_was_listed(place: Place) -> None:
    one = job()
    target = place.target(one)
    remove_marker(target, look_at_destination(target))
    place.put(one)
    standing = look_at_destination(target)
    remove_marker(target, standing)
    assert place.store.objects == {}
