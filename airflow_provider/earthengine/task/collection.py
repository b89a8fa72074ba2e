"""The STAC Collection of a task's download: checked before the fetch, joined after the commit.

DAG files import this module on every parse, so the functions import what takes seconds to load.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider.earthengine.exceptions import (
    DownloadCancelledError,
    EarthEngineProviderError,
)
from airflow_provider.earthengine.one_line import one_line

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.fields.job import Job
    from airflow_provider.earthengine.download.plan.plan import Plan
    from airflow_provider.earthengine.download.publish.record import CommitRecord, Target

log = logging.getLogger(__name__)

Sleep = Callable[[float], None]


def check_collection(plan: Plan, target: Target, sleep: Sleep) -> None:
    """Raise if the download cannot be of its collection; nothing is fetched before.

    :raises DownloadParamsError: if its pixels lie on another lattice than the collection's.
    :raises ObjectExistsError: if another collection has the document's key.
    """
    if plan.job.collection is None:
        return
    from airflow_provider.earthengine.download.collection.join import check_may_join
    from airflow_provider.earthengine.download.collection.store import CollectionStore

    grids = {
        band.id: raster.grid
        for raster in plan.download.rasters
        if raster.grid
        for band in raster.bands
    }
    store = CollectionStore(target.bucket, plan.job.collection.prefix, sleep)
    check_may_join(store, plan.job.collection, grids)


def join_collection(job: Job, target: Target, record: CommitRecord, sleep: Sleep) -> CommitRecord:
    """Add the published item to its collection; return the record, with a warning if that failed.

    The download is complete without it.
    """
    if job.collection is None:
        return record
    from airflow_provider.earthengine.download.collection.join import join
    from airflow_provider.earthengine.download.collection.store import CollectionStore

    try:
        store = CollectionStore(target.bucket, job.collection.prefix, sleep)
        join(store, job.collection, job.destination.item_key)
    except DownloadCancelledError:
        raise
    except EarthEngineProviderError as error:
        warning = one_line(
            f"The item is complete, but the collection {job.collection.id} lacks it: {error}"
        )
        log.warning("%s", warning)
        return replace(record, warnings=(*record.warnings, warning))
    log.info("%s is in the collection %s", record.item_uri, store.uri)
    return record
