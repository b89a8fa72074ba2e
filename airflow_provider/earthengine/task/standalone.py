"""A download without a task: the same steps, for the command line and the demo.

Connections are Airflow's, usually from the environment; no scheduler or database is needed.
"""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider.earthengine.download.fields.job import (
    DownloadFields,
    Job,
    Worker,
    read_job,
)
from airflow_provider.earthengine.download.fields.region_file import MAX_BYTE_COUNT
from airflow_provider.earthengine.download.plan.plan import Plan, plan_job
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.exceptions import ConnectionConfigError
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.hooks.s3 import open_client, read_uri
from airflow_provider.earthengine.hooks.stored_raster import read_raster_grid
from airflow_provider.earthengine.task.download import Downloader
from airflow_provider.earthengine.task.telemetry import Telemetry

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.fields.source import KnownSource
    from airflow_provider.earthengine.download.publish.item import Run
    from airflow_provider.earthengine.download.publish.record import CommitRecord
    from airflow_provider.earthengine.download.transport.connections import Cancellation


@dataclass(frozen=True)
class Connections:
    """The ids of the Airflow connections to use."""

    earthengine_conn_id: str = EarthEngineHook.default_conn_name
    aws_conn_id: str = "aws_default"


def plan_alone(fields: DownloadFields, connections: Connections) -> Plan:
    """Return what a download would take; no pixel is requested.

    :raises EarthEngineProviderError: if it cannot be planned.
    """
    with _known_connection(), EarthEngineHook(connections.earthengine_conn_id) as hook:
        return plan_job(_read(fields, hook, connections), hook)


def download_alone(fields: DownloadFields, connections: Connections) -> tuple[CommitRecord, bool]:
    """Publish a download; return its record, and whether it was published already.

    SIGINT and SIGTERM cancel it and raise KeyboardInterrupt, in the main thread.

    :raises EarthEngineProviderError: if it fails.
    """
    from airflow_provider.earthengine.download.bucket.bucket import Bucket
    from airflow_provider.earthengine.download.publish.record import Target
    from airflow_provider.earthengine.download.transport.connections import Cancellation

    cancellation = Cancellation()
    policy = RetryPolicy(sleep=cancellation.sleep)
    with (
        _known_connection(),
        _interruptible(cancellation),
        EarthEngineHook(connections.earthengine_conn_id, retry_policy=policy) as hook,
    ):
        cancellation.call_when_cancelled(hook.interrupt)
        job = _read(fields, hook, connections)
        client = open_client(connections.aws_conn_id, cancellation.check)
        with closing(Bucket(client, job.destination.bucket, job.extra_args)) as bucket:
            target = Target(bucket, job.destination, job.identity)
            downloader = Downloader(hook, cancellation, _describe_run, Telemetry(hook.meter))
            return downloader.publish_once(job, target)


@contextmanager
def _known_connection() -> Iterator[None]:
    """Turn Airflow's error for a connection that does not exist into this package's.

    :raises ConnectionConfigError: if one does not.
    """
    try:
        yield
    except AirflowNotFoundException as error:
        raise ConnectionConfigError(
            f"{str(error).rstrip('.')}; set AIRFLOW_CONN_ and the id in capitals in the "
            "environment, or name another one."
        ) from None


def _read(fields: DownloadFields, hook: EarthEngineHook, connections: Connections) -> Job:
    def read_region(uri: str) -> bytes:
        with closing(open_client(connections.aws_conn_id)) as client:
            return read_uri(client, uri, MAX_BYTE_COUNT + 1)

    # Whoever types a command may name any file that they may read.
    folders = (Path.cwd(), Path("/"))
    worker = Worker(
        hook.get_conn,
        read_region,
        {},
        region_folders=folders,
        read_grid=lambda uri: read_raster_grid(uri, connections.aws_conn_id),
    )
    return read_job(fields, f"alone/{uuid.uuid4().hex}", worker)


def _describe_run(source: KnownSource, *, is_conditional: bool) -> Run:
    from airflow_provider.earthengine.download.publish.item import Run

    conditional = None if is_conditional else False
    return Run({**source.to_item(), "earthengine:conditional_writes": conditional}, None)


@contextmanager
def _interruptible(cancellation: Cancellation) -> Iterator[None]:
    """Cancel on a signal; without it, threads would finish their requests first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def cancel(_number: int, _frame: Any) -> None:
        cancellation.cancel()
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, cancel) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
