"""A country in one raster: a computed mosaic of many thousand pixels a side, by many workers.

The task ``budget`` plans the download and fetches nothing: its log and its XCom ``plan`` say how
many requests and bytes it takes, and a plan above ``max_requests`` fails there. Then a group
fetches the raster in sections, on as many workers as the executor has. The form's region is a
county, which is a single section. Run it for a country with

    airflow dags test country_mosaic --conf '{"s3_bucket": "my-bucket", "name": "portugal",
      "region": [-9.6, 36.9, -6.1, 42.2], "crs": "EPSG:32629", "scale": 10}'
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, dag

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from airflow_provider.earthengine.transfers.earthengine_to_s3_group import earthengine_to_s3_group

if TYPE_CHECKING:
    import ee


def mosaic(collection: str, start: str, days: int | str) -> ee.Image:
    """Return the median of each band over a window of days, as whole numbers.

    :param collection: the asset id of Sentinel-2 images.
    :param start: the first day, in UTC.
    """
    import ee

    end = (datetime.fromisoformat(start) + timedelta(days=int(days))).isoformat()
    images = ee.ImageCollection(collection).filterDate(start, end)
    composite: ee.Image = images.select(["B4", "B8"]).median().toUint16()
    return composite


DOWNLOAD: dict[str, Any] = {
    "image": mosaic,
    "image_kwargs": {
        "collection": "{{ params.collection }}",
        "start": "{{ params.start }}",
        "days": "{{ params.days }}",
    },
    "download_params": {
        "name": "{{ params.name }}",
        # A composite of many images has no grid of its own, so set one.
        "crs": "{{ params.crs }}",
        "scale": "{{ params.scale }}",
        "region": "{{ params.region | tojson }}",
        "format": "GEO_TIFF",
    },
    "s3_bucket": "{{ params.s3_bucket }}",
    "s3_prefix": "mosaics/{{ params.start }}",
    # More requests than this are an oversight, and fail before the first is sent.
    "limits": {"max_requests": 20_000, "max_concurrent_requests": 8},
}


@dag(
    schedule=None,
    params={
        "s3_bucket": Param("demo", type="string", description="An existing bucket"),
        "collection": Param("COPERNICUS/S2_SR_HARMONIZED", type="string"),
        "start": Param("2021-01-01", type="string", format="date"),
        "days": Param(30, type="integer", minimum=1, maximum=366),
        "name": Param("santa_cruz", type="string"),
        "region": Param(
            [-122.15, 37.0, -122.0, 37.1], type="array", description="west, south, ..."
        ),
        "crs": Param("EPSG:32610", type="string", description="Its unit is the metre"),
        "scale": Param(60, type="number", description="Metres"),
        "section_requests": Param(64, type="integer", minimum=1),
    },
    tags=["earthengine"],
    doc_md=__doc__,
)
def country_mosaic() -> None:
    budget = EarthEngineToS3Operator(task_id="budget", plan_only=True, **DOWNLOAD)
    download = earthengine_to_s3_group(
        "download",
        section_requests="{{ params.section_requests }}",
        task_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
        **DOWNLOAD,
    )
    budget >> download


country_mosaic()
