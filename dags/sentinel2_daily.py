"""One Sentinel-2 scene per day, cropped to a region: image and prefix follow the logical date.

This place has an image only on some days. Run it for one of these with

    airflow dags test sentinel2_daily 2021-01-09 --conf '{"s3_bucket": "my-bucket"}'
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param, dag

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator


@dag(
    schedule="@daily",
    start_date=datetime(2021, 1, 9, tzinfo=UTC),
    catchup=False,
    params={"s3_bucket": Param("demo", type="string", description="An existing bucket")},
    tags=["earthengine"],
    doc_md=__doc__,
)
def sentinel2_daily() -> None:
    EarthEngineToS3Operator(
        task_id="download",
        image="COPERNICUS/S2_SR/{{ ds_nodash }}T185751_{{ ds_nodash }}T185931_T10SEG",
        download_params={
            "name": "santa_cruz",
            "bands": ["B3", "B8", "B11"],
            "region": [-122.0859, 37.0436, -122.0626, 37.0586],
            "scale": 20,
            "format": "GEO_TIFF",
        },
        s3_bucket="{{ params.s3_bucket }}",
        s3_prefix="sentinel2/{{ ds }}",
    )


sentinel2_daily()
