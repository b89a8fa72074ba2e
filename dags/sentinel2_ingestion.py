"""Daily Sentinel-2 mosaics of an area, including late and reprocessed images.

Each run lists the last thirty days by date. A date that is already in the bucket costs nothing; a
date with a late image is a different mosaic, which replaces the old one. Images that Earth Engine
has reprocessed since they were downloaded are found by comparing versions. Run it for a date with

    airflow dags test sentinel2_ingestion 2021-02-01 --conf '{"s3_bucket": "my-bucket"}'
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, dag, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider.earthengine.operators.drift import EarthEngineDriftOperator
from airflow_provider.earthengine.operators.list_images import EarthEngineListImagesOperator
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

AREA = [-122.0859, 37.0436, -122.0626, 37.0586]
PREFIX = "sentinel2/%Y/%m"
# A manual run may have no dates at all.
END = "(data_interval_end | default(dag_run.run_after, true))"
# The fields that both download tasks share; the others come from the lists they are expanded over.
DOWNLOAD: dict[str, Any] = {
    "download_params": {
        "bands": ["B4", "B8"],
        # A mosaic has no grid of its own, so set one.
        "crs": "EPSG:32610",
        "scale": 20,
        "region": AREA,
        "format": "GEO_TIFF",
    },
    "s3_bucket": "{{ params.s3_bucket }}",
}


@task
def report(downloaded: Any) -> list[str]:
    """Return the URIs of all mapped downloads as one list.

    :param downloaded: a list of URIs per download.
    """
    return [uri for uris in downloaded for uri in uris]


@dag(
    # A plain cron expression would give runs a data interval without length.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2021, 1, 1, tzinfo=UTC),
    catchup=False,
    # Two concurrent runs would only download the same dates twice.
    max_active_runs=1,
    params={
        "s3_bucket": Param("demo", type="string", description="An existing bucket"),
        "collection": Param("COPERNICUS/S2_SR_HARMONIZED", type="string"),
    },
    tags=["earthengine"],
    doc_md=__doc__,
)
def sentinel2_ingestion() -> None:
    images: dict[str, Any] = {
        "collection": "{{ params.collection }}",
        "start": f"{{{{ {END} - macros.timedelta(days=30) }}}}",
        "end": f"{{{{ {END} }}}}",
        "region": AREA,
        "filters": {"CLOUDY_PIXEL_PERCENTAGE": {"lt": 80}},
        "min_coverage_percent": 95,
        "by": "date",
        "s3_prefix": PREFIX,
    }
    dates = EarthEngineListImagesOperator(task_id="list_dates", **images)
    downloads = EarthEngineToS3Operator.partial(
        task_id="download", map_index_template="{{ task.source.name }}", **DOWNLOAD
    ).expand_kwargs(dates.output)
    report(downloads.output)

    drift = EarthEngineDriftOperator(
        task_id="find_processed_again",
        s3_bucket="{{ params.s3_bucket }}",
        trigger_rule="none_failed",
        **images,
    )
    downloads >> drift
    EarthEngineToS3Operator.partial(
        task_id="download_again", map_index_template="{{ task.source.name }}", **DOWNLOAD
    ).expand_kwargs(drift.output)


sentinel2_ingestion()
