"""Waits for an Earth Engine that never answers: they end in time, and hold up nobody else."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider.earthengine.catalog.waiting import Sighting
from airflow_provider.earthengine.exceptions import FetchTimeoutError
from airflow_provider.earthengine.triggers import image_wait
from airflow_provider.earthengine.triggers.image_collection import (
    EarthEngineImageCollectionTrigger,
)
from airflow_provider.earthengine.triggers.request_threads import THREADS, run_request
from tests.unit.hooks.scripted_earthengine import (
    COMPUTE,
    Answer,
    SilentListener,
    scripted_earthengine,
    silent_listener,
)

SENSORS = 500
DEADLINE = 8.0
WAIT = {"collection": "A/B", "min_images": 2, "quiet_seconds": 0.0}


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentListener]:
    """Connection ``silent`` leads to a server that accepts requests and never answers."""
    with silent_listener() as listener:
        connect(monkeypatch, "silent", listener.url)
        yield listener


def connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, url: str) -> None:
    extra = {"project": "demo", "endpoint_url": url, "auth": "anonymous"}
    text = json.dumps({"conn_type": "earthengine", "extra": extra})
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", text)


def make_trigger(
    conn_id: str, seconds: float, seen: dict[str, Any] | None = None
) -> EarthEngineImageCollectionTrigger:
    return EarthEngineImageCollectionTrigger(
        expression="{}",
        wait=WAIT,
        seen=seen,
        poll_seconds=0.01,
        deadline=time.time() + seconds,
        earthengine_conn_id=conn_id,
    )


class AnotherTrigger(BaseTrigger):
    """Somebody else's: it works in the event loop's default threads."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "", {}

    async def run(self) -> Any:
        for _ in range(20):
            await asyncio.to_thread(time.sleep, 0.01)
        yield TriggerEvent(time.monotonic())  # type: ignore[no-untyped-call]  # Airflow's


async def event_of(trigger: BaseTrigger) -> Any:
    (event,) = [event async for event in trigger.run()]
    return event.payload


async def events_of(*triggers: BaseTrigger) -> list[Any]:
    return await asyncio.gather(*map(event_of, triggers))


@pytest.mark.slow
def test_500_waits_for_a_silent_server_end_in_time_and_others_do_not_wait_for_them(
    silent: SilentListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_earthengine() as healthy:
        connect(monkeypatch, "healthy", healthy.url)
        healthy.answer(COMPUTE, Answer(body={"result": [2, {"min": 1, "max": 1}]}))
        started = time.monotonic()
        held = [make_trigger("silent", DEADLINE) for _ in range(SENSORS)]
        *ended, found, other = asyncio.run(
            events_of(*held, make_trigger("healthy", 600.0), AnotherTrigger())
        )
        took = time.monotonic() - started
    assert found["status"] == "found"
    # Not a speed: it would get no thread before their end.
    assert other - started < DEADLINE
    assert {event["status"] for event in ended} == {"timed_out"}
    assert all("no answer" in event["message"] for event in ended)
    assert DEADLINE <= took < 4 * DEADLINE
    assert threads_of("silent") <= THREADS
    # They do not wait for the server any longer.
    assert comes_true(lambda: all(is_closed(sock) for sock in silent.accepted))


def threads_of(conn_id: str) -> int:
    name = f"earthengine-trigger-{conn_id}"
    return sum(thread.name.startswith(name) for thread in threading.enumerate())


def is_closed(accepted: Any) -> bool:
    accepted.settimeout(5)
    while accepted.recv(1 << 16):
        pass
    return True


def comes_true(condition: Any) -> bool:
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_last_look_is_short(silent: SilentListener, monkeypatch: pytest.MonkeyPatch) -> None:
    """The triggerer was away at the deadline; what the sensor saw is still told."""
    assert 0 < image_wait._LAST_LOOK_SECONDS < image_wait._LAST_TURN_SECONDS <= 60
    monkeypatch.setattr(image_wait, "_LAST_LOOK_SECONDS", 0.3)
    trigger = make_trigger("silent", -3600.0, vars(Sighting(1, None, 5.0)))
    started = time.monotonic()
    event = asyncio.run(event_of(trigger))
    assert (event["status"], event["image_count"]) == ("timed_out", 1)
    assert 0.3 <= time.monotonic() - started < 10


def test_a_request_that_waits_for_a_thread_is_not_sent_after_its_time() -> None:
    release, sent = threading.Event(), []

    async def ask() -> None:
        busy = [
            asyncio.create_task(run_request("busy", "wait", 60, release.wait, lambda: None))
            for _ in range(THREADS)
        ]
        await asyncio.sleep(0.1)
        with pytest.raises(FetchTimeoutError, match="could not look: no answer within 0 s"):
            await run_request("busy", "look", 0.2, sent.append, lambda: None)
        release.set()
        await asyncio.gather(*busy)
        assert (
            await run_request("busy", "look", 5, lambda _left: "answer", lambda: None) == "answer"
        )

    asyncio.run(ask())
    assert sent == []


def test_a_requests_own_time_out_is_kept() -> None:
    def send(_left: float) -> None:
        raise FetchTimeoutError("of the request's own")

    with pytest.raises(FetchTimeoutError, match="of the request's own"):
        asyncio.run(run_request("own", "look", 5, send, lambda: None))
