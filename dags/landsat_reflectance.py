"""A month of Landsat 8 without clouds, as reflectance and kelvin.

Collection 2 stores integers; the recipe applies their scale and offset. Run it for any month with

    airflow dags test landsat_reflectance --conf '{"s3_bucket": "my-bucket", "month": "2021-01"}'
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk import Param, dag, task

from airflow_provider.earthengine.recipes import mask_landsat_clouds, monthly_median, scale_landsat

if TYPE_CHECKING:
    import ee

BANDS = ["SR_B2", "SR_B3", "SR_B4", "SR_B5", "ST_B10"]
# A manual run may have no dates at all.
END = "(data_interval_end | default(dag_run.run_after, true))"
MONTH = f"{{{{ params.month or ({END} - macros.timedelta(days=1)).strftime('%Y-%m') }}}}"


@task.earthengine_to_s3(
    download_params={
        "name": "surface",
        # A composite of many images has no grid of its own, so set one.
        "crs": "EPSG:32610",
        "scale": 30,
        "region": [-122.0859, 37.0436, -122.0626, 37.0586],
        "format": "GEO_TIFF",
    },
    # For pixels that were cloudy all month; reflectance may be slightly negative.
    nodata=-9999,
    on_empty="skip",
    s3_bucket="{{ params.s3_bucket }}",
    s3_prefix=f"landsat8/{MONTH}",
)
def download_surface(month: str) -> ee.Image:
    """Return the median reflectance and temperature."""
    return monthly_median(
        "LANDSAT/LC08/C02/T1_L2",
        month,
        lambda image: scale_landsat(mask_landsat_clouds(image), BANDS),
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
def landsat_reflectance() -> None:
    download_surface(MONTH)


landsat_reflectance()
