"""A literal that can never be right is an import error of its DAG file, as Airflow shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stack.seaweedfs import SeaweedFS
from tests.integration.conftest import MakeAirflow

pytestmark = pytest.mark.slow

_HEAD = """
from airflow.sdk import DAG, task
from airflow_provider.earthengine.sensors.image_collection import EarthEngineImageCollectionSensor
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

LANDSAT = "projects/demo/assets/landsat7_olinda"
PARAMS = {"bands": ["B1"], "format": "GEO_TIFF"}

with DAG("%s", schedule=None):
"""
WRONG = {
    "one": (
        (
            'EarthEngineToS3Operator(task_id="t", image=LANDSAT, download_params={"scal": 10}, '
            's3_bucket="demo")'
        ),
        "download_params has the unknown key 'scal'; did you mean 'scale'?",
    ),
    "mapped": (
        (
            'EarthEngineToS3Operator.partial(task_id="t", image=LANDSAT, download_params=PARAMS, '
            's3_bucket="demo", layout="coq").expand(s3_prefix=["a", "b"])'
        ),
        "layout is 'coq'; use one of cog, as_served, zip.",
    ),
    "over": (
        (
            'EarthEngineToS3Operator.partial(task_id="t", image=LANDSAT, download_params=PARAMS, '
            's3_bucket="demo").expand(s3_prefix=["a", "../b"])'
        ),
        "s3_prefix is '../b'",
    ),
    "decorated": (
        'task.earthengine_to_s3(download_params=PARAMS, s3_bucket="s3://demo")(print)()',
        "write only the bucket's name, 'demo'",
    ),
    "waiting": (
        'EarthEngineImageCollectionSensor(task_id="t", collection="A/B", min_images=0)',
        "min_images is 0",
    ),
}


def test_airflow_lists_what_can_never_be_right_as_import_errors(
    make_airflow: MakeAirflow, tmp_path: Path
) -> None:
    for name, (line, _) in WRONG.items():
        (tmp_path / f"{name}.py").write_text(f"{_HEAD % name}    {line}\n")
    (tmp_path / "good.py").write_text(
        f"{_HEAD % 'good'}    EarthEngineToS3Operator(\n"
        '        task_id="t", image="{{ params.image }}", download_params=PARAMS,\n'
        '        s3_bucket="{{ params.bucket }}", layout="{{ params.layout }}",\n    )\n'
    )
    airflow = make_airflow(tmp_path)
    listed = airflow.run("dags", "list-import-errors", "--local", "--output", "json")
    text = listed.stdout[listed.stdout.index("[{") :]
    errors = {
        Path(each["filepath"]).stem: each["error"]
        for each in json.JSONDecoder().raw_decode(text)[0]
    }
    assert set(errors) == set(WRONG)
    for name, (_, words) in WRONG.items():
        assert words in errors[name].replace("\\'", "'")


def test_a_mapped_task_that_is_made_wrong_on_a_worker_fails_without_a_retry(
    make_airflow: MakeAirflow, s3: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "late.py").write_text(
        f"{_HEAD % 'late'}"
        "    @task\n    def decide():\n        return [{'layout': 'coq'}]\n\n"
        '    EarthEngineToS3Operator.partial(\n        task_id="t", image=LANDSAT, retries=2,\n'
        f'        download_params=PARAMS, s3_bucket="{bucket}",\n    ).expand_kwargs(decide())\n'
    )
    airflow = make_airflow(tmp_path)
    result = airflow.run("dags", "test", "late", "2026-01-01")
    assert result.returncode != 0
    assert "layout is 'coq'; use one of cog" in result.stdout.replace("\\'", "'")
    assert "up_for_retry" not in result.stdout.lower()
    assert "Contents" not in s3.client().list_objects_v2(Bucket=bucket)
