"""The steps of a download, as methods of the operators that take them.

DAG files import this module on every parse, so each step imports what only a worker needs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.download.fields.job import DownloadFields, Job, Worker, read_job
from airflow_provider.earthengine.download.fields.on_empty import read_on_empty
from airflow_provider.earthengine.download.fields.region_file import MAX_BYTE_COUNT
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.hooks.s3 import open_client, read_uri
from airflow_provider.earthengine.hooks.stored_raster import read_raster_grid
from airflow_provider.earthengine.task.download import Downloader
from airflow_provider.earthengine.task.outcome import failing_for_good
from airflow_provider.earthengine.task.run import (
    facts_of,
    generation_of,
    region_folders,
    run_of,
    workload_tag_of,
)
from airflow_provider.earthengine.task.telemetry import Telemetry

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider.earthengine.download.publish.record import CommitRecord, Target
    from airflow_provider.earthengine.download.transport.connections import Cancellation


class StepsOfDownload:
    """The part of an operator that reads its fields, connects, and publishes."""

    on_empty: str | Mapping[str, str]
    earthengine_conn_id: str
    aws_conn_id: str

    @cached_property
    def _cancellation(self) -> Cancellation:
        """Stops the running download. Created on the worker, as the scheduler copies operators."""
        from airflow_provider.earthengine.download.transport.connections import Cancellation

        return Cancellation()

    def on_kill(self) -> None:
        """Stop the download. Airflow calls this from a signal handler and waits five seconds."""
        self._cancellation.cancel()

    def _failing_for_good(self) -> AbstractContextManager[None]:
        return failing_for_good(skips_empty=lambda error: read_on_empty(self.on_empty).skips(error))

    def _read_job(self, hook: EarthEngineHook, context: Context) -> Job:
        return read_job(self._fields(), generation_of(context), self._worker(hook, context))

    def _publish(
        self, hook: EarthEngineHook, job: Job, target: Target, context: Context
    ) -> tuple[CommitRecord, bool]:
        """Return the record, and whether it was there already."""
        return self._downloader(hook, context).publish_once(job, target)

    def _downloader(self, hook: EarthEngineHook, context: Context) -> Downloader:
        telemetry = Telemetry(hook.meter, context)
        return Downloader(hook, self._cancellation, partial(run_of, context), telemetry)

    def _hook(self, context: Context) -> EarthEngineHook:
        hook = EarthEngineHook(
            self.earthengine_conn_id,
            retry_policy=RetryPolicy(sleep=self._cancellation.sleep),
            workload_tag=workload_tag_of(context),
        )
        # The task reports what it reads, once.
        hook.reports_lineage = False
        self._cancellation.call_when_cancelled(hook.interrupt)
        return hook

    def _fields(self) -> DownloadFields:
        return DownloadFields(
            **{each.name: getattr(self, each.name) for each in dataclasses.fields(DownloadFields)}
        )

    def _worker(self, hook: EarthEngineHook, context: Context) -> Worker:
        ti = context["ti"]
        return Worker(
            connect=hook.get_conn,
            read_uri=lambda uri: read_uri(self._s3_client(), uri, MAX_BYTE_COUNT + 1),
            region_folders=region_folders(context),
            read_grid=lambda uri: read_raster_grid(uri, self.aws_conn_id),
            run_values=context,
            task_id=ti.task_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
        )

    @contextmanager
    def _open_target(self, job: Job, context: Context) -> Iterator[Target]:
        from airflow_provider.earthengine.download.bucket.bucket import Bucket
        from airflow_provider.earthengine.download.publish.record import Endpoint, Target

        client = self._s3_client()
        endpoint = Endpoint(client.meta.endpoint_url, client.meta.region_name or "")
        with closing(Bucket(client, job.destination.bucket, job.extra_args)) as bucket:
            yield Target(bucket, job.destination, job.identity, facts_of(context), endpoint)

    def _s3_client(self) -> Any:
        return open_client(self.aws_conn_id, self._cancellation.check)
