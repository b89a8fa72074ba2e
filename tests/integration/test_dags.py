"""The example DAGs are cheap to import, and do what they say.

Those of the demo are run in ``test_demo.py``, the reference page's examples in ``test_golden.py``.
"""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
import pytest
from rasterio.io import MemoryFile

from stack.airflow import DAGS_FOLDER
from stack.bucket import list_keys, read_item
from stack.environment import child_environment
from stack.seaweedfs import SeaweedFS
from tests.integration.conftest import MakeAirflow
from tests.support.expected import formula_levels, formula_values, mean_of_2x2

DAG_FILES = sorted(DAGS_FOLDER.glob("*.py"))
HEAVY = ("boto3", "botocore", "ee", "numpy", "pystac", "rasterio", "requests")

# Prints which heavy modules a DAG file brings that `import airflow.sdk` does not bring alone.
_PROBE = """
import runpy, sys
import airflow.sdk
before = set(sys.modules)
runpy.run_path(sys.argv[1])
print(*(name for name in sys.argv[2:] if name in set(sys.modules) - before))
"""


@pytest.mark.slow
@pytest.mark.parametrize("dag_file", DAG_FILES, ids=lambda path: path.stem)
def test_importing_a_dag_file_loads_nothing_heavy(dag_file: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _PROBE, str(dag_file), *HEAVY],
        env=child_environment(tmp_path, {"AIRFLOW_HOME": str(tmp_path)}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().split("\n")[-1] == "", "loaded by this DAG file"


# The grid of the region at 20 m, as its first pixel's corner and its size; and what the catalog
# says of the collection: the classes of SCL, and where the grids of its bands begin.
CORNER, WIDTH, HEIGHT = (581260, 4101800), 105, 86
ORIGIN = (499980, 4200000)
CLASSES = np.array([4, 5, 8, 4, 9, 6, 3, 5])
NODATA = -9999


def expected_ndvi(seeds: range) -> npt.NDArray[np.float64]:
    """Return the median over a collection's images of what is vegetation, soil or water in them.

    :param seeds: the 1-based numbers of the images.
    """
    left, top = (CORNER[0] - ORIGIN[0]) // 20, (ORIGIN[1] - CORNER[1]) // 20
    rows, columns = np.arange(top, top + HEIGHT)[:, np.newaxis], np.arange(left, left + WIDTH)
    fine_rows = np.arange(2 * top, 2 * (top + HEIGHT))[:, np.newaxis]
    fine_columns = np.arange(2 * left, 2 * (left + WIDTH))
    images = []
    for seed in seeds:
        red, infrared = (
            mean_of_2x2(formula_values(band, "uint16", fine_rows, fine_columns, seed)).astype(float)
            for band in (0, 1)
        )
        scene = CLASSES[formula_levels(2, rows, columns, seed) % len(CLASSES)]
        ndvi = (infrared - red) / (infrared + red)
        images.append(np.where((scene >= 4) & (scene <= 6), ndvi, np.nan))
    return np.nanmedian(images, axis=0)


@pytest.mark.slow
def test_the_composite_is_the_last_months_median_of_cloudless_pixels(
    make_airflow: MakeAirflow, s3: SeaweedFS, bucket: str
) -> None:
    conf = {"s3_bucket": bucket, "collection": "projects/demo/assets/s2_daily"}
    make_airflow(DAGS_FOLDER).test_dag("ndvi_composite", "2021-02-01", json.dumps(conf))
    client: Any = s3.client()
    assert list_keys(client, bucket) == ["ndvi/2021-01/ndvi.tif", "ndvi/2021-01/ndvi.tif.json"]
    body = client.get_object(Bucket=bucket, Key="ndvi/2021-01/ndvi.tif")["Body"].read()
    with MemoryFile(body) as file, file.open() as raster:
        assert raster.dtypes == ("float32",)
        assert raster.nodata == NODATA
        assert tuple(raster.transform)[:6] == (20, 0, CORNER[0], 0, -20, CORNER[1])
        # Seven images, the first of January to the 31st.
        np.testing.assert_allclose(raster.read(1), expected_ndvi(range(1, 8)), rtol=1e-6, atol=1e-7)
    item = read_item(client, bucket, "ndvi/2021-01/ndvi.tif.json")
    assert item["assets"]["data"]["bands"][0]["name"] == "ndvi"


def test_a_run_by_hand_takes_the_month_that_it_is_given_and_needs_no_dates() -> None:
    template = runpy.run_path(str(DAGS_FOLDER / "ndvi_composite.py"))["MONTH"]
    assert jinja2.Template(template).render(params={"month": "2021-07"}) == "2021-07"
