"""Whole downloads, observed: what is counted, against the emulator's log."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_provider.earthengine.emulator.faults import Status
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.task.telemetry import STEP_LINE
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID
from tests.support.group_tasks import Group, make_impatient

pytestmark = pytest.mark.slow

TILED: dict[str, Any] = {
    "image": SENTINEL2_ID,
    "download_params": {
        "name": "scene", "bands": ["B3"], "format": "GEO_TIFF", "crs": "EPSG:32610",
        "dimensions": [1024, 1024], "crs_transform": [10, 0, 499980, 0, -10, 4200000],
    },
    # A tile of 512 x 512 pixels, of two bytes and a mask byte each.
    "limits": {"tile_byte_count": 800_000},
}  # fmt: skip
COUNTED = ("requests", "refusals", "byte_count", "tiles", "kept_tiles")


@pytest.fixture
def steps(caplog: pytest.LogCaptureFixture) -> Any:
    """Return a function that gives what the log says of the steps so far."""
    caplog.set_level(logging.INFO)

    def read() -> list[dict[str, Any]]:
        texts = [each.getMessage() for each in caplog.records]
        return [json.loads(text.split(" ", 1)[1]) for text in texts if text.startswith(STEP_LINE)]

    return read


def sums(steps: list[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(step[name] for step in steps) for name in COUNTED}


def run(bucket: str, **changes: Any) -> None:
    fields = {**TILED, **changes}
    operator = EarthEngineToS3Operator(task_id="download", s3_bucket=bucket, **fields)
    operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in


def test_what_the_steps_count_is_what_the_emulator_answered(
    connections: object, bucket: str, emulator: Emulator, steps: Any, monkeypatch: Any
) -> None:
    make_impatient(monkeypatch)
    busy = emulator.fault("thumbnails.getPixels", Status(429), times=1)
    broken = emulator.fault("thumbnails.create", Status(503), times=1)
    with busy, broken:
        run(bucket)
    assert [each["step"] for each in steps()] == ["plan", "fetch", "publish"]
    answered = emulator.requests
    counted = sums(steps())
    assert counted["requests"] == len(answered)
    assert counted["refusals"] == sum(each.status == 429 for each in answered) == 1
    assert (counted["tiles"], counted["kept_tiles"]) == (4, 0)
    assert counted["byte_count"] > 0
    assert steps()[0]["byte_count"] == 0


def test_a_single_request_is_one_tile(
    connections: object, bucket: str, emulator: Emulator, steps: Any
) -> None:
    run(bucket, limits=None)
    assert emulator.counts()["thumbnails.getPixels"] == 1
    assert sums(steps())["tiles"] == 1


def test_a_download_that_is_there_has_no_steps(
    connections: object, bucket: str, emulator: Emulator, steps: Any
) -> None:
    run(bucket, limits=None)
    before = len(steps())
    run(bucket, limits=None)
    assert len(steps()) == before == 3


def test_a_step_that_fails_still_counts(
    connections: object, bucket: str, emulator: Emulator, steps: Any, monkeypatch: Any
) -> None:
    make_impatient(monkeypatch)
    refused = emulator.fault("thumbnails.getPixels", Status(429), times=2)
    with refused, pytest.raises(Exception, match="too many requests"):
        run(bucket, limits=None)
    assert [(each["step"], each["outcome"]) for each in steps()] == [
        ("plan", "done"),
        ("fetch", "failed"),
    ]
    assert sums(steps())["requests"] == len(emulator.requests)
    assert sums(steps())["refusals"] == 2


def test_tiles_of_an_earlier_try_are_counted_apart(
    connections: object, bucket: str, emulator: Emulator, steps: Any, monkeypatch: Any
) -> None:
    make_impatient(monkeypatch)
    limits = {**TILED["limits"], "resume": "always", "max_concurrent_requests": 1}
    lost = emulator.fault("thumbnails.getPixels", Status(503), times=2, skip=2)
    with lost, pytest.raises(Exception, match="the service failed"):
        run(bucket, limits=limits)
    before = len(steps())
    run(bucket, limits=limits)
    again = sums(steps()[before:])
    assert (again["tiles"], again["kept_tiles"]) == (2, 2)


def test_the_tasks_of_a_group_count_their_own(
    connections: object, bucket: str, emulator: Emulator, steps: Any
) -> None:
    group = Group(s3_bucket=bucket, **TILED)
    sections = group.plan()
    for section in sections:
        group.fetch(section)
    group.publish(sections)
    assert [each["step"] for each in steps()] == [
        "plan",
        *(["plan", "fetch"] * len(sections)),
        "plan",
        "publish",
    ]
    assert sums(steps())["requests"] == len(emulator.requests)
    assert sums(steps())["tiles"] == 4


# In the item


def item_of(s3: SeaweedFS, bucket: str, key: str = "scene.tif.json") -> dict[str, Any]:
    body = s3.client().get_object(Bucket=bucket, Key=key)["Body"].read()
    properties: dict[str, Any] = json.loads(body)["properties"]
    return properties


def test_the_item_has_what_the_emulator_answered_before_it_was_written(
    connections: object,
    bucket: str,
    emulator: Emulator,
    s3: SeaweedFS,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_impatient(monkeypatch)
    with emulator.fault("thumbnails.getPixels", Status(429), times=1):
        run(bucket)
    usage = item_of(s3, bucket)["earthengine:usage"]
    assert usage.pop("byte_count") > 0
    assert usage == {
        "requests": len(emulator.requests),
        "refusals": 1,
        "tiles": 4,
        "kept_tiles": 0,
    }


def test_the_item_of_a_group_has_what_its_sections_took(
    connections: object, bucket: str, emulator: Emulator, s3: SeaweedFS
) -> None:
    group = Group(s3_bucket=bucket, **TILED)
    sections = group.plan()
    emulator.clear_requests()
    for section in sections:
        group.fetch(section)
    group.publish(sections)
    usage = item_of(s3, bucket)["earthengine:usage"]
    assert (usage["requests"], usage["tiles"]) == (len(emulator.requests), 4)


def test_a_section_that_did_not_count_leaves_the_sum_out(
    connections: object, bucket: str, emulator: Emulator, s3: SeaweedFS
) -> None:
    group = Group(s3_bucket=bucket, **TILED)
    sections = group.plan()
    for section in sections:
        group.fetch(section)
    client = s3.client()
    listed = client.list_objects_v2(Bucket=bucket, Prefix="earthengine-staging/")["Contents"]
    records = [
        (each["Key"], json.loads(content))
        for each in listed
        for content in [client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()]
        if content.startswith(b'{"kind": "earthengine-section"')
    ]
    key, record = records[0]
    assert record.pop("usage")["tiles"] > 0
    client.put_object(Bucket=bucket, Key=key, Body=json.dumps(record).encode())
    group.publish(sections)
    assert "earthengine:usage" not in item_of(s3, bucket)


@pytest.mark.parametrize("limits", [TILED["limits"], {}])
def test_a_download_has_the_profiles_that_came(
    connections: object, bucket: str, emulator: Emulator, s3: SeaweedFS, limits: dict[str, Any]
) -> None:
    run(bucket, limits={**limits, "profile": True})
    usage = item_of(s3, bucket)["earthengine:usage"]
    given = [each.profile for each in emulator.requests if each.profile]
    assert sorted(usage["profiles"]) == sorted(given)
    operations = {each.operation for each in emulator.requests if each.profile}
    assert operations == {"value:compute", "thumbnails.getPixels"}


def test_the_profiles_of_a_group_are_those_of_its_sections_and_of_its_last_task(
    connections: object, bucket: str, emulator: Emulator, s3: SeaweedFS
) -> None:
    limits = {**TILED["limits"], "profile": "True"}
    group = Group(s3_bucket=bucket, **{**TILED, "limits": limits})
    sections = group.plan()
    emulator.clear_requests()
    for section in sections:
        group.fetch(section)
    group.publish(sections)
    usage = item_of(s3, bucket)["earthengine:usage"]
    given = [each.profile for each in emulator.requests if each.profile]
    assert sorted(usage["profiles"]) == sorted(given)


def test_without_being_asked_nobody_profiles(
    connections: object, bucket: str, emulator: Emulator, s3: SeaweedFS
) -> None:
    run(bucket)
    assert "profiles" not in item_of(s3, bucket)["earthengine:usage"]
    assert not any(each.profile for each in emulator.requests)


@pytest.mark.parametrize("profile", ["sometimes", 2, [True]])
def test_profile_is_true_or_false(
    connections: object, bucket: str, emulator: Emulator, profile: object
) -> None:
    with pytest.raises(Exception, match=r"limits\['profile'\]"):
        run(bucket, limits={"profile": profile})
    assert emulator.requests == []
