"""A watcher in a real event loop, over a socket: what it announces, remembers and shares."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import Asset, AssetWatcher
from airflow.triggers.base import BaseEventTrigger

from airflow_provider.earthengine.emulator.faults import ArmedFault, Latency, Status
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.triggers import image_watch, shared_polls
from airflow_provider.earthengine.triggers.image_collection import (
    EarthEngineImageCollectionTrigger,
)
from tests.integration.series import COLLECTION, CORNER, collection, day, lonlat_box

PAST = "2021-02-01T00:00:00Z"
COMPUTE = "value:compute"
REGION = lonlat_box(CORNER[0] + 50, CORNER[1] - 80, CORNER[0] + 150, CORNER[1] - 20)
WATCHED: dict[str, Any] = {
    "collection": COLLECTION,
    "start": day(0),
    "end": day(10),
    "poll_seconds": 0.05,
}


@pytest.fixture(autouse=True)
def series(emulator: Emulator, earthengine_default: str) -> Iterator[Emulator]:
    with emulator.restored_assets():
        emulator.put_asset(collection(count=2))
        emulator.clear_requests()
        yield emulator


class Accessor:
    """What a trigger sees of Airflow's store for one asset; the real one asks the supervisor."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.kept.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = json.loads(json.dumps(value))


class Accessors:
    """Those of a trigger's assets, held as Airflow 3.3 holds them."""

    def __init__(self, *accessors: Accessor) -> None:
        self._by_name = {f"asset{number}": each for number, each in enumerate(accessors)}
        self._by_uri: dict[str, Accessor] = {}


def watcher(*stores: Accessor, **changes: Any) -> AsyncIterator[str]:
    """Yield the name of each image that a watcher announces."""
    trigger = EarthEngineImageCollectionTrigger(**{**WATCHED, **changes})
    trigger.asset_state_store = Accessors(*stores) if stores else None

    async def names() -> AsyncIterator[str]:
        async for event in trigger.run():
            for image in event.payload["images"]:
                yield image["asset_id"].rpartition("/")[2][:8]

    return names()


async def next_of(announced: AsyncIterator[str]) -> str:
    return await asyncio.wait_for(anext(announced), 30)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - the server has threads, no loop
            await asyncio.sleep(0.01)


async def all_of(series: Emulator, announced: AsyncIterator[str], count: int) -> list[str]:
    """Return so many names, and those that a few more looks announce."""
    names = [await next_of(announced) for _ in range(count)]
    more = asyncio.create_task(next_of(announced))
    looks = series.counts().get(COMPUTE, 0)
    await until(lambda: more.done() or series.counts().get(COMPUTE, 0) >= looks + 4)
    if more.done():
        return [*names, more.result()]
    more.cancel()
    await asyncio.gather(more, return_exceptions=True)
    return names


async def look_first(store: Accessor, **changes: Any) -> None:
    """Let a watcher have a first look, and die."""
    task = asyncio.create_task(next_of(watcher(store, **changes)))
    await until(lambda: bool(store.kept))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


def test_it_announces_what_comes_and_what_is_reprocessed_but_not_what_was_there(
    series: Emulator,
) -> None:
    async def test() -> None:
        store = Accessor()
        announced = watcher(store)
        first = asyncio.create_task(next_of(announced))
        await until(lambda: bool(store.kept) and series.counts()[COMPUTE] >= 3)
        series.put_asset(collection(count=3))
        assert await first == "20210103"
        reprocessed = [{"image": 0, "visible_from": PAST}]
        series.put_asset(collection(count=3, reprocessed=reprocessed))
        assert await all_of(series, announced, 1) == ["20210101"]

    run(test)


def test_the_extra_is_json_with_a_key_that_is_the_same_each_time() -> None:
    async def test() -> None:
        payloads = []
        for _ in range(2):
            trigger = EarthEngineImageCollectionTrigger(**WATCHED, since="1970-01-01")
            trigger.asset_state_store = Accessors(Accessor())
            event = await asyncio.wait_for(anext(trigger.run()), 30)
            payloads.append(json.loads(json.dumps(event.payload)))
        assert payloads[0] == payloads[1]
        # One event for all images of a look.
        assert len(payloads[0]["images"]) == 2
        for image in payloads[0]["images"]:
            assert image["key"] == f"{image['asset_id']}@{image['version']}"
            pair = [image["asset_id"], image["version"]]
            assert image["download"]["source"]["images"] == [pair]

    run(test)


def test_the_region_and_the_filters_choose(series: Emulator) -> None:
    series.put_asset(collection(count=4, image_properties={"CLOUDS": [0, 50]}))

    async def test() -> None:
        clear = watcher(Accessor(), since="1970-01-01", filters={"CLOUDS": {"lt": 20}})
        assert await all_of(series, clear, 2) == ["20210101", "20210103"]
        here = watcher(Accessor(), since="1970-01-01", region=REGION)
        assert len(await all_of(series, here, 4)) == 4
        elsewhere = watcher(Accessor(), since="1970-01-01", region=[5, 43, 5.1, 43.1])
        assert await all_of(series, elsewhere, 0) == []

    run(test)


def test_another_triggerer_announces_what_came_in_between_and_nothing_again(
    series: Emulator,
) -> None:
    store = Accessor()

    async def go_on() -> None:
        assert await all_of(series, watcher(store), 1) == ["20210103"]
        assert await all_of(series, watcher(store), 0) == []

    run(lambda: look_first(store))
    series.put_asset(collection(count=3))
    run(go_on)


def test_an_event_that_airflow_may_not_have_stored_comes_again(series: Emulator) -> None:
    """The triggerer dies with the event: the memory is of the look before."""
    store = Accessor()

    async def test() -> None:
        await look_first(store)
        series.put_asset(collection(count=3))
        assert await next_of(watcher(store)) == "20210103"
        assert await next_of(watcher(store)) == "20210103"

    run(test)


def test_another_question_has_another_memory(series: Emulator) -> None:
    store = Accessor()

    async def test() -> None:
        await look_first(store)
        other = watcher(store, end=day(9), since="1970-01-01")
        assert len(await all_of(series, other, 2)) == 2
        assert len(store.kept) == 2

    run(test)


def test_assets_that_share_a_trigger_share_what_was_seen(series: Emulator) -> None:
    old, added = Accessor(), Accessor()

    async def test() -> None:
        await look_first(old)
        series.put_asset(collection(count=3))
        assert await all_of(series, watcher(added, old), 1) == ["20210103"]
        assert old.kept == added.kept

    run(test)


def test_without_a_store_what_was_ingested_within_a_day_is_new(
    series: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An hour after they start, at ten o'clock.
    series.put_asset(collection(count=2, hours_late=[1]))

    async def test() -> None:
        assert await all_of(series, watcher(since="1970-01-01"), 0) == []
        age = datetime.now(UTC) - datetime(2021, 1, 2, 5, tzinfo=UTC)
        monkeypatch.setattr(image_watch, "FORGETFUL_SECONDS", age / timedelta(seconds=1))
        for _ in range(2):
            assert await all_of(series, watcher(), 1) == ["20210102"]

    run(test)


def test_watchers_of_the_same_images_share_each_request(series: Emulator) -> None:
    async def test() -> None:
        stores = [Accessor() for _ in range(20)]
        # Watchers that are equal in all are one trigger of Airflow's anyway.
        all_announced = [
            watcher(store, poll_seconds=0.5 + number / 1000) for number, store in enumerate(stores)
        ]
        tasks = [asyncio.create_task(next_of(each)) for each in all_announced]
        await until(lambda: all(store.kept for store in stores))
        assert series.counts()[COMPUTE] == 1
        series.put_asset(collection(count=3))
        assert set(await asyncio.gather(*tasks)) == {"20210103"}
        assert series.counts()[COMPUTE] <= 3

    run(test)


def test_a_watcher_that_is_removed_leaves_the_others_their_request(series: Emulator) -> None:
    async def test(armed: ArmedFault) -> None:
        stores = [Accessor(), Accessor()]
        first, second = (asyncio.create_task(next_of(watcher(each))) for each in stores)
        await until(lambda: not armed.remaining)
        first.cancel()
        await until(lambda: bool(stores[1].kept))
        assert not stores[0].kept
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)

    with series.fault(COMPUTE, Latency(1.0)) as armed:
        run(lambda: test(armed))


def test_refusals_are_not_answered_with_more_requests_and_nothing_is_lost(
    series: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Accessor()

    async def test() -> None:
        await look_first(store)
        series.put_asset(collection(count=3))
        series.clear_requests()
        announced = [watcher(store, poll_seconds=0.05 + n / 1000) for n in range(10)]
        with series.fault(COMPUTE, Status(503), times=2):
            names = await asyncio.gather(*map(next_of, announced))
        assert set(names) == {"20210103"}
        # Two that failed, and the few that were answered.
        assert series.counts()[COMPUTE] <= 6

    policy = shared_polls.RetryPolicy(first_wait_seconds=0.1)
    monkeypatch.setattr(shared_polls, "_POLICY", policy)
    run(test)


def test_a_collection_that_is_missing_is_said_once_and_asked_for_again_later(
    series: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared_polls, "_PERMANENT_SECONDS", 0.5)
    missing = f"{COLLECTION}_to_come"

    async def test() -> None:
        announced = watcher(Accessor(), collection=missing, since="1970-01-01")
        task = asyncio.create_task(next_of(announced))
        await until(lambda: series.counts().get(COMPUTE, 0) == 2)
        said = [each for each in caplog.messages if "does not exist" in each]
        assert len(said) == 1
        assert missing in said[0]
        series.put_asset(collection(missing, count=1))
        assert await task == "20210101"

    run(test)


@pytest.mark.parametrize(
    "wrong",
    [
        {"collection": None},
        {"collection": "{{ params.collection }}"},
        {"poll_seconds": 0},
        {"poll_seconds": "often"},
        {"days": 0},
        {"since": "yesterday"},
        {"start": "2021-02-01", "end": "2021-01-01"},
        {"filters": {"CLOUDS": {"less": 3}}},
        {"region": "everywhere.geojson"},
        {"min_images": 3},
        {"earthengine_conn_id": ""},
    ],
    ids=str,
)
def test_a_field_that_can_never_be_right_is_the_import_error_of_its_dag_file(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(DownloadParamsError, match=next(iter(wrong))) as refused:
        EarthEngineImageCollectionTrigger(**{**WATCHED, **wrong})
    # Airflow's triggerer goes on after a TypeError of a trigger that it makes, and after no other.
    assert isinstance(refused.value, TypeError)


def test_it_comes_back_from_airflows_database_as_it_was() -> None:
    given = EarthEngineImageCollectionTrigger(
        collection="A/B",
        region=(1, 2, 3, 4),
        filters={"TILE": ("10SEG", "11SEG")},
        since=datetime(2021, 1, 9, tzinfo=UTC),
    )
    path, kept = given.serialize()
    assert path == (
        "airflow_provider.earthengine.triggers.image_collection.EarthEngineImageCollectionTrigger"
    )
    again = EarthEngineImageCollectionTrigger(**json.loads(json.dumps(kept)))
    assert again.serialize() == (path, kept)
    # Airflow tells watchers apart by this.
    hashes = {BaseEventTrigger.hash(*each.serialize()) for each in (given, again)}
    assert len(hashes) == 1
    assert AssetWatcher(name="a", trigger=again).trigger is again
    assert Asset("b", watchers=[AssetWatcher(name="a", trigger=given)]).watchers


@pytest.mark.slow
def test_the_triggerer_never_imports_the_client(series: Emulator) -> None:
    program = """
import asyncio, json, sys
from airflow_provider.earthengine.triggers.image_collection import EarthEngineImageCollectionTrigger

class Store:
    async def aget(self, key):
        return None
    async def aset(self, key, value):
        pass

async def first(arguments):
    trigger = EarthEngineImageCollectionTrigger(**arguments)
    trigger.asset_state_store = Store()
    return await anext(trigger.run())

event = asyncio.run(first(json.loads(sys.stdin.read())))
print(event.payload["images"][0]["asset_id"], "ee" in sys.modules, "rasterio" in sys.modules)
"""
    ring = {"type": "Polygon", "coordinates": [[REGION[:2], REGION[2:], [REGION[0], REGION[3]],
                                                REGION[:2]]]}  # fmt: skip
    arguments = {**WATCHED, "since": "1970-01-01", "region": ring}
    ended = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(arguments), text=True,
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.stdout.splitlines()[-1] == f"{COLLECTION}/20210101T1000 False False", ended.stderr
