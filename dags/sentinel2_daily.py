"""One Sentinel-2 mosaic per day, cropped to a region: image and prefix follow the logical date.

A day without an image is skipped. A scheduled run takes the day that has just ended, a manual run
the day of its date, which is today if it has none. Each mosaic that is published is an event of the
asset ``sentinel2_daily``, which starts the DAG ``sentinel2_statistics``. Run it for a day with

    airflow dags test sentinel2_daily 2021-01-09 --conf '{"s3_bucket": "my-bucket"}'
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from airflow.sdk import Asset, Param, dag
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

if TYPE_CHECKING:
    import ee

AREA = [-122.0859, 37.0436, -122.0626, 37.0586]
# A manual run may have no logical date.
DAY = "{{ (logical_date | default(dag_run.run_after, true)).strftime('%Y-%m-%d') }}"


def mosaic_of_day(collection: str, day: str) -> ee.Image:
    """Return the mosaic of a day's images of the area, the least cloudy on top.

    :param day: for example "2021-01-09", in UTC.
    """
    import ee

    area = ee.Geometry.Rectangle(AREA, "EPSG:4326", False)
    end = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    images = ee.ImageCollection(collection).filterDate(day, end).filterBounds(area)
    mosaic: ee.Image = images.sort("CLOUDY_PIXEL_PERCENTAGE", False).mosaic()
    return mosaic


@dag(
    # A plain cron expression would start at midnight for the day that begins then.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2021, 1, 9, tzinfo=UTC),
    catchup=False,
    params={
        "s3_bucket": Param("demo", type="string", description="An existing bucket"),
        "collection": Param("COPERNICUS/S2_SR_HARMONIZED", type="string"),
    },
    tags=["earthengine"],
    doc_md=__doc__,
)
def sentinel2_daily() -> None:
    EarthEngineToS3Operator(
        task_id="download",
        image=mosaic_of_day,
        image_kwargs={"collection": "{{ params.collection }}", "day": DAY},
        download_params={
            "name": "santa_cruz",
            "bands": ["B3", "B8", "B11"],
            # A mosaic has no grid of its own, so set one.
            "crs": "EPSG:32610",
            "scale": 20,
            "region": AREA,
            "format": "GEO_TIFF",
        },
        on_empty="skip",
        s3_bucket="{{ params.s3_bucket }}",
        s3_prefix=f"sentinel2/{DAY}",
        outlets=[Asset("sentinel2_daily")],
    )


sentinel2_daily()
