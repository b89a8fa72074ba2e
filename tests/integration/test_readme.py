"""The first screen of the README does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack.bucket import list_keys, read_item, read_rasters
from tests.integration.readme import readme_block

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator
    from stack.seaweedfs import SeaweedFS
    from tests.integration.conftest import MakeAirflow


@pytest.mark.slow
def test_the_smallest_dag_leaves_what_the_readme_says(
    tmp_path: Path,
    make_airflow: MakeAirflow,
    s3: SeaweedFS,
    emulator: Emulator,
    bucket: str,
) -> None:
    dag = readme_block("python").replace('s3_bucket="demo"', f's3_bucket="{bucket}"')
    (tmp_path / "santa_cruz.py").write_text(dag)
    airflow = make_airflow(tmp_path)
    airflow.test_dag("santa_cruz")

    client = s3.client()
    assert list_keys(client, bucket) == [
        "sentinel2/santa_cruz.tif",
        "sentinel2/santa_cruz.tif.json",
    ]
    assert read_item(client, bucket, "sentinel2/santa_cruz.tif.json")["type"] == "Feature"
    (raster,) = read_rasters(client, bucket)
    # The size that Earth Engine gives for these parameters.
    assert (raster.bands, raster.width, raster.height, raster.crs) == (3, 105, 86, "EPSG:32610")

    before = emulator.counts()
    assert before["thumbnails.create"] == 1
    airflow.test_dag("santa_cruz")
    assert emulator.counts() == before, "the second run asked Earth Engine something"
