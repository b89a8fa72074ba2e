"""A task's own thread imports the libraries: NumPy's first import may not meet another one's."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from stack.seaweedfs import SeaweedFS
from tests.support.expected import SENTINEL2_ID

PROGRAM = """
import json, sys, threading

class Watch:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            elsewhere.add(name.partition(".")[0])
        in_all.add(name.partition(".")[0])

in_all, elsewhere = set(), set()
sys.meta_path.insert(0, Watch())

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from tests.support.airflow_task import task_context

operator = EarthEngineToS3Operator(task_id="download", **json.loads(sys.argv[1]))
assert operator.execute(task_context())
print(json.dumps([sorted(in_all), sorted(elsewhere)]))
"""
LIBRARIES = {"numpy", "rasterio", "shapely", "pystac", "ee"}


@pytest.mark.slow
def test_no_other_thread_of_a_download_imports_a_library_first(
    connections: object, s3: SeaweedFS, bucket: str
) -> None:
    fields = {
        "image": SENTINEL2_ID,
        "download_params": {
            "bands": ["B3"], "format": "GEO_TIFF", "crs": "EPSG:32610", "dimensions": [30, 20],
            "crs_transform": [10, 0, 499980, 0, -10, 4200000],
        },
        "s3_bucket": bucket,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(fields)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    in_all, elsewhere = map(set, json.loads(done.stdout.splitlines()[-1]))
    assert in_all >= LIBRARIES
    assert not elsewhere & LIBRARIES
