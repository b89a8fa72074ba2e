"""Collections of the emulator for tests of series, and the operators run inside the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pyproj import Transformer

from airflow_provider.earthengine.operators.list_images import EarthEngineListImagesOperator
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from tests.support.airflow_task import task_context

COLLECTION = "projects/demo/assets/series"
# The images: 20 pixels of 10 m by 10.
CORNER = (600_000, 4_100_000)
GRID = {
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, CORNER[0], 0, -10, CORNER[1]],
    "dimensions": [20, 10],
}
PIXELS = {**GRID, "format": "GEO_TIFF"}
START = datetime(2021, 1, 1, 10, tzinfo=UTC)


def collection(asset_id: str = COLLECTION, **series: Any) -> dict[str, Any]:
    """Return the description of a collection with an image a day, ten of them."""
    return {
        "id": asset_id,
        "kind": "collection",
        "bands": [{"id": "b", "dtype": "uint16", **GRID}],
        "series": {
            "start": START.isoformat(),
            "step_days": 1,
            "count": 10,
            "index": "%Y%m%dT%H%M",
            **series,
        },
    }


def lonlat_box(west: float, south: float, east: float, north: float) -> list[float]:
    """Return [west, south, east, north] in degrees, of metres in the collection's CRS."""
    to_degrees = Transformer.from_crs("EPSG:32610", "EPSG:4326", always_xy=True)
    return [*to_degrees.transform(west, south), *to_degrees.transform(east, north)]


def day(number: int) -> str:
    """Return the date of an image by its number."""
    return (START + timedelta(days=number)).date().isoformat()


def list_images(**fields: Any) -> list[dict[str, Any]]:
    """Return what the listing operator returns, for all ten days unless the fields say else."""
    wanted = {"collection": COLLECTION, "start": day(0), "end": day(10), **fields}
    operator = EarthEngineListImagesOperator(task_id="list", **wanted)
    return operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in


def download(bucket: str, fields: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """Download as one mapped task would; return the task's XCom.

    :param facts: of the task instance, for example ``run_id``.
    """
    chosen = {"download_params": PIXELS, "layout": "as_served", "s3_bucket": bucket, **fields}
    context = task_context(**facts)
    EarthEngineToS3Operator(task_id="download", **chosen).execute(context)  # type: ignore[arg-type]  # a stand-in
    xcom: dict[str, Any] = context["ti"].xcom
    return xcom
