"""What the real service answered to the reference page's examples, published byte for byte.

The five examples run as tasks of a real Airflow, against an emulator whose scene holds the pixels
of the real answers. EARTHENGINE_GOLDEN_FILES names the folder that holds them; without it these
tests are skipped.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ee
import numpy as np
import pytest

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.airflow import airflow_home
from stack.bucket import list_keys, read_item, recorded_sha256
from stack.emulator import Emulator
from stack.emulator import emulator as emulator_process
from stack.seaweedfs import SeaweedFS
from tests.emulator import test_golden as golden_answers
from tests.emulator.official_client import (
    Tiff,
    download,
    initialised,
    members,
    same_bytes_but_times,
)
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID

BANDS = ["B3", "B8", "B11"]
REGION = [-122.0859, 37.0436, -122.0626, 37.0586]
CUSTOM = [{"id": "B3", "scale": 10}, {"id": "B8", "scale": 10}, {"id": "B11", "scale": 20}]
SCENE = SENTINEL2_ID.rsplit("/", 1)[-1]
# The zips of the examples, with their parameters.
ZIPS: dict[str, dict[str, Any]] = {
    "single_band": {"bands": BANDS},
    "multi_band": {"bands": BANDS, "scale": 20, "filePerBand": False},
    "custom_single_band": {"bands": CUSTOM},
}

golden_catalog = golden_answers.golden_catalog
pytestmark = [golden_answers.pytestmark, golden_answers.needs_zlib]


@pytest.fixture(scope="module")
def earth_engine(
    golden_catalog: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    """An emulator as a process, whose scene holds the pixels of the real answers."""
    with emulator_process(tmp_path_factory.mktemp("emulator"), catalog=golden_catalog) as running:
        yield running


@pytest.fixture
def golden_connections(
    earth_engine: Emulator, aws_default: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", earth_engine.airflow_connection)


def real_objects() -> dict[str, bytes]:
    """Return what must be in the bucket, by key, but for the array."""
    served = {
        name: content
        for archive in ZIPS
        for name, content in members(golden_answers.golden(f"{archive}.zip")).items()
    }
    return {**served, f"{SCENE}.tif": golden_answers.golden("multi_band.tif")}


@pytest.mark.slow
def test_the_five_examples_publish_the_real_bytes_through_airflow(
    earth_engine: Emulator, s3: SeaweedFS, bucket: str, migrated_file: Path
) -> None:
    connections = {
        "earthengine_default": earth_engine.airflow_connection,
        "aws_default": s3.airflow_connection,
    }
    with airflow_home(connections=connections, migrated_file=migrated_file) as airflow:
        log = airflow.test_dag("getdownloadid_examples", conf=json.dumps({"s3_bucket": bucket}))
    assert "B11: uint16, 105 x 86 px" in log

    client = s3.client()
    objects = {
        key.removeprefix("examples/"): client.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in list_keys(client, bucket)
        if not key.endswith(".json")
    }
    array = np.load(io.BytesIO(objects.pop(f"{SCENE}.npy")), allow_pickle=False)
    assert objects == real_objects()
    assert array.dtype == np.dtype([(band, "<u2") for band in BANDS])
    real = Tiff(golden_answers.golden("multi_band.tif"))
    for band, pixels in zip(BANDS, real.bands, strict=True):
        np.testing.assert_array_equal(array[band], pixels)
    assert_items_name_the_objects(client, bucket)


def assert_items_name_the_objects(client: Any, bucket: str) -> None:
    keys = list_keys(client, bucket)
    items = [read_item(client, bucket, key) for key in keys if key.endswith(".json")]
    assert len(items) == 5
    named = [
        asset for item in items for asset in item["assets"].values() if asset["roles"] == ["data"]
    ]
    assert {asset["href"] for asset in named} == {
        f"s3://{bucket}/{key}" for key in keys if not key.endswith(".json")
    }
    assert all(len(recorded_sha256(asset)) == 64 for asset in named)
    assert not any("earthengine:warnings" in item["properties"] for item in items)


@pytest.mark.slow
@pytest.mark.parametrize("name", ZIPS)
@pytest.mark.usefixtures("golden_connections")
def test_a_kept_zip_is_the_real_one_but_for_its_times(
    name: str, s3: SeaweedFS, bucket: str
) -> None:
    operator = EarthEngineToS3Operator(
        task_id="download",
        image=SENTINEL2_ID,
        download_params={"name": name, "region": REGION, **ZIPS[name]},
        layout="zip",
        s3_bucket=bucket,
    )
    assert operator.execute(task_context()) == [  # type: ignore[arg-type]  # a stand-in
        f"s3://{bucket}/{name}.zip"
    ]
    stored = s3.client().get_object(Bucket=bucket, Key=f"{name}.zip")["Body"].read()
    assert zipfile.ZipFile(io.BytesIO(stored)).testzip() is None
    real = golden_answers.golden(f"{name}.zip")
    assert same_bytes_but_times(stored) == same_bytes_but_times(real)


@pytest.mark.slow
def test_the_official_client_gets_the_same_bytes_of_the_same_emulator(
    earth_engine: Emulator,
) -> None:
    with initialised(earth_engine.url):
        scene = {
            "image": ee.Image(SENTINEL2_ID),
            "region": ee.Geometry.BBox(*REGION),
        }
        got = {
            member: content
            for name, params in ZIPS.items()
            for member, content in members(download(name=name, **scene, **params)).items()
        }
        got[f"{SCENE}.tif"] = download(bands=BANDS, scale=20, format="GEO_TIFF", **scene)
    assert got == real_objects()
