"""A fleet of downloads under one quota: a pool bounds what is asked at once, and no task fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.emulator.access.quotas import Quotas
from airflow_provider.earthengine.emulator.faults import Latency, Status
from airflow_provider.earthengine.emulator.server import Emulator, serve
from stack.bucket import list_keys
from stack.emulator import CATALOG_FOLDER, earthengine_connection
from stack.seaweedfs import SeaweedFS
from tests.distributed.airflow_stack import Stack
from tests.distributed.conftest import FLEET_COUNT, POOLS, PutCollection
from tests.reliability.forked_attempts import Attempt, Outcome

pytestmark = [
    pytest.mark.slow,
    # They share one scheduled Airflow.
    pytest.mark.xdist_group("distributed"),
]

SLOTS_OF_THE_PROJECT = 40
DOWNLOADS = 200
DOWNLOADS_PER_WAVE = 20
# One fewer than a request has tries: nobody can meet one at each of them, whoever meets which.
MOST_REFUSALS = RetryPolicy().attempts - 1
REQUESTS_PER_TASK = 4
FIELDS: dict[str, Any] = {
    "image": "projects/demo/assets/landsat7_olinda",
    "download_params": {"bands": ["B1"], "name": "scene", "format": "GEO_TIFF"},
    "layout": "as_served",
    "limits": {"max_concurrent_requests": REQUESTS_PER_TASK},
}


@pytest.fixture
def quota(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A project with forty slots, which ``earthengine_default`` asks."""
    quotas = Quotas(concurrent_requests=SLOTS_OF_THE_PROJECT)
    with serve(catalog=CATALOG_FOLDER, project="demo", quotas=quotas) as emulator:
        connection = earthengine_connection(emulator.url, "demo")
        monkeypatch.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", connection)
        yield emulator


@pytest.mark.usefixtures("aws_default")
def test_two_hundred_downloads_fit_a_project_of_forty_slots(
    quota: Emulator, s3: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    """As many processes as a pool would have slots, each a real operator with its own session."""
    pool_slots = SLOTS_OF_THE_PROJECT // REQUESTS_PER_TASK

    def download(number: int) -> Outcome:
        fields = {**FIELDS, "s3_bucket": bucket, "s3_prefix": f"fleet/{number:03}"}
        return Attempt(fields, tmp_path).wait(600)

    outcomes: list[Outcome] = []
    with (
        # So long that a whole pool of them waits at the same time.
        quota.fault("value:compute", Latency(10), times=pool_slots),
        ThreadPoolExecutor(pool_slots) as pool,
    ):
        for first in range(0, DOWNLOADS, DOWNLOADS_PER_WAVE):
            with quota.fault("thumbnails.create", Status(429), times=MOST_REFUSALS):
                outcomes += pool.map(download, range(first, first + DOWNLOADS_PER_WAVE))

    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert all(outcome.uris for outcome in outcomes)
    assert 1 < quota.most_at_once <= pool_slots * REQUESTS_PER_TASK
    statuses = Counter(request.status for request in quota.requests)
    assert statuses[429] == MOST_REFUSALS * (DOWNLOADS // DOWNLOADS_PER_WAVE)
    assert len(list_keys(s3.client(), bucket)) == 2 * DOWNLOADS


def test_a_pool_of_airflow_bounds_what_mapped_tasks_ask_at_once(
    stack: Stack, put_collection: PutCollection
) -> None:
    put_collection("scenes", start="2021-01-05T10:00:00Z", step_days=45, count=8, index="%Y%m%d")
    stack.forget_requests()
    with (
        stack.emulator.fault("thumbnails.create", Status(429), times=MOST_REFUSALS),
        # While they wait for it, more tasks than the pool has slots would show.
        stack.emulator.fault("value:compute", Latency(1), times=FLEET_COUNT),
    ):
        run = stack.run("fleet")
    assert stack.states_of_tasks(run) == {("download", "success"): FLEET_COUNT}
    instances = stack.api.ask("GET", f"{run}/taskInstances?limit=100")["task_instances"]
    assert {each["try_number"] for each in instances} == {1}
    assert 1 < stack.emulator.most_at_once <= POOLS["earthengine"] * REQUESTS_PER_TASK
