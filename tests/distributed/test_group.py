"""A group's sections on CeleryExecutor's workers, one of which dies in the middle."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from airflow_provider.earthengine.emulator.faults import Latency
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from stack.airflow_api import wait_until
from stack.bucket import list_keys
from stack.celery_workers import broker, celery_settings, celery_worker
from stack.emulator import earthengine_connection
from stack.postgres import postgres
from stack.scheduler import scheduled_airflow
from stack.seaweedfs import SeaweedFS
from tests.distributed.airflow_stack import Stack
from tests.reliability.s3_proxy import proxy_to
from tests.support.expected import formula_values

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("celery"),
    # PostgreSQL's wheel asks platformdirs for a folder that it does not use.
    pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR is not set"),
]

WIDTH, ROWS = 520, 8
HEIGHT = ROWS * 512 - 100
BLOCK_BYTES = 512 * 3
DAGS_FOLDER = Path(__file__).parent / "group_dags"
_ENDED = ("success", "failed")


@pytest.fixture
def stack(s3: SeaweedFS, emulator: Emulator, tmp_path: Path, aws_default: str) -> Iterator[Stack]:
    """A scheduled Airflow that sends tasks to Celery, without a worker yet."""
    bucket = f"group-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=bucket)
    with ExitStack() as parts, emulator.restored_assets():
        band = {"id": "b0", "dtype": "uint16", "crs": "EPSG:32601", "dimensions": [WIDTH, HEIGHT],
                "crs_transform": [10, 0, 500000, 0, -10, 4000000]}  # fmt: skip
        emulator.put_asset(
            {"id": "projects/demo/assets/tall", "kind": "formula", "version": 1, "bands": [band]}
        )
        proxy = parts.enter_context(proxy_to(s3))
        server = parts.enter_context(postgres())
        airflow = parts.enter_context(
            scheduled_airflow(
                postgres=server,
                connections={
                    "earthengine_default": earthengine_connection(emulator.url, "demo"),
                    "aws_default": s3.airflow_connection,
                },
                log_folder=tmp_path,
                dags_folder=DAGS_FOLDER,
                extra={
                    **celery_settings(parts.enter_context(broker()), server),
                    "GROUP_BUCKET": bucket,
                    "GROUP_TILE_BYTE_COUNT": str(WIDTH * BLOCK_BYTES),
                    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                    "AIRFLOW__CORE__PARALLELISM": "8",
                },
            )
        )
        made = Stack(airflow, emulator, proxy, s3.client(), bucket, parts)
        wait_until(lambda: bool(made.api.ask("GET", "/api/v2/dags")["dags"]))
        yield made


def test_a_download_is_completed_though_a_worker_dies_in_the_middle(
    stack: Stack, s3: SeaweedFS
) -> None:
    with (
        celery_worker(stack.airflow, "first", 2) as first,
        celery_worker(stack.airflow, "second", 2) as second,
        stack.emulator.fault("thumbnails.getPixels", Latency(5), times=ROWS),
    ):
        run = stack.api.trigger("shared")

        def all_slots_are_at_work() -> bool:
            return stack.states_of_tasks(run)["download.fetch", "running"] == 4

        wait_until(all_slots_are_at_work)
        first.kill()
        wait_until(lambda: stack.api.state(run) in _ENDED, 300)
        assert second.process.poll() is None
    assert stack.api.state(run) == "success", stack.states_of_tasks(run)
    assert stack.states_of_tasks(run) == {
        ("download.plan", "success"): 1,
        ("download.fetch", "success"): ROWS,
        ("download.publish", "success"): 1,
    }
    tries = [
        each["try_number"]
        for each in stack.api.ask("GET", f"{run}/taskInstances?limit=100")["task_instances"]
    ]
    # What the lost worker was at, and nothing else, was tried again.
    assert 1 <= sum(number > 1 for number in tries) <= 2
    tif, item = list_keys(s3.client(), stack.bucket)
    assert item == f"{tif}.json"
    rows, columns = np.arange(HEIGHT)[:, np.newaxis], np.arange(WIDTH)[np.newaxis, :]
    with open_raster(f"s3://{stack.bucket}/{tif}") as raster:
        np.testing.assert_array_equal(raster.read(1), formula_values(0, "uint16", rows, columns))
