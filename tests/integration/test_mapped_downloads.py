"""Mapped downloads in a real Airflow, newest and oldest: what is listed is expanded as it is.

Airflow renders what it maps over in its own way. Here ids hold what would be a template, and one
that fails if it is ever rendered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider.earthengine.emulator.server import Emulator
from stack.airflow import SQLITE_FILE, AirflowHome
from stack.bucket import list_keys, read_item
from stack.seaweedfs import SeaweedFS
from tests.integration.conftest import MakeAirflow
from tests.integration.series import COLLECTION, PIXELS, collection

TEMPLATE = "{{ nothing.here }}"
PLAIN = "projects/demo/assets/plain"
DAG = f"""
from datetime import UTC, datetime

from airflow.sdk import dag, task

from airflow_provider.earthengine.operators.list_images import EarthEngineListImagesOperator
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator


@task
def flatten(uris):
    found = [uri for each in uris for uri in each]
    print("FLAT", len(found), sorted(found)[0])
    return found


@dag(schedule=None, start_date=datetime(2021, 1, 1, tzinfo=UTC))
def series():
    for by, collection in (("image", "{PLAIN}"), ("date", "{COLLECTION}")):
        listed = EarthEngineListImagesOperator(
            task_id=f"list_by_{{by}}",
            collection=collection,
            start="{{{{ ds }}}}",
            end="{{{{ macros.ds_add(ds, 2) }}}}",
            by=by,
            s3_prefix="{{{{ ds[:4] }}}}/%m",
        )
        downloads = EarthEngineToS3Operator.partial(
            task_id=f"download_by_{{by}}",
            map_index_template="{{{{ task.source.name }}}}",
            download_params={PIXELS!r},
            layout="as_served",
            s3_bucket="BUCKET",
        ).expand_kwargs(listed.output)
        flatten.override(task_id=f"flatten_by_{{by}}")(downloads.output)


series()
"""


@pytest.fixture(params=["newest", "oldest"])
def airflow(
    request: pytest.FixtureRequest, tmp_path: Path, bucket: str, make_airflow: MakeAirflow
) -> AirflowHome:
    (tmp_path / "series.py").write_text(DAG.replace("BUCKET", bucket))
    return make_airflow(tmp_path, request.param)


@pytest.fixture(autouse=True)
def series(emulator: Emulator) -> Iterator[None]:
    with emulator.restored_assets():
        emulator.put_asset(collection(PLAIN))
        emulator.put_asset(collection(index=f"%Y%m%d{TEMPLATE}"))
        yield


@pytest.mark.slow
def test_what_is_listed_is_expanded_as_it_is(
    airflow: AirflowHome, s3: SeaweedFS, bucket: str
) -> None:
    output = airflow.test_dag("series", "2021-01-01")
    names = {
        "image": [f"2021010{number}T1000" for number in (1, 2)],
        "date": [f"2021-01-0{number}" for number in (1, 2)],
    }
    client = s3.client()
    keys = [f"2021/01/{name}.tif" for name in [*names["image"], *names["date"]]]
    assert list_keys(client, bucket) == sorted([*keys, *(f"{key}.json" for key in keys)])
    item = read_item(client, bucket, "2021/01/2021-01-02.tif.json")
    assert item["properties"]["earthengine:source_images"] == [
        {"asset_id": f"{COLLECTION}/20210102{TEMPLATE}", "version": 1}
    ]
    with sqlite3.connect(airflow.folder / SQLITE_FILE) as database:
        rows = database.execute(
            "select task_id, rendered_map_index from task_instance where map_index >= 0"
        ).fetchall()
    for by, wanted in names.items():
        shown = [index for task_id, index in rows if task_id == f"download_by_{by}"]
        assert sorted(shown) == wanted
        assert f"FLAT 2 s3://{bucket}/2021/01/{wanted[0]}.tif" in output
