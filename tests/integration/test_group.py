"""A raster that a group of tasks fetches in sections is the one that the operator publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import rasterio
from airflow.providers.common.compat.sdk import AirflowFailException
from rio_cogeo.cogeo import cog_validate

from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers import earthengine_to_s3
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID, sentinel2_values
from tests.support.group_tasks import Group

WINDOW = {
    "bands": ["B3", "B4"],
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 499980, 0, -10, 4200000],
    "dimensions": [1300, 2700],
    "name": "scene",
    "format": "GEO_TIFF",
}
# One request has a row of blocks of the raster above: six sections of one row, and less.
ROW = {"tile_byte_count": 1300 * 512 * 6}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    def policy(attempts: int = 2, **fields: Any) -> RetryPolicy:
        return RetryPolicy(attempts=attempts, first_wait_seconds=0.01, **fields)

    monkeypatch.setattr(earthengine_to_s3, "RetryPolicy", policy)


@pytest.fixture
def fields(connections: object, bucket: str) -> dict[str, Any]:
    return {
        "image": SENTINEL2_ID, "download_params": WINDOW, "s3_bucket": bucket,
        "s3_prefix": "a", "limits": ROW,
    }  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_left(s3: SeaweedFS, bucket: str) -> Iterator[None]:
    """Whatever a test leaves, the download's last task has swept."""
    yield
    client = s3.client()
    listed = client.list_objects_v2(Bucket=bucket, Prefix="earthengine-staging")
    assert not listed.get("Contents")
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def operator(**fields: Any) -> tuple[list[str], str]:
    context = task_context()
    fields.pop("section_requests", None)
    task = EarthEngineToS3Operator(task_id="download", **fields)
    return task.execute(context), context["ti"].xcom["item"]  # type: ignore[arg-type]  # a stand-in


def read_json(uri: str, s3: SeaweedFS) -> Any:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return json.loads(s3.client().get_object(Bucket=bucket, Key=key)["Body"].read())


def assert_scene(uri: str) -> None:
    width, height = WINDOW["dimensions"]  # type: ignore[misc]  # It has two.
    with open_raster(uri) as got:
        for index, band in enumerate(("B3", "B4"), start=1):
            wanted = sentinel2_values(band, 0, 0, width, height)
            np.testing.assert_array_equal(got.read(index), wanted)


def test_sections_make_what_the_operator_makes(
    fields: dict[str, Any], s3: SeaweedFS, emulator: Emulator
) -> None:
    group = Group(**fields)
    sections = group.plan()
    assert [each["section"] for each in sections] == [0, 1, 2]
    for section in sections[::-1]:
        group.fetch(section)
    (uri,) = group.publish(sections)
    assert_scene(uri)
    item = read_json(group.context["ti"].xcom["item"], s3)
    (other,), other_item = operator(**{**fields, "s3_prefix": "other"})
    wanted = read_json(other_item, s3)
    print(json.dumps(item, indent=1), json.dumps(wanted, indent=1))
    with open_raster(uri) as got, open_raster(other) as one:
        for level in range(4):
            print(level, one.overviews(1))
        assert got.tags() == one.tags()
