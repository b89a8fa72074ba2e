"""A scheduled Airflow for a group's tasks, and the raster that they download."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from stack.airflow_api import wait_until
from stack.bucket import list_keys
from stack.celery_workers import broker, celery_settings
from stack.emulator import earthengine_connection
from stack.postgres import Postgres, postgres
from stack.scheduler import scheduled_airflow
from stack.seaweedfs import SeaweedFS
from tests.distributed.airflow_stack import Stack
from tests.reliability.s3_proxy import proxy_to
from tests.support.expected import formula_values

_DAGS_FOLDER = Path(__file__).parent / "group_dags"
# Of a pixel beside its samples, as Earth Engine counts.
_MASK_BYTE_COUNT = 1
_SAMPLE_BYTE_COUNT = 2


@dataclass(frozen=True)
class Shared:
    """A raster of uint16 that a group downloads.

    :param width: in pixels.
    :param height: in pixels.
    :param bands: how many.
    :param section_requests: of each section.
    :param tile_byte_count: None for the default.
    """

    width: int
    height: int
    bands: int = 1
    section_requests: int = 1
    tile_byte_count: int | None = None

    @classmethod
    def of_rows(cls, rows: int) -> Shared:
        """Return a narrow raster of so many rows of blocks, each of which is a section."""
        width = 520
        tile_byte_count = width * 512 * (_SAMPLE_BYTE_COUNT + _MASK_BYTE_COUNT)
        return cls(width, rows * 512 - 100, tile_byte_count=tile_byte_count)

    @property
    def description(self) -> dict[str, Any]:
        """What the emulator reads."""
        bands = [
            {"id": f"b{number}", "dtype": "uint16", "crs": "EPSG:32601",
             "dimensions": [self.width, self.height],
             "crs_transform": [10, 0, 500000, 0, -10, 4000000]}
            for number in range(self.bands)
        ]  # fmt: skip
        name = "projects/demo/assets/tall"
        return {"id": name, "kind": "formula", "version": 1, "bands": bands}

    @property
    def fields(self) -> dict[str, Any]:
        """The group's fields that depend on it."""
        limits = {} if self.tile_byte_count is None else {"tile_byte_count": self.tile_byte_count}
        return {"section_requests": self.section_requests, "limits": limits}


@contextmanager
def group_on_celery(
    s3: SeaweedFS, emulator: Emulator, folder: Path, shared: Shared
) -> Iterator[Stack]:
    """Run Airflow with CeleryExecutor, without a worker yet, until the block ends.

    :param folder: gets its logs.
    """
    with broker() as url, postgres() as server:
        settings = {**celery_settings(url, server), "AIRFLOW__CORE__PARALLELISM": "16"}
        with _group(s3, emulator, folder, shared, server, settings) as stack:
            yield stack


@contextmanager
def group_on_local_executor(
    s3: SeaweedFS, emulator: Emulator, folder: Path, shared: Shared
) -> Iterator[Stack]:
    """Run Airflow with LocalExecutor, and no process that it does not need, until the block ends.

    :param folder: gets its logs.
    """
    with postgres() as server:
        needless = ("triggerer", "log-server")
        with _group(s3, emulator, folder, shared, server, {}, without=needless) as stack:
            yield stack


@contextmanager
def _group(
    s3: SeaweedFS, emulator: Emulator, folder: Path, shared: Shared, server: Postgres,
    settings: Mapping[str, str], without: Collection[str] = (),
) -> Iterator[Stack]:  # fmt: skip
    bucket = f"group-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=bucket)
    with ExitStack() as parts:
        parts.enter_context(emulator.restored_assets())
        emulator.put_asset(shared.description)
        proxy = parts.enter_context(proxy_to(s3))
        airflow = parts.enter_context(
            scheduled_airflow(
                postgres=server,
                connections={
                    "earthengine_default": earthengine_connection(emulator.url, "demo"),
                    "aws_default": s3.airflow_connection,
                },
                log_folder=folder,
                dags_folder=_DAGS_FOLDER,
                without=without,
                extra={
                    **settings,
                    "GROUP_BUCKET": bucket,
                    "GROUP_FIELDS": json.dumps(shared.fields),
                    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                },
            )
        )
        made = Stack(airflow, emulator, proxy, s3.client(), bucket, parts)
        wait_until(lambda: bool(made.api.ask("GET", "/api/v2/dags")["dags"]))
        yield made


def assert_published(stack: Stack, shared: Shared) -> None:
    """The one download in the bucket has the pixels of the formula; nothing else is there."""
    tif, item = list_keys(stack.client, stack.bucket)
    assert item == f"{tif}.json"
    lines = np.arange(shared.height)[:, np.newaxis]
    columns = np.arange(shared.width)[np.newaxis, :]
    with open_raster(f"s3://{stack.bucket}/{tif}") as raster:
        for number in range(shared.bands):
            expected = formula_values(number, "uint16", lines, columns)
            np.testing.assert_array_equal(raster.read(number + 1), expected)
