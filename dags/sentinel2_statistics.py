"""The mean of each band of each daily mosaic, once it is published: a DAG scheduled on an asset.

The DAG ``sentinel2_daily`` has the asset among its outlets. An event says which item was published,
and its partition is the date of the data: so this DAG runs once for each date, and its run has the
date as its partition key. A run that a person starts has no event, and nothing to do.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Asset, Param, PartitionedAssetTimetable, dag, task

from airflow_provider.earthengine.rasters import open_raster

log = logging.getLogger(__name__)


@task
def published_items(triggering_asset_events: Any = None) -> list[str]:
    """Return the URIs of the items that the events name."""
    events = (each for of_asset in triggering_asset_events.values() for each in of_asset)
    return sorted({event.extra["item"] for event in events if "item" in event.extra})


@task
def means_of_bands(item: str) -> dict[str, float]:
    """Return the mean of each band, read from the coarsest overview."""
    with open_raster(item.removesuffix(".json")) as raster:
        factors = raster.overviews(1) or [1]
        shape = (raster.count, -(-raster.height // factors[-1]), -(-raster.width // factors[-1]))
        pixels = raster.read(masked=True, out_shape=shape)
        names = [name or f"band {n}" for n, name in enumerate(raster.descriptions, 1)]
    bands = zip(names, pixels, strict=True)
    means = {name: float(band.mean()) for name, band in bands if band.count()}
    log.info("%s: %s", item, means)
    return means


@dag(
    schedule=PartitionedAssetTimetable(assets=Asset("sentinel2_daily")),
    start_date=datetime(2021, 1, 1, tzinfo=UTC),
    params={"s3_bucket": Param("demo", type="string", description="Not used here")},
    tags=["earthengine"],
    doc_md=__doc__,
)
def sentinel2_statistics() -> None:
    means_of_bands.expand(item=published_items())


sentinel2_statistics()
