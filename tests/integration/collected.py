"""A series of images a day, downloaded into one STAC Collection by operators inside the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context

ASSET = "projects/demo/assets/day"
CORNER = (600_000, 4_100_000)
GRID = {
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, CORNER[0], 0, -10, CORNER[1]],
    "dimensions": [60, 50],
}
WINDOW = {
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, CORNER[0], 0, -10, CORNER[1]],
    "dimensions": [20, 10],
    "format": "GEO_TIFF",
    "name": "b",
}
FIRST_DAY = datetime(2026, 1, 1, 10, tzinfo=UTC)
SERIES: dict[str, Any] = {"id": "series", "prefix": "series"}
DOCUMENT = "series/collection.json"


@pytest.fixture
def days(emulator: Emulator, connections: object) -> Iterator[None]:
    """Put an image for each of three days into the catalog."""
    with emulator.restored_assets():
        for number in range(3):
            moment = FIRST_DAY + timedelta(days=number)
            emulator.put_asset(
                {
                    "id": f"{ASSET}{number}",
                    "kind": "formula",
                    "bands": [{"id": "b", "dtype": "uint16", **GRID}],
                    "properties": {"system:time_start": int(moment.timestamp() * 1000)},
                }
            )
        yield


def fields_of(bucket: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    """Return the operator's fields of the download of a day."""
    return {
        "image": f"{ASSET}{number}",
        "download_params": WINDOW,
        "s3_bucket": bucket,
        "s3_prefix": f"series/2026-01-0{number + 1}",
        "collection": SERIES,
        **fields,
    }


def download(bucket: str, number: int = 0, run_id: str = "run", **fields: Any) -> dict[str, Any]:
    """Download a day; return the task's XCom."""
    context = task_context(run_id=run_id)
    operator = EarthEngineToS3Operator(task_id="download", **fields_of(bucket, number, **fields))
    operator.execute(context)  # type: ignore[arg-type]  # a stand-in
    xcom: dict[str, Any] = context["ti"].xcom
    return xcom


def read(s3: SeaweedFS, bucket: str, key: str) -> dict[str, Any]:
    content = s3.client().get_object(Bucket=bucket, Key=key)["Body"].read()
    document: dict[str, Any] = json.loads(content)
    return document


def put(s3: SeaweedFS, bucket: str, key: str, content: bytes) -> None:
    s3.client().put_object(Bucket=bucket, Key=key, Body=content)


def links(document: dict[str, Any], rel: str) -> list[str]:
    return [link["href"] for link in document["links"] if link["rel"] == rel]
