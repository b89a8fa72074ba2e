"""The DAGs of the test of events: producers, what is scheduled on them, and two watchers."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Asset, AssetWatcher, PartitionedAssetTimetable, dag, task

from airflow_provider.earthengine.operators.asset_event import EarthEngineAssetEventOperator
from airflow_provider.earthengine.operators.list_images import EarthEngineListImagesOperator
from airflow_provider.earthengine.recipes import downloads_of_events
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from airflow_provider.earthengine.triggers.image_collection import (
    EarthEngineImageCollectionTrigger,
)

START = datetime(2021, 1, 1, tzinfo=UTC)
SCENE, PLAIN, TOGETHER = Asset("scene"), Asset("plain_scene"), Asset("together")
DOWNLOAD: dict[str, Any] = {
    "download_params": {
        "crs": "EPSG:32610",
        "crs_transform": [10, 0, 600000, 0, -10, 4100000],
        "dimensions": [20, 10],
        "format": "GEO_TIFF",
    },
    "layout": "as_served",
    "s3_bucket": os.environ["EVENTS_BUCKET"],
}


def watched_by(name: str, poll_seconds: float) -> Asset:
    """Return an asset of the new images of a collection."""
    trigger = EarthEngineImageCollectionTrigger(
        collection="projects/demo/assets/watched",
        start="2021-01-01",
        poll_seconds=poll_seconds,
    )
    return Asset(name, watchers=[AssetWatcher(name=name, trigger=trigger)])


@task
def items_of_events(triggering_asset_events: Any = None) -> list[Any]:
    """Return what the events of the run name."""
    events = [each for of_asset in triggering_asset_events.values() for each in of_asset]
    return sorted(item for e in events for item in e.extra.get("items") or [e.extra["item"]])


@dag(schedule=None, start_date=START)
def publish() -> None:
    images = EarthEngineListImagesOperator(
        task_id="list",
        collection="projects/demo/assets/announced",
        start="2021-01-01",
        end="2022-01-01",
    )
    downloads = EarthEngineToS3Operator.partial(
        task_id="download", s3_prefix="published", outlets=[SCENE], **DOWNLOAD
    ).expand_kwargs(images.output)
    downloads >> EarthEngineAssetEventOperator(task_id="announce", outlets=[TOGETHER])
    EarthEngineToS3Operator.partial(
        task_id="download_again",
        s3_prefix="again",
        outlets=[PLAIN],
        asset_events={"partition_key": "none"},
        **DOWNLOAD,
    ).expand_kwargs(images.output)


@dag(schedule=PartitionedAssetTimetable(assets=SCENE), start_date=START)
def for_each_date() -> None:
    items_of_events()


@dag(schedule=[PLAIN], start_date=START)
def for_any_scene() -> None:
    items_of_events()


@dag(schedule=[TOGETHER], start_date=START)
def for_all_scenes() -> None:
    items_of_events()


@task
def new_images(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
    """Return the downloads of the images that the events name."""
    return downloads_of_events(triggering_asset_events)


@dag(schedule=watched_by("watched", 1), start_date=START)
def for_new_images() -> None:
    EarthEngineToS3Operator.partial(
        task_id="download", s3_prefix="watched", **DOWNLOAD
    ).expand_kwargs(new_images())


@dag(schedule=watched_by("watched_too", 1.01), start_date=START)
def for_new_images_too() -> None:
    new_images()


publish()
for_each_date()
for_any_scene()
for_all_scenes()
for_new_images()
for_new_images_too()
