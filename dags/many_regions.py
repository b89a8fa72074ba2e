"""One scene over several regions: a download for each, named after it.

Run it with

    airflow dags test many_regions --conf '{"s3_bucket": "my-bucket"}'
"""

from __future__ import annotations

from airflow.sdk import Param, dag

from airflow_provider.earthengine.recipes import downloads_of_regions
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

REGIONS = {
    "boulder_creek": [-122.1290, 37.1180, -122.1060, 37.1330],
    "felton": [-122.0859, 37.0436, -122.0626, 37.0586],
    "santa_cruz": {
        "type": "Polygon",
        "coordinates": [
            [
                [-122.04, 36.96],
                [-122.01, 36.96],
                [-122.00, 36.98],
                [-122.03, 36.98],
                [-122.04, 36.96],
            ]
        ],
    },
}


@dag(
    schedule=None,
    params={"s3_bucket": Param("demo", type="string", description="An existing bucket")},
    tags=["earthengine"],
    doc_md=__doc__,
)
def many_regions() -> None:
    EarthEngineToS3Operator.partial(
        task_id="download",
        map_index_template="{{ task.download_params['name'] }}",
        image="COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG",
        s3_bucket="{{ params.s3_bucket }}",
        s3_prefix="regions",
    ).expand_kwargs(
        downloads_of_regions(
            REGIONS, {"bands": ["B4", "B3", "B2"], "scale": 20, "format": "GEO_TIFF"}
        )
    )


many_regions()
