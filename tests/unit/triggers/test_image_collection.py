"""The trigger asks until there are enough images: over a real socket, in a real event loop."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from airflow.serialization.serialized_objects import BaseSerialization

from airflow_provider.earthengine.catalog.waiting import Wait, read_sighting
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.triggers import image_wait
from airflow_provider.earthengine.triggers.image_collection import (
    EarthEngineImageCollectionTrigger,
)
from airflow_provider.earthengine.triggers.image_wait import ImageCollectionWait
from tests.support.service_account import make_key
from tests.unit.hooks.scripted_earthengine import (
    COMPUTE,
    TOKEN,
    Answer,
    ScriptedEarthEngine,
    google_error,
    scripted_earthengine,
)

EXPRESSION = json.dumps({"result": "0", "values": {"0": {"constantValue": "images"}}})
WAIT = {"collection": "A/B", "min_images": 2, "quiet_seconds": 0.0}
# Longer than any test: where it matters, the deadline is a test's own.
LATER = 600.0


@pytest.fixture
def server() -> Iterator[ScriptedEarthEngine]:
    with scripted_earthengine() as running:
        yield running


@pytest.fixture(autouse=True)
def connection(server: ScriptedEarthEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"project": "demo", "endpoint_url": server.url, "auth": "anonymous"}
    text = json.dumps({"conn_type": "earthengine", "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_SCRIPTED", text)


def make_trigger(**arguments: Any) -> EarthEngineImageCollectionTrigger:
    usual = {
        "expression": EXPRESSION,
        "wait": WAIT,
        "poll_seconds": 0.01,
        "deadline": time.time() + LATER,
        "earthengine_conn_id": "scripted",
    }
    return EarthEngineImageCollectionTrigger(**{**usual, **arguments})


async def first_event(trigger: EarthEngineImageCollectionTrigger) -> dict[str, Any]:
    events = [event async for event in trigger.run()]
    (event,) = events
    payload: dict[str, Any] = event.payload
    return payload


def fire(**arguments: Any) -> dict[str, Any]:
    return asyncio.run(first_event(make_trigger(**arguments)))


def images(count: int, version: int = 1_700_000_000_000_000) -> Answer:
    """Return how many images there are, and the versions of the oldest and the newest."""
    versions = {"min": version, "max": version} if count else {"min": None, "max": None}
    return Answer(body={"result": [count, versions]})


def test_it_fires_when_there_are_enough_images(server: ScriptedEarthEngine) -> None:
    server.answer(COMPUTE, images(0), images(1), images(2))
    event = fire()
    assert (event["status"], event["image_count"]) == ("found", 2)
    assert server.count(COMPUTE) == 3
    assert {path for path, _ in server.paths} == {"/v1/projects/demo/value:compute"}
    assert {body for _, body in server.paths} == {f'{{"expression": {EXPRESSION}}}'}
    assert json.loads(json.dumps(event)) == event


def test_enough_images_have_to_stay_unchanged_for_the_quiet_period(
    server: ScriptedEarthEngine,
) -> None:
    first = [images(2), images(3)]
    server.answer(COMPUTE, *first, *[images(3)] * 1000)
    started = time.time()
    event = fire(wait={**WAIT, "quiet_seconds": 0.5})
    assert (event["status"], event["image_count"]) == ("found", 3)
    assert server.count(COMPUTE) > 3
    # Not a speed: it may not fire before the period is over.
    assert time.time() - started >= 0.5


def test_another_version_of_an_image_ends_its_quiet(server: ScriptedEarthEngine) -> None:
    changing = [images(2, version) for version in range(20)]
    server.answer(COMPUTE, *changing, *[changing[-1]] * 1000)
    event = fire(wait={**WAIT, "quiet_seconds": 0.2})
    assert event["status"] == "found"
    assert server.count(COMPUTE) > 20


def test_a_quiet_period_goes_on_where_the_sensor_saw_the_same_images(
    server: ScriptedEarthEngine,
) -> None:
    """Another triggerer, long after the sensor's check: the period is over with the first look."""
    answer = images(2)
    seen = asdict(read_sighting(answer.body["result"], time.time() - 3600))
    server.answer(COMPUTE, answer)
    event = fire(wait={**WAIT, "quiet_seconds": 3000.0}, seen=seen)
    assert event["status"] == "found"
    assert server.count(COMPUTE) == 1


def test_a_quiet_period_begins_anew_where_the_images_are_others(
    server: ScriptedEarthEngine,
) -> None:
    seen = {"image_count": 2, "latest_update": None, "since": time.time() - 3600}
    server.answer(COMPUTE, *[images(2)] * 1000)
    event = fire(wait={**WAIT, "quiet_seconds": 3000.0}, seen=seen, deadline=time.time() + 0.3)
    assert event["status"] == "timed_out"
    assert "2 of at least 2 images of A/B, which must stay unchanged for 3000 s" in event["message"]


def test_at_the_deadline_it_looks_once_more_and_says_what_there_is(
    server: ScriptedEarthEngine,
) -> None:
    server.answer(COMPUTE, images(1))
    event = fire(poll_seconds=LATER, deadline=time.time() + 0.2)
    assert (event["status"], event["image_count"]) == ("timed_out", 1)
    assert event["message"] == "The wait timed out: found 1 of at least 2 images of A/B."
    assert server.count(COMPUTE) == 1


def test_a_deadline_that_passed_while_no_triggerer_ran_still_gets_a_look(
    server: ScriptedEarthEngine,
) -> None:
    server.answer(COMPUTE, images(2))
    assert fire(deadline=time.time() - 3600)["status"] == "found"


TRANSIENT = {
    "quota": google_error(429, "Too Many Requests", details=[]),
    "rate": google_error(403, "slow", errors=[{"reason": "rateLimitExceeded"}]),
    "aggregations": google_error(400, "Too many concurrent aggregations."),
    "internal": google_error(400, "An internal error has occurred."),
    "unavailable": Answer(503),
    "lost": Answer(0),
    "a page": Answer(200, "<html>sign in</html>"),
    "another": Answer(200, {"result": 7}),
}


@pytest.mark.parametrize("answer", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_what_waiting_helps_is_asked_again(
    server: ScriptedEarthEngine, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_waits(monkeypatch)
    server.answer(COMPUTE, *[answer] * 8, images(2))
    assert fire()["status"] == "found"
    assert server.count(COMPUTE) == 9


def without_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make the waits after failures short, and return how long they would have been."""
    bounds: list[float] = []

    def uniform(_low: float, high: float) -> float:
        bounds.append(high)
        return 0.0

    monkeypatch.setattr(image_wait, "_POLICY", RetryPolicy(uniform=uniform))
    return bounds


def test_failures_in_a_row_are_asked_again_more_and_more_patiently(
    server: ScriptedEarthEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = without_waits(monkeypatch)
    server.answer(COMPUTE, *[Answer(503)] * 8, images(1), Answer(503), images(2))
    assert fire()["status"] == "found"
    assert bounds == [1, 2, 4, 8, 16, 32, 60, 60, 1]


def test_a_retry_after_is_honoured(
    server: ScriptedEarthEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_waits(monkeypatch)
    server.answer(COMPUTE, Answer(429, headers={"Retry-After": "1"}), images(2))
    started = time.time()
    assert fire()["status"] == "found"
    assert time.time() - started >= 1


def test_failures_until_the_deadline_are_told(server: ScriptedEarthEngine) -> None:
    server.answer(COMPUTE, Answer(503))
    event = fire(poll_seconds=LATER, deadline=time.time() + 0.1)
    assert (event["status"], event["image_count"]) == ("timed_out", None)
    assert (
        "The last request failed: Earth Engine could not look for images of A/B" in event["message"]
    )


PERMANENT = {
    "RequestRejectedError": google_error(400, "ImageCollection.load: 'A/B' is not one."),
    "AssetNotFoundError": google_error(400, "ImageCollection asset 'A/B' not found."),
    "AccessDeniedError": google_error(403, "no permission"),
}


@pytest.mark.parametrize("name", PERMANENT)
def test_what_waiting_does_not_help_ends_the_wait(server: ScriptedEarthEngine, name: str) -> None:
    server.answer(COMPUTE, PERMANENT[name])
    event = fire()
    assert (event["status"], event["error"]) == ("failed", name)
    assert event["message"].startswith("Earth Engine could not look for images of A/B")
    assert server.count(COMPUTE) == 1


def test_a_connection_that_does_not_exist_is_named() -> None:
    event = fire(earthengine_conn_id="nowhere")
    assert (event["status"], event["error"]) == ("failed", "ConnectionConfigError")
    assert event["message"] == "The connection 'nowhere' does not exist; create it."


def test_a_connection_that_cannot_be_used_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"endpoint_url": "http://example.com", "project": "demo"}
    text = json.dumps({"conn_type": "earthengine", "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_SCRIPTED", text)
    event = fire()
    assert (event["status"], event["error"]) == ("failed", "ConnectionConfigError")
    assert "http:// on another machine" in event["message"]


def test_it_asks_with_a_token_and_keeps_it(
    server: ScriptedEarthEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {**make_key("")[0], "token_uri": f"{server.url}/{TOKEN}"}
    extra = {"project": "demo", "endpoint_url": server.url, "keyfile_dict": key}
    text = json.dumps({"conn_type": "earthengine", "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_SCRIPTED", text)
    server.answer(COMPUTE, images(0), images(0), images(2))
    trigger = make_trigger()
    assert asyncio.run(first_event(trigger))["status"] == "found"
    assert server.bearers(COMPUTE) == ["Bearer ya29.of-token"] * 3
    assert server.count(TOKEN) == 1
    assert all(
        headers["x-goog-user-project"] == "demo"
        for what, headers in server.requests
        if what == COMPUTE
    )
    # What Airflow keeps of it holds no secret.
    kept = json.dumps(trigger.serialize())
    assert "PRIVATE KEY" not in kept
    assert "ya29" not in kept


def test_it_comes_back_from_airflows_database_as_it_was(server: ScriptedEarthEngine) -> None:
    seen = {"image_count": 1, "latest_update": "2021-01-09T19:00:00+00:00", "since": 5.0}
    path, arguments = make_trigger(seen=seen).serialize()
    kept = BaseSerialization.deserialize(
        json.loads(json.dumps(BaseSerialization.serialize(arguments)))
    )
    assert kept == arguments
    module, _, name = path.rpartition(".")
    assert getattr(sys.modules[module], name) is EarthEngineImageCollectionTrigger
    again = EarthEngineImageCollectionTrigger(**kept)
    assert again.serialize() == (path, arguments)
    assert len(json.dumps(arguments)) < len(EXPRESSION) + 500
    server.answer(COMPUTE, images(2))
    assert asyncio.run(first_event(again))["status"] == "found"


def test_arguments_that_an_older_version_did_not_know_have_defaults(
    server: ScriptedEarthEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = make_trigger().serialize()[1]
    monkeypatch.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", '{"conn_type": "earthengine"}')
    for name in ("seen", "version"):
        del arguments[name]
    arguments["wait"] = {key: each for key, each in WAIT.items() if key != "quiet_seconds"}
    server.answer(COMPUTE, images(2))
    again = EarthEngineImageCollectionTrigger(**arguments)
    assert asyncio.run(first_event(again))["status"] == "found"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"collection_id": "A/B"}, "unknown: collection_id"),
        ({"version": 2}, "version 2"),
        ({"expression": ""}, "version 1"),
        ({"wait": None}, "collection"),
        ({"wait": {**WAIT, "cloud": 10}}, "cloud"),
        ({"seen": {"images": 3}}, "images"),
    ],
)
def test_arguments_that_are_not_understood_say_what_to_do(
    server: ScriptedEarthEngine, change: dict[str, Any], problem: str
) -> None:
    event = fire(**change)
    assert event["status"] == "failed"
    assert problem in event["message"]
    assert event["message"].endswith("clear the task to start the wait again.")
    assert server.count(COMPUTE) == 0


def test_a_triggerer_that_stops_is_not_held_up_by_a_question(server: ScriptedEarthEngine) -> None:
    held = threading.Event()
    server.answer(COMPUTE, Answer(body={"result": [0, {}]}, after=held))

    async def stop_while_asking() -> None:
        task = asyncio.create_task(first_event(make_trigger()))
        while server.count(COMPUTE) == 0:  # noqa: ASYNC110 - the server has threads, no loop
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop_while_asking())
    # asyncio.run has waited for the thread; the answer was never given.
    assert not held.is_set()
    held.set()


def test_polls_keep_apart() -> None:
    wait = ImageCollectionWait(poll_seconds=100)
    pauses = {wait._pause(Wait("A/B", 1), None) for _ in range(50)}
    assert len(pauses) == 50
    assert 75 <= min(pauses) < 95
    assert 105 < max(pauses) <= 125


@pytest.mark.slow
def test_the_triggerer_never_imports_the_client(server: ScriptedEarthEngine) -> None:
    program = """
import asyncio, json, sys
from airflow_provider.earthengine.triggers.image_collection import EarthEngineImageCollectionTrigger

async def run(arguments):
    return [event.payload async for event in EarthEngineImageCollectionTrigger(**arguments).run()]

(event,) = asyncio.run(run(json.loads(sys.stdin.read())))
print(event["status"], "ee" in sys.modules, "rasterio" in sys.modules)
"""
    server.answer(COMPUTE, Answer(503), images(2))
    run = run_program(program, json.dumps(make_trigger().serialize()[1]))
    assert run.stdout.splitlines()[-1] == "found False False", run.stderr


def run_program(program: str, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], input=text, capture_output=True, text=True, timeout=120
    )
