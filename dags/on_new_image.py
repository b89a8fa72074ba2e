"""Each image of an area, as soon as Earth Engine has it: a DAG that an asset watcher starts.

The triggerer looks every five minutes for images of the last thirty days that are new or were
reprocessed, and announces them as an event of the asset. A run downloads the images of its events,
one that comes twice only once. A run that a person starts has no event, and nothing to do.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Asset, AssetWatcher, Param, dag, task

from airflow_provider.earthengine.recipes import downloads_of_events
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from airflow_provider.earthengine.triggers.image_collection import (
    EarthEngineImageCollectionTrigger,
)

AREA = [-122.0859, 37.0436, -122.0626, 37.0586]
NEW_IMAGES = Asset(
    "sentinel2_images",
    watchers=[
        AssetWatcher(
            name="earthengine",
            trigger=EarthEngineImageCollectionTrigger(
                collection="COPERNICUS/S2_SR_HARMONIZED",
                region=AREA,
                filters={"CLOUDY_PIXEL_PERCENTAGE": {"lt": 50}},
                days=30,
            ),
        )
    ],
)


@task
def new_images(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
    """Return a download for each image that the events name."""
    return downloads_of_events(triggering_asset_events)


@dag(
    schedule=NEW_IMAGES,
    start_date=datetime(2021, 1, 1, tzinfo=UTC),
    params={"s3_bucket": Param("demo", type="string", description="An existing bucket")},
    tags=["earthengine"],
    doc_md=__doc__,
)
def on_new_image() -> None:
    EarthEngineToS3Operator.partial(
        task_id="download",
        download_params={"bands": ["B4", "B8"], "region": AREA, "scale": 10, "format": "GEO_TIFF"},
        s3_bucket="{{ params.s3_bucket }}",
        s3_prefix="sentinel2/new",
    ).expand_kwargs(new_images())


on_new_image()
