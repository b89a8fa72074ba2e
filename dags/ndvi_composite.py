"""The greenness of a month: the median NDVI of a region's cloudless pixels, once a month.

A function makes the image; it runs on the worker with Earth Engine initialised. A scheduled run
takes the month that has just ended, a manual run the month of its date. Run it for any month with

    airflow dags test ndvi_composite --conf '{"s3_bucket": "my-bucket", "month": "2021-01"}'
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow.sdk import Param, dag, task

if TYPE_CHECKING:
    import ee

# A scheduled run's interval ends with the month. A manual run may have no dates at all.
END = "(data_interval_end | default(dag_run.run_after, true))"
MONTH = f"{{{{ params.month or ({END} - macros.timedelta(days=1)).strftime('%Y-%m') }}}}"


@task.earthengine_to_s3(
    download_params={
        "name": "ndvi",
        # A composite of many images has no grid of its own, so set one.
        "crs": "EPSG:32610",
        "scale": 20,
        "region": [-122.0859, 37.0436, -122.0626, 37.0586],
        "format": "GEO_TIFF",
    },
    # For pixels that were cloudy all month, because zero is a valid NDVI.
    nodata=-9999,
    # A month without any image is not a failure. It is marked, and checked again only when that is
    # due.
    on_empty="mark",
    s3_bucket="{{ params.s3_bucket }}",
    s3_prefix=f"ndvi/{MONTH}",
)
def download_ndvi(collection: str, month: str) -> ee.Image:
    """Return the median of (near infrared - red) / (near infrared + red).

    :param collection: the asset id of Sentinel-2 images with the bands B4, B8 and SCL.
    :param month: for example "2021-01", in UTC.
    """
    import ee

    start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    end = (start + timedelta(days=31)).replace(day=1)

    def to_ndvi(image: ee.Image) -> ee.Image:
        # Scene classes 4, 5 and 6: vegetation, bare soil, water; the others are cloudy or unclear.
        scene = image.select("SCL")
        is_clear = scene.gte(4).And(scene.lte(6))
        return image.normalizedDifference(["B8", "B4"]).rename("ndvi").updateMask(is_clear)

    images = ee.ImageCollection(collection).filterDate(start.isoformat(), end.isoformat())
    composite: ee.Image = images.map(to_ndvi).median().toFloat()
    return composite


@dag(
    schedule="@monthly",
    start_date=datetime(2021, 1, 1, tzinfo=UTC),
    catchup=False,
    params={
        "s3_bucket": Param("demo", type="string", description="An existing bucket"),
        "collection": Param("COPERNICUS/S2_SR_HARMONIZED", type="string"),
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
def ndvi_composite() -> None:
    download_ndvi("{{ params.collection }}", MONTH)


ndvi_composite()
