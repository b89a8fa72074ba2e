"""Whole downloads from the real Earth Engine into an S3 server of the tests."""

from __future__ import annotations

import hashlib
import json

import pytest
from rasterio.io import MemoryFile

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.live.account import live_account
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID

pytestmark = pytest.mark.live

PARAMS = {
    "name": "scene",
    "bands": ["B3", "B4"],
    "crs": "EPSG:32610",
    "crs_transform": [20, 0, 580980, 0, -20, 4105000],
    "dimensions": [30, 20],
}
NAMES = {
    "GEO_TIFF": ["scene.tif", "scene.tif.json"],
    "ZIPPED_GEO_TIFF": ["scene.tif", "scene.tif.json"],
    "ZIPPED_GEO_TIFF_PER_BAND": ["scene.B3.tif", "scene.B4.tif", "scene.bands.json"],
    "NPY": ["scene.npy", "scene.npy.json"],
}


@pytest.mark.parametrize("file_format", NAMES)
def test_every_prediction_of_a_download_comes_true(
    file_format: str, s3: SeaweedFS, bucket: str, aws_default: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", live_account().airflow_connection)
    operator = EarthEngineToS3Operator(
        task_id="download",
        image=SENTINEL2_ID,
        download_params={**PARAMS, "format": file_format},
        s3_bucket=bucket,
        quicklook=False,
        aws_conn_id=aws_default,
    )
    operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
    client = s3.client()
    contents = {
        each["Key"]: client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
        for each in client.list_objects_v2(Bucket=bucket)["Contents"]
    }
    assert sorted(contents) == NAMES[file_format]
    item = json.loads(contents.pop(NAMES[file_format][-1]))
    assert "earthengine:warnings" not in item["properties"]
    for asset in item["assets"].values():
        content = contents[asset["href"].rsplit("/", 1)[1]]
        assert asset["file:checksum"] == f"1220{hashlib.sha256(content).hexdigest()}"
        if asset["href"].endswith(".tif"):
            with MemoryFile(content) as memory, memory.open() as dataset:
                assert (dataset.width, dataset.height) == (30, 20)
                assert list(dataset.transform)[:6] == PARAMS["crs_transform"]
