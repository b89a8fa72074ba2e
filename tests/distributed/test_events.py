"""Asset events in a whole Airflow: published items start DAGs, and so do new images."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.emulator.server import Emulator
from stack.airflow_api import wait_until
from stack.bucket import list_keys
from stack.emulator import earthengine_connection
from stack.postgres import postgres
from stack.scheduler import scheduled_airflow
from stack.seaweedfs import SeaweedFS
from tests.distributed.airflow_stack import Stack
from tests.integration.series import collection, day
from tests.reliability.s3_proxy import proxy_to

pytestmark = [
    pytest.mark.slow,
    # One whole Airflow at work at a time.
    pytest.mark.xdist_group("distributed"),
    # PostgreSQL's wheel asks platformdirs for a folder that it does not use.
    pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR is not set"),
]

DAGS_FOLDER = Path(__file__).parent / "event_dags"
ANNOUNCED, WATCHED = "projects/demo/assets/announced", "projects/demo/assets/watched"
PAST = "2021-02-01T00:00:00Z"
COMPUTE = "value:compute"


@pytest.fixture(scope="module")
def stack(
    s3: SeaweedFS, _session_emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    bucket = f"events-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=bucket)
    with ExitStack() as parts:
        parts.enter_context(_session_emulator.restored_assets())
        _session_emulator.put_asset(collection(ANNOUNCED, count=3))
        _session_emulator.put_asset(collection(WATCHED, count=2))
        airflow = parts.enter_context(
            scheduled_airflow(
                postgres=parts.enter_context(postgres()),
                connections={
                    "earthengine_default": earthengine_connection(_session_emulator.url, "demo"),
                    "aws_default": s3.airflow_connection,
                },
                log_folder=tmp_path_factory.mktemp("logs"),
                dags_folder=DAGS_FOLDER,
                extra={
                    "EVENTS_BUCKET": bucket,
                    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
                    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
                },
            )
        )
        proxy = parts.enter_context(proxy_to(s3))
        made = Stack(airflow, _session_emulator, proxy, s3.client(), bucket, parts)
        wait_until(lambda: len(made.api.ask("GET", "/api/v2/dags?limit=100")["dags"]) == 6)
        yield made


def events_of(stack: Stack, asset: str) -> list[dict[str, Any]]:
    found = stack.api.ask("GET", "/api/v2/assets/events?limit=100")["asset_events"]
    return [each for each in found if each["name"] == asset]


def ended_runs(stack: Stack, dag_id: str) -> list[dict[str, Any]]:
    """Return the runs of a DAG once all have ended well."""
    runs: list[dict[str, Any]] = []

    def have_ended() -> bool:
        runs[:] = stack.runs(dag_id)
        return bool(runs) and all(run["state"] in ("success", "failed") for run in runs)

    wait_until(have_ended)
    assert {run["state"] for run in runs} == {"success"}
    return runs


def items_seen(stack: Stack, run: dict[str, Any]) -> list[str]:
    path = f"/api/v2/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}"
    entry = f"{path}/taskInstances/items_of_events/xcomEntries/return_value?deserialize=true"
    items: list[str] = stack.api.ask("GET", entry)["value"]
    return items


def test_what_is_published_starts_the_dags_that_wait_for_it_once(stack: Stack) -> None:
    stack.run("publish")
    names = [f"{day(n).replace('-', '')}T1000.tif.json" for n in range(3)]
    items = [f"s3://{stack.bucket}/published/{name}" for name in names]
    again = [f"s3://{stack.bucket}/again/{name}" for name in names]

    wait_until(lambda: len(stack.runs("for_each_date")) == 3)
    runs = ended_runs(stack, "for_each_date")
    assert {run["partition_key"]: items_seen(stack, run) for run in runs} == {
        day(n): [items[n]] for n in range(3)
    }
    (run,) = ended_runs(stack, "for_all_scenes")
    assert items_seen(stack, run) == items
    # A DAG that knows no partitions. Airflow may leave some of the events for the next run.
    seen = [item for run in ended_runs(stack, "for_any_scene") for item in items_seen(stack, run)]
    assert seen
    assert set(seen) <= set(again)
    before = {name: events_of(stack, name) for name in ("scene", "plain_scene", "together")}
    assert {name: len(events) for name, events in before.items()} == {
        "scene": 3, "plain_scene": 3, "together": 1
    }  # fmt: skip
    assert all(event["source_task_id"] == "download" for event in before["scene"])

    # Nothing is new, and so nothing is announced.
    stack.run("publish")
    assert {name: events_of(stack, name) for name in before} == before
    assert len(stack.runs("for_each_date")) == 3


def announced(stack: Stack, asset: str) -> set[str]:
    """Return the days of the images that a watcher announced."""
    images = [each for e in events_of(stack, asset) for each in e["extra"]["payload"]["images"]]
    return {each["asset_id"].removeprefix(f"{WATCHED}/")[:8] for each in images}


def test_new_and_reprocessed_images_start_a_dag_also_after_the_triggerer_died(
    stack: Stack,
) -> None:
    # The watchers' two first looks, and a few more.
    stack.forget_requests()
    started = time.monotonic()
    wait_until(lambda: stack.emulator.counts().get(COMPUTE, 0) >= 8)
    # Two watchers ask once a second, together: alone, each would be done in half the time.
    assert time.monotonic() - started > 6
    assert events_of(stack, "watched") == []

    stack.emulator.put_asset(collection(WATCHED, count=3))
    wait_until(lambda: announced(stack, "watched") == {"20210103"})
    wait_until(lambda: announced(stack, "watched_too") == {"20210103"})
    wait_until(lambda: bool(stack.runs("for_new_images")))
    ended_runs(stack, "for_new_images")
    assert list_keys(stack.client, stack.bucket)[-2:] == [
        "watched/20210103T1000.tif", "watched/20210103T1000.tif.json"
    ]  # fmt: skip
    # Long enough for the memory to be written.
    seen = stack.emulator.counts()[COMPUTE]
    wait_until(lambda: stack.emulator.counts()[COMPUTE] >= seen + 3)

    # While no triggerer runs, an image comes and another is reprocessed.
    stack.airflow.components.pop("triggerer").kill()
    reprocessed = [{"image": 0, "visible_from": PAST}]
    stack.emulator.put_asset(collection(WATCHED, count=4, reprocessed=reprocessed))
    stack.airflow.components["triggerer"] = stack.parts.enter_context(
        stack.airflow.component("triggerer")
    )
    wait_until(lambda: announced(stack, "watched") >= {"20210101", "20210104"})
    assert announced(stack, "watched") == {"20210101", "20210103", "20210104"}

    def are_downloaded() -> bool:
        keys = list_keys(stack.client, stack.bucket)
        return [key[8:16] for key in keys if key.startswith("watched/")] == [
            *["20210101"] * 2, *["20210103"] * 2, *["20210104"] * 2
        ]  # fmt: skip

    wait_until(are_downloaded)
    ended_runs(stack, "for_new_images")
