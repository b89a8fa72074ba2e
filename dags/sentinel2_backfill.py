"""Five years of an area, one mosaic per day: a backfill that costs nothing to run again.

    airflow backfill create --dag-id sentinel2_backfill --from-date 2019-01-01 --to-date 2023-12-31

A date that is already in the bucket takes one read and one listing of the bucket, and no
computation in Earth Engine. A date without an image is marked by ``mosaic.empty.json`` below its
prefix, and not requested again until the marker is due; the second DAG checks due markers weekly.
Once the first is unpaused, it also takes each day that ends.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, dag
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider.earthengine.operators.list_due_markers import (
    EarthEngineListDueMarkersOperator,
)
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

if TYPE_CHECKING:
    import ee

# A pool limits the requests of all tasks together. Create it with
# `airflow pools set earthengine 10 "Downloads from Earth Engine"`, and name it here. The project's
# quota must allow its slots times limits["max_concurrent_requests"].
POOL = os.environ.get("EARTHENGINE_POOL", "default_pool")
AREA = [-122.0859, 37.0436, -122.0626, 37.0586]
PREFIX = "sentinel2_by_day"
# A manual run may have no logical date.
DAY = "(logical_date | default(dag_run.run_after, true))"
DOWNLOAD: dict[str, Any] = {
    "download_params": {
        "bands": ["B4", "B8"],
        "crs": "EPSG:32610",
        "scale": 20,
        "region": AREA,
        "format": "GEO_TIFF",
    },
    # Checked again after two weeks, then after four more, eight more, ...
    "on_empty": "mark",
    "recheck_days": 14,
    "s3_bucket": "{{ params.s3_bucket }}",
    "limits": {"max_concurrent_requests": 4},
    "pool": POOL,
}
PARAMS = {
    "s3_bucket": Param("demo", type="string", description="An existing bucket"),
    "collection": Param("COPERNICUS/S2_SR_HARMONIZED", type="string"),
}


def mosaic_of_day(collection: str, day: str) -> ee.Image:
    """Return the mosaic of a day's images that intersect the area, the last on top.

    :param day: for example "2021-01-09", in UTC.
    """
    import ee

    area = ee.Geometry.Rectangle(AREA, "EPSG:4326", False)
    end = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
    images = ee.ImageCollection(collection).filterDate(day, end).filterBounds(area)
    mosaic: ee.Image = images.sort("system:time_start").mosaic()
    return mosaic


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2019, 1, 1, tzinfo=UTC),
    catchup=False,
    params=PARAMS,
    tags=["earthengine"],
    doc_md=__doc__,
)
def sentinel2_backfill() -> None:
    EarthEngineToS3Operator(
        task_id="download",
        image=mosaic_of_day,
        image_kwargs={"collection": "{{ params.collection }}", "day": f"{{{{ {DAY} | ds }}}}"},
        source={"name": "mosaic"},
        s3_prefix=f"{PREFIX}/{{{{ {DAY}.year }}}}/{{{{ {DAY} | ds }}}}",
        **DOWNLOAD,
    )


@dag(
    schedule="@weekly",
    start_date=datetime(2021, 1, 1, tzinfo=UTC),
    catchup=False,
    params=PARAMS,
    tags=["earthengine"],
    doc_md=__doc__,
)
def sentinel2_recheck() -> None:
    due = EarthEngineListDueMarkersOperator(
        task_id="list_due", s3_bucket="{{ params.s3_bucket }}", s3_prefix=PREFIX
    )
    EarthEngineToS3Operator.partial(
        task_id="look_again", map_index_template="{{ task.s3_prefix }}", **DOWNLOAD
    ).expand_kwargs(due.output)


sentinel2_backfill()
sentinel2_recheck()
