"""A scheduled Airflow that sends a group's tasks to Celery, and the raster that they download."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from stack.airflow_api import wait_until
from stack.bucket import list_keys
from stack.celery_workers import broker, celery_settings
from stack.emulator import earthengine_connection
from stack.postgres import postgres
from stack.scheduler import scheduled_airflow
from stack.seaweedfs import SeaweedFS
from tests.distributed.airflow_stack import Stack
from tests.reliability.s3_proxy import proxy_to
from tests.support.expected import formula_values

WIDTH = 520
_DAGS_FOLDER = Path(__file__).parent / "group_dags"
# Of a pixel, as Earth Engine counts.
_BYTE_COUNT = 3


def height_of(rows: int) -> int:
    """Return the height of a raster of so many rows of blocks, each of which is a section."""
    return rows * 512 - 100


@contextmanager
def group_on_celery(s3: SeaweedFS, emulator: Emulator, folder: Path, rows: int) -> Iterator[Stack]:
    """Run Airflow without a worker yet until the block ends.

    :param folder: gets its logs.
    :param rows: how many sections the raster has.
    """
    bucket = f"group-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=bucket)
    with ExitStack() as parts:
        parts.enter_context(emulator.restored_assets())
        band = {"id": "b0", "dtype": "uint16", "crs": "EPSG:32601",
                "dimensions": [WIDTH, height_of(rows)],
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
                log_folder=folder,
                dags_folder=_DAGS_FOLDER,
                extra={
                    **celery_settings(parts.enter_context(broker()), server),
                    "GROUP_BUCKET": bucket,
                    "GROUP_TILE_BYTE_COUNT": str(WIDTH * 512 * _BYTE_COUNT),
                    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                    "AIRFLOW__CORE__PARALLELISM": "16",
                },
            )
        )
        made = Stack(airflow, emulator, proxy, s3.client(), bucket, parts)
        wait_until(lambda: bool(made.api.ask("GET", "/api/v2/dags")["dags"]))
        yield made


def assert_published(stack: Stack, rows: int) -> None:
    """The one download in the bucket has the pixels of the formula; nothing else is there."""
    tif, item = list_keys(stack.client, stack.bucket)
    assert item == f"{tif}.json"
    lines, columns = np.arange(height_of(rows))[:, np.newaxis], np.arange(WIDTH)[np.newaxis, :]
    with open_raster(f"s3://{stack.bucket}/{tif}") as raster:
        np.testing.assert_array_equal(raster.read(1), formula_values(0, "uint16", lines, columns))
