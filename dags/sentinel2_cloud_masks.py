"""A month of Sentinel-2 without clouds, masked in two ways: by scene classes and by Cloud Score+.

The masks are functions of ``airflow_provider.earthengine.recipes``. Run it for any month with

    airflow dags test sentinel2_cloud_masks --conf '{"s3_bucket": "my-bucket", "month": "2021-01"}'
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, dag, task

from airflow_provider.earthengine.recipes import (
    mask_by_cloud_score,
    mask_by_scene_class,
    monthly_median,
)

if TYPE_CHECKING:
    import ee

COLLECTION = "COPERNICUS/S2_SR_HARMONIZED"
BANDS = ["B4", "B3", "B2"]
# A manual run may have no dates at all.
END = "(data_interval_end | default(dag_run.run_after, true))"
MONTH = f"{{{{ params.month or ({END} - macros.timedelta(days=1)).strftime('%Y-%m') }}}}"
DOWNLOAD: dict[str, Any] = {
    "download_params": {
        # A composite of many images has no grid of its own, so set one.
        "crs": "EPSG:32610",
        "scale": 20,
        "region": [-122.0859, 37.0436, -122.0626, 37.0586],
        "format": "GEO_TIFF",
    },
    # For pixels that were cloudy all month.
    "nodata": -1,
    "on_empty": "skip",
    "s3_bucket": "{{ params.s3_bucket }}",
}


@task.earthengine_to_s3(s3_prefix=f"cloudless/{MONTH}/scene_class", **DOWNLOAD)
def download_by_scene_class(month: str) -> ee.Image:
    """Return the median of what is vegetation, soil or water."""
    return monthly_median(COLLECTION, month, lambda image: mask_by_scene_class(image).select(BANDS))


@task.earthengine_to_s3(s3_prefix=f"cloudless/{MONTH}/cloud_score", **DOWNLOAD)
def download_by_cloud_score(month: str) -> ee.Image:
    """Return the median of what Cloud Score+ finds clear."""
    return monthly_median(
        COLLECTION, month, lambda image: mask_by_cloud_score(image, least=0.6).select(BANDS)
    )


@dag(
    schedule="@monthly",
    start_date=datetime(2021, 1, 1, tzinfo=UTC),
    catchup=False,
    params={
        "s3_bucket": Param("demo", type="string", description="An existing bucket"),
        "month": Param(
            None,
            type=["null", "string"],
            pattern="^[0-9]{4}-[0-9]{2}$",
            description="For example 2021-01; if empty, the month before the run's date",
        ),
    },
    tags=["earthengine"],
    doc_md=__doc__,
)
def sentinel2_cloud_masks() -> None:
    download_by_scene_class(MONTH)
    download_by_cloud_score(MONTH)


sentinel2_cloud_masks()
