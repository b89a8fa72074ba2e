"""The DAGs of these tests: a year of weeks, its scenes, a fleet, a sensor and its neighbour."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import dag, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider.earthengine.operators.drift import EarthEngineDriftOperator
from airflow_provider.earthengine.operators.list_due_markers import (
    EarthEngineListDueMarkersOperator,
)
from airflow_provider.earthengine.operators.list_images import EarthEngineListImagesOperator
from airflow_provider.earthengine.sensors.image_collection import EarthEngineImageCollectionSensor
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

if TYPE_CHECKING:
    import ee

BUCKET = os.environ["SERIES_BUCKET"]
FLEET_COUNT = int(os.environ["SERIES_FLEET_COUNT"])
START = datetime(2021, 1, 1, tzinfo=UTC)
YEAR = {"start": "2021-01-01", "end": "2022-01-01"}
DOWNLOAD: dict[str, Any] = {
    "download_params": {
        "crs": "EPSG:32610",
        "crs_transform": [10, 0, 600000, 0, -10, 4100000],
        "dimensions": [20, 10],
        "format": "GEO_TIFF",
    },
    "layout": "as_served",
    "s3_bucket": BUCKET,
}
MARKED = {**DOWNLOAD, "on_empty": "mark", "recheck_days": 7}


def mosaic_of_week(start: str, end: str) -> ee.Image:
    import ee

    mosaic: ee.Image = (
        ee.ImageCollection("projects/demo/assets/weekly").filterDate(start, end).mosaic()
    )
    return mosaic


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * 5", timezone="UTC"),
    start_date=START,
    end_date=datetime(2021, 12, 31, tzinfo=UTC),
    catchup=False,
)
def year() -> None:
    EarthEngineToS3Operator(
        task_id="download",
        image=mosaic_of_week,
        image_kwargs={
            "start": "{{ data_interval_start | ds }}",
            "end": "{{ data_interval_end | ds }}",
        },
        s3_prefix="year/{{ data_interval_start | ds }}",
        **MARKED,
    )


@dag(schedule=None, start_date=START)
def recheck() -> None:
    due = EarthEngineListDueMarkersOperator(task_id="list", s3_bucket=BUCKET, s3_prefix="year")
    EarthEngineToS3Operator.partial(task_id="look_again", **MARKED).expand_kwargs(due.output)


SCENES = {"collection": "projects/demo/assets/scenes", "s3_prefix": "scenes", **YEAR}


@dag(schedule=None, start_date=START)
def scenes() -> None:
    listed = EarthEngineListImagesOperator(task_id="list", **SCENES)
    EarthEngineToS3Operator.partial(task_id="download", **DOWNLOAD).expand_kwargs(listed.output)


@dag(schedule=None, start_date=START)
def drift() -> None:
    found = EarthEngineDriftOperator(task_id="compare", s3_bucket=BUCKET, **SCENES)
    EarthEngineToS3Operator.partial(task_id="download", **DOWNLOAD).expand_kwargs(found.output)


@dag(schedule=None, start_date=START)
def fleet() -> None:
    EarthEngineToS3Operator.partial(
        task_id="download",
        pool="earthengine",
        image="projects/demo/assets/scenes/20210105",
        **DOWNLOAD,
    ).expand(s3_prefix=[f"fleet/{number}" for number in range(FLEET_COUNT)])


@dag(schedule=None, start_date=START)
def waiting() -> None:
    EarthEngineImageCollectionSensor(
        task_id="wait",
        pool="narrow",
        collection="projects/demo/assets/awaited",
        min_images=3,
        quiet_period=1,
        poke_interval=1,
        timeout=900,
        **YEAR,
    )


@task(pool="narrow")
def work() -> None:
    """Need the pool's only slot."""


@dag(schedule=None, start_date=START)
def neighbour() -> None:
    work()


year()
recheck()
scenes()
drift()
fleet()
waiting()
neighbour()
