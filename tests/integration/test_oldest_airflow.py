"""The lower end of the version ranges: the provider is found there, and the smallest DAG runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import oldest
from stack.bucket import list_keys, read_rasters
from tests.integration.readme import readme_block

if TYPE_CHECKING:
    from stack.airflow import AirflowHome
    from stack.seaweedfs import SeaweedFS
    from tests.integration.conftest import MakeAirflow


@pytest.fixture
def oldest_airflow(tmp_path: Path, bucket: str, make_airflow: MakeAirflow) -> AirflowHome:
    """An AIRFLOW_HOME of the oldest Airflow, with the README's DAG."""
    dag = readme_block("python").replace('s3_bucket="demo"', f's3_bucket="{bucket}"')
    (tmp_path / "santa_cruz.py").write_text(dag)
    return make_airflow(tmp_path, "oldest")


@pytest.mark.slow
def test_the_oldest_airflow_lists_the_provider_and_runs_the_smallest_dag(
    oldest_airflow: AirflowHome, s3: SeaweedFS, bucket: str
) -> None:
    assert oldest.AIRFLOW_VERSION in oldest_airflow.run("version").stdout
    listed = oldest_airflow.run("providers", "list", "--output", "plain").stdout
    assert "airflow-provider-earthengine" in listed
    hooks = oldest_airflow.run("providers", "hooks", "--output", "plain").stdout
    assert "airflow_provider.earthengine.hooks.earthengine.EarthEngineHook" in hooks

    oldest_airflow.test_dag("santa_cruz")
    assert list_keys(s3.client(), bucket) == [
        "sentinel2/santa_cruz.tif",
        "sentinel2/santa_cruz.tif.json",
    ]
    (raster,) = read_rasters(s3.client(), bucket)
    assert (raster.bands, raster.width, raster.height, raster.crs) == (3, 105, 86, "EPSG:32610")
