"""One scheduled Airflow for all of these tests: starting one takes half a minute."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.emulator.server import Emulator
from stack.airflow_api import wait_until
from stack.emulator import earthengine_connection
from stack.postgres import postgres
from stack.scheduler import scheduled_airflow
from stack.seaweedfs import SeaweedFS
from tests.distributed.airflow_stack import Stack
from tests.reliability.s3_proxy import proxy_to

DAGS_FOLDER = Path(__file__).parent / "dags"
DAG_IDS = {"year", "recheck", "scenes", "drift", "fleet", "waiting", "neighbour"}
FLEET_COUNT = 24
POOLS = {"earthengine": 3, "narrow": 1}
_COLLECTION: dict[str, Any] = {
    "kind": "collection",
    "bands": [
        {
            "id": "b",
            "dtype": "uint16",
            "crs": "EPSG:32610",
            "crs_transform": [10, 0, 600_000, 0, -10, 4_100_000],
            "dimensions": [20, 10],
        }
    ],
}

PutCollection = Callable[..., None]


@pytest.fixture(scope="session")
def put_collection(_session_emulator: Emulator) -> PutCollection:
    """Return what makes a collection of the emulator, or replaces it."""

    def put(name: str, **series: Any) -> None:
        description = copy.deepcopy(_COLLECTION)
        _session_emulator.put_asset(
            {**description, "id": f"projects/demo/assets/{name}", "series": series}
        )

    return put


@pytest.fixture(scope="package")
def stack(
    s3: SeaweedFS, _session_emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    bucket = f"series-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=bucket)
    with ExitStack() as parts:
        proxy = parts.enter_context(proxy_to(s3))
        aws = json.loads(s3.airflow_connection)
        aws["extra"]["endpoint_url"] = proxy.url
        airflow = parts.enter_context(
            scheduled_airflow(
                postgres=parts.enter_context(postgres()),
                connections={
                    "earthengine_default": earthengine_connection(_session_emulator.url, "demo"),
                    "aws_default": json.dumps(aws),
                },
                log_folder=tmp_path_factory.mktemp("logs"),
                dags_folder=DAGS_FOLDER,
                extra={
                    "SERIES_BUCKET": bucket,
                    "SERIES_FLEET_COUNT": str(FLEET_COUNT),
                    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                    # More than any pool here: what holds tasks back is the pool.
                    "AIRFLOW__CORE__PARALLELISM": "6",
                    # Another triggerer takes over within seconds.
                    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
                    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
                },
            )
        )
        made = Stack(airflow, _session_emulator, proxy, s3.client(), bucket, parts)
        for name, slots in POOLS.items():
            made.command("pools", "set", name, str(slots), "of a test")
        wait_until(lambda: {dag["dag_id"] for dag in dags_of(made)} >= DAG_IDS)
        yield made


def dags_of(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.api.ask("GET", "/api/v2/dags?limit=100")["dags"]
    return found


@pytest.fixture(autouse=True)
def uncounted(request: pytest.FixtureRequest) -> None:
    """Let each test count from zero."""
    if "stack" in request.fixturenames:
        request.getfixturevalue("stack").forget_requests()
