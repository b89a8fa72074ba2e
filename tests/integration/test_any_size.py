"""Downloads of more than one request: whatever the size, the pixels are those of one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.airflow_task import task_context
from tests.expected import SENTINEL2_ID, sentinel2_values

Run = Callable[..., list[str]]
WINDOW = {
    "bands": ["B3", "B4"],
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 499980, 0, -10, 4200000],
    "dimensions": [1500, 1100],
    "name": "scene",
    "format": "GEO_TIFF",
}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where scratch files go; there are none left at the end of any test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.glob("earthengine-*")) == []


@pytest.fixture
def run(connections: object, bucket: str, scratch: Path) -> Run:
    def execute(context: dict[str, Any] | None = None, **changes: Any) -> list[str]:
        fields = {"image": SENTINEL2_ID, "s3_bucket": bucket, "s3_prefix": "a", **changes}
        operator = EarthEngineToS3Operator(task_id="download", **fields)
        uris: list[str] = operator.execute(context or task_context())  # type: ignore[arg-type]  # a stand-in
        return uris

    return execute


def test_a_raster_of_many_tiles_is_the_raster(run: Run, emulator: Emulator) -> None:
    (uri,) = run(download_params=WINDOW, limits={"tile_byte_count": 1 << 20})
    with open_raster(uri) as got:
        assert got.descriptions == ("B3", "B4")
        for index, band in enumerate(("B3", "B4"), start=1):
            np.testing.assert_array_equal(got.read(index), sentinel2_values(band, 0, 0, 1500, 1100))
