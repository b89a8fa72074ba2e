"""A series that stacks: the NDVI of three regions, once a month, as one STAC Collection.

Five years of it are one command,

    airflow backfill create --dag-id ndvi_series --from-date 2019-02-01 --to-date 2024-01-01

and a cube of xarray takes two lines:

    with open_items("s3://demo/ndvi_series") as items:
        cube = odc.stac.load(items, bands=["ndvi"])
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk import Param, dag

from airflow_provider.earthengine.recipes import (
    downloads_of_regions,
    mask_by_scene_class,
    monthly_median,
)
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

if TYPE_CHECKING:
    import ee

REGIONS = {
    "boulder_creek": [-122.1290, 37.1180, -122.1060, 37.1330],
    "felton": [-122.0859, 37.0436, -122.0626, 37.0586],
    "santa_cruz": [-122.0400, 36.9600, -122.0170, 36.9750],
}
# All months and all regions have their pixels on this lattice: 20 m, from the origin of the zone.
LATTICE = {"crs": "EPSG:32610", "crs_transform": [20, 0, 0, 0, -20, 0]}
PREFIX = "ndvi_series"

# A scheduled run's interval ends with the month. A manual run may have no dates at all.
END = "(data_interval_end | default(dag_run.run_after, true))"
MONTH = f"(params.month or ({END} - macros.timedelta(days=1)).strftime('%Y-%m'))"
START_DAY = f"{{{{ {MONTH} }}}}-01"
END_DAY = (
    f"{{{{ (macros.datetime.fromisoformat({MONTH} ~ '-01') + macros.timedelta(days=31))"
    ".strftime('%Y-%m-01') }}"
)


def ndvi_of_month(collection: str, month: str) -> ee.Image:
    """Return the median NDVI of a month's cloudless pixels.

    :param collection: the asset id of Sentinel-2 images with the bands B4, B8 and SCL.
    :param month: for example "2021-01", in UTC.
    """

    def prepare(image: ee.Image) -> ee.Image:
        return mask_by_scene_class(image).normalizedDifference(["B8", "B4"]).rename("ndvi")

    return monthly_median(collection, month, prepare)


@dag(
    schedule="@monthly",
    start_date=datetime(2019, 2, 1, tzinfo=UTC),
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
def ndvi_series() -> None:
    EarthEngineToS3Operator.partial(
        task_id="download",
        map_index_template="{{ task.download_params['name'] }}",
        image=ndvi_of_month,
        image_kwargs={"collection": "{{ params.collection }}", "month": f"{{{{ {MONTH} }}}}"},
        # Zero is a valid NDVI, and this is not.
        nodata=-9999,
        on_empty="mark",
        # The image is computed, and only we know of which month it is.
        record={"datetime": START_DAY, "start_datetime": START_DAY, "end_datetime": END_DAY},
        collection={
            "id": "ndvi-series",
            "prefix": PREFIX,
            "title": "Monthly NDVI",
            "description": "The median NDVI of each month's cloudless Sentinel-2 pixels.",
            "licence": "CC-BY-4.0",
        },
        s3_bucket="{{ params.s3_bucket }}",
        s3_prefix=f"{PREFIX}/{{{{ {MONTH} }}}}",
    ).expand_kwargs(downloads_of_regions(REGIONS, {**LATTICE, "format": "GEO_TIFF"}))


ndvi_series()
