"""The time of a download is looked at before each wait, not only after it."""

from __future__ import annotations

import time

import pytest

from airflow_provider.earthengine.emulator.faults import Status
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import FetchTimeoutError
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID


def test_no_try_is_waited_for_that_would_come_after_the_end(
    connections: object, bucket: str, emulator: Emulator
) -> None:
    operator = EarthEngineToS3Operator(
        task_id="download",
        image=SENTINEL2_ID,
        s3_bucket=bucket,
        download_params={
            "bands": ["B3"], "format": "GEO_TIFF", "crs": "EPSG:32610", "dimensions": [300, 200],
            "crs_transform": [10, 0, 499980, 0, -10, 4200000],
        },
        limits={
            "tile_byte_count": 60_000, "total_seconds": 20, "max_concurrent_requests": 1,
        },
    )  # fmt: skip
    started = time.monotonic()
    with (
        emulator.fault("thumbnails.getPixels", Status(503, retry_after="50")),
        pytest.raises(FetchTimeoutError, match="not finished within"),
    ):
        operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
    assert time.monotonic() - started < 15
