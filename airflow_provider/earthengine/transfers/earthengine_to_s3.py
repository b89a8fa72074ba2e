"""Earth Engine -> S3: the operator. The steps of a download are in :mod:`download`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider.earthengine.download.fields.check_fields import check_literals
from airflow_provider.earthengine.download.fields.image import ImageFunction
from airflow_provider.earthengine.download.fields.job import DownloadFields, Job, Worker, read_job
from airflow_provider.earthengine.download.fields.on_empty import FAIL, PUBLISH, read_on_empty
from airflow_provider.earthengine.download.fields.region_file import MAX_BYTE_COUNT
from airflow_provider.earthengine.download.fields.values import read_boolean
from airflow_provider.earthengine.download.plan.plan import Plan, plan_job
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.exceptions import AllMaskedError, EmptyImageError
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.hooks.s3 import open_client, read_uri
from airflow_provider.earthengine.task.outcome import failing_for_good
from airflow_provider.earthengine.task.parse_time import ParseTimeChecks
from airflow_provider.earthengine.task.run import (
    generation_of,
    region_folders,
    run_of,
    scratch_place,
    workload_tag_of,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider.earthengine.download.bucket.bucket import Bucket
    from airflow_provider.earthengine.download.fetch.rasters import FetchedRasters
    from airflow_provider.earthengine.download.fetch.staged_tiles import StagedTiles
    from airflow_provider.earthengine.download.publish.canvases import Canvases
    from airflow_provider.earthengine.download.publish.record import (
        CommitRecord,
        Standing,
        Target,
    )
    from airflow_provider.earthengine.download.raster.facts import RasterFacts
    from airflow_provider.earthengine.download.transport.connections import Cancellation


class EarthEngineToS3Operator(ParseTimeChecks):
    """Download an Earth Engine image and publish it, verified and recorded, in S3.

    The objects are ``<s3_prefix>/<base>.tif``, ``<base>.<band>.tif``, ``<base>.npy`` or
    ``<base>.zip``, next to a STAC Item ``<base>.<tif|bands|npy|zip>.json``, which is written last:
    if the item exists, everything that it names is complete. ``base`` is the parameter
    ``name``, else the last part of the image's id, else "download".

    Returns the ``s3://`` URIs of the rasters; the item's URI is under the XCom key ``item``, and
    under ``summary`` are its warnings and the rasters that have no valid pixel.

    :param image: an asset id; the output of ``ee.Image.serialize()``, as JSON text or parsed; or a
        function that returns an ``ee.Image``. (templated)
    :param image_kwargs: keyword arguments of the function; its other parameters (``ds``,
        ``data_interval_start``, ``params``, ...) are taken from the run. (templated)
    :param download_params: the parameters of ``ee.data.getDownloadId``: name, bands, crs,
        crs_transform, dimensions, scale, region, filePerBand, format. (templated)
    :param s3_bucket: the bucket; it must exist. (templated)
    :param s3_prefix: the prefix of the keys. (templated)
    :param layout: "cog" (default), cloud-optimised GeoTIFFs of any size; "as_served", Earth
        Engine's files, unzipped, the default for format NPY; or "zip", its zip. (templated)
    :param compression: of COGs: "deflate" (default), "zstd" or "none". (templated)
    :param if_exists: what to do if the keys hold another download: "replace_changed", replace it;
        "fail"; or "replace", replace even the same download, once per run. (templated)
    :param on_empty: what to do if the image has no bands or no pixels in the region: "fail";
        "skip"; or "mark", which skips the task and writes ``<base>.empty.json``: until that marker
        is due, the same download sends Earth Engine no request. A dict also says what to do if all
        pixels are masked: ``{"no_pixels": "skip", "all_masked": "mark"}``; by default, they are
        published. (templated)
    :param recheck_days: the days until a marker is due after the first check; they double with
        each further check. (templated)
    :param source: what EarthEngineListImagesOperator reported about the image: its ``name`` is the
        base if download_params has none, and its images are recorded in the item. Never rendered.
    :param nodata: the value for masked pixels, which distinguishes them from valid zeros; None:
        Earth Engine's own. (templated)
    :param record: what to add to the item: ``licence``, ``attribution``, and the time of data that
        has none of its own: ``datetime``, or ``start_datetime`` and ``end_datetime``, or all three.
        (templated)
    :param s3_extra_args: how objects are written: ServerSideEncryption, SSEKMSKeyId,
        SSEKMSEncryptionContext, BucketKeyEnabled, Tagging, StorageClass, ACL. (templated)
    :param limits: hard limits, and how large downloads are split and resumed: max_requests,
        max_byte_count, max_concurrent_requests, attempt_seconds, total_seconds, resume,
        staging_prefix and tile_byte_count; the page "Rasters of any size" describes each.
        (templated)
    :param plan_only: only log the requests, bytes and files of the download and push them under the
        XCom key ``plan``; fetch and publish nothing. (templated)
    :param earthengine_conn_id: the Earth Engine connection. (templated)
    :param aws_conn_id: the AWS connection; its endpoint and role are used. (templated)
    """

    template_fields: Sequence[str] = (
        "image",
        "image_kwargs",
        "download_params",
        "s3_bucket",
        "s3_prefix",
        "layout",
        "compression",
        "if_exists",
        "on_empty",
        "recheck_days",
        "nodata",
        "record",
        "s3_extra_args",
        "limits",
        "plan_only",
        "earthengine_conn_id",
        "aws_conn_id",
    )
    # Empty, because templated text that ends in one of these suffixes would be read as a file.
    template_ext: Sequence[str] = ()
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "image": "json",
        "image_kwargs": "json",
        "download_params": "json",
        "on_empty": "json",
        "record": "json",
        "s3_extra_args": "json",
        "limits": "json",
    }
    ui_color = "#dff0d8"
    checked_fields = (*(each.name for each in dataclasses.fields(DownloadFields)), "plan_only")
    required_fields = ("image", "download_params", "s3_bucket")

    def __init__(
        self,
        *,
        image: str | Mapping[str, Any] | Callable[..., Any],
        image_kwargs: Mapping[str, Any] | str | None = None,
        download_params: Mapping[str, Any] | str,
        s3_bucket: str,
        s3_prefix: str = "",
        layout: str | None = None,
        compression: str | None = None,
        if_exists: str = "replace_changed",
        on_empty: str | Mapping[str, str] = FAIL,
        recheck_days: float | str = 7,
        source: Mapping[str, Any] | None = None,
        nodata: float | str | None = None,
        record: Mapping[str, str] | str | None = None,
        s3_extra_args: Mapping[str, Any] | str | None = None,
        limits: Mapping[str, Any] | str | None = None,
        plan_only: bool | str = False,
        earthengine_conn_id: str = EarthEngineHook.default_conn_name,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image = ImageFunction(image) if callable(image) else image
        self.image_kwargs = image_kwargs
        self.download_params = download_params
        self.s3_bucket = s3_bucket
        self.s3_prefix = s3_prefix
        self.layout = layout
        self.compression = compression
        self.if_exists = if_exists
        self.on_empty = on_empty
        self.recheck_days = recheck_days
        self.source = source
        self.nodata = nodata
        self.record = record
        self.s3_extra_args = s3_extra_args
        self.limits = limits
        self.plan_only = plan_only
        self.earthengine_conn_id = earthengine_conn_id
        self.aws_conn_id = aws_conn_id
        self.check_literals()

    @classmethod
    def check_fields(cls, fields: Mapping[str, Any]) -> None:
        """Raise if a literal can never be right."""
        image = fields.get("image")
        # A mapped task has the function itself until it is made.
        check_literals({**fields, "image": ImageFunction(image)} if callable(image) else fields)

    @cached_property
    def _cancellation(self) -> Cancellation:
        """Stops the running download. Created on the worker, as the scheduler copies operators."""
        from airflow_provider.earthengine.download.transport.connections import Cancellation

        return Cancellation()

    def on_kill(self) -> None:
        """Stop the download. Airflow calls this from a signal handler and waits five seconds."""
        self._cancellation.cancel()

    def execute(self, context: Context) -> list[str]:
        """Publish the download, unless it already exists, and return the URIs."""
        from airflow_provider.earthengine.download.publish import empty_dates
        from airflow_provider.earthengine.download.publish.record import Target, look_at_destination

        with (
            failing_for_good(skips_empty=lambda error: read_on_empty(self.on_empty).skips(error)),
            self._hook(context) as hook,
        ):
            job = read_job(self._fields(), generation_of(context), self._worker(hook, context))
            if read_boolean("plan_only", self.plan_only):
                return self._push_plan(plan_job(job, hook), context)
            with closing(self._open_bucket(job)) as bucket:
                target = Target(bucket, job.destination, job.identity)
                standing = look_at_destination(target)
                marker = empty_dates.check_due(target, job, standing)
                try:
                    record = standing.done or self._download(job, hook, target, standing, context)
                except EmptyImageError as error:
                    empty_dates.write_marker(target, job, marker, error)
                    raise
                empty_dates.remove_marker(target, standing)
        if standing.done:
            self.log.info("Already published: %s", record.item_uri)
        context["ti"].xcom_push(key="item", value=record.item_uri)
        context["ti"].xcom_push(key="summary", value=record.to_summary())
        return list(record.uris)

    def _hook(self, context: Context) -> EarthEngineHook:
        hook = EarthEngineHook(
            self.earthengine_conn_id,
            retry_policy=RetryPolicy(sleep=self._cancellation.sleep),
            workload_tag=workload_tag_of(context),
        )
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
            run_values=context,
            task_id=ti.task_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
        )

    def _push_plan(self, plan: Plan, context: Context) -> list[str]:
        self._log_plan(plan)
        context["ti"].xcom_push(key="plan", value=plan.to_dict())
        return []

    def _download(
        self,
        job: Job,
        hook: EarthEngineHook,
        target: Target,
        standing: Standing,
        context: Context,
    ) -> CommitRecord:
        """Fetch, verify and publish the download, and return its record."""
        from airflow_provider.earthengine.download.fetch.scratch import scratch_directory
        from airflow_provider.earthengine.download.fetch.staged_tiles import open_stage
        from airflow_provider.earthengine.download.publish.canvases import Canvases, assemble_files
        from airflow_provider.earthengine.download.publish.commit import publish_files
        from airflow_provider.earthengine.download.publish.item import Source, build_item
        from airflow_provider.earthengine.download.raster.cog_canvas import CogForm
        from airflow_provider.earthengine.download.raster.property_tags import encode_properties

        started = time.monotonic()
        with scratch_directory(scratch_place()) as scratch:
            plan = plan_job(job, hook)
            stage = open_stage(
                target.bucket, job.limits, job.identity, plan.download, plan.info.version
            )
            form = CogForm(job.compression, encode_properties(plan.info.properties))
            with (
                Canvases(target, scratch, form, self._cancellation.check) as canvases,
                ThreadPoolExecutor(1, "earthengine-check") as checker,
            ):
                fetched = self._fetch(plan, hook, scratch, stage, canvases)
                if fetched.is_all_masked and job.on_empty.all_masked != PUBLISH:
                    self._refuse_masked(job, stage)
                # The answer takes as long as a request does; files are finished meanwhile.
                unchanged = None if fetched.body else checker.submit(plan.check_unchanged, hook)
                files = assemble_files(fetched, canvases)
                target.bucket.find_out_conditions(job.destination.prefix)
                describe = partial(
                    build_item,
                    job.destination,
                    job.identity,
                    Source(job.image, plan.info, job.params, job.record, job.source),
                    run_of(context, job.source, is_conditional=target.bucket.is_conditional),
                    files,
                )
                confirm = unchanged.result if unchanged else None
                record = publish_files(target, standing, files, describe, confirm)
        if stage is not None:
            stage.sweep()
        self.log.info(
            "Published %s: %d objects, %s bytes, %.1f s in total",
            record.item_uri,
            len(record.objects),
            f"{sum(stored.byte_count for stored in record.objects):,}",
            time.monotonic() - started,
        )
        return record

    def _refuse_masked(self, job: Job, stage: StagedTiles | None) -> NoReturn:
        if stage is not None:
            stage.sweep()
        raise AllMaskedError(
            f"No pixel of {job.destination.base} is valid, and on_empty is "
            f"{job.on_empty.all_masked!r} for all_masked; nothing was published."
        )

    def _fetch(
        self,
        plan: Plan,
        hook: EarthEngineHook,
        scratch: Path,
        stage: StagedTiles | None,
        canvases: Canvases,
    ) -> FetchedRasters:
        """Return the rasters of the download, verified."""
        from airflow_provider.earthengine.download.fetch.rasters import fetch_rasters
        from airflow_provider.earthengine.download.fetch.scratch import (
            check_free,
            scratch_byte_count,
        )
        from airflow_provider.earthengine.download.fetch.tiles import Fetching
        from airflow_provider.earthengine.download.fetch.validity import mark_masked
        from airflow_provider.earthengine.download.raster.integrity import bound_block_cache

        job, download = plan.job, plan.download
        self._log_plan(plan)
        check_free(scratch, scratch_byte_count(download, job.limits))
        bound_block_cache()
        once = hook.trying_once()
        self._cancellation.call_when_cancelled(once.interrupt)
        fetching = Fetching(
            client=once,
            image=plan.image,
            what=job.destination.base,
            scratch=scratch,
            limits=job.limits,
            policy=hook.retry_policy,
            cancellation=self._cancellation,
            stage=stage,
        )
        fetched = fetch_rasters(fetching, download, canvases.open)
        marked = mark_masked(hook, plan.image, fetched.download.params, fetched.rasters)
        fetched = dataclasses.replace(fetched, rasters=marked)
        self._log_rasters(job, fetched.rasters)
        return fetched

    def _log_plan(self, plan: Plan) -> None:
        for line in plan.lines():
            self.log.info("%s", line)
        for sentence in (*plan.job.params.warnings, *plan.info.warnings):
            self.log.warning("%s", sentence)

    def _open_bucket(self, job: Job) -> Bucket:
        from airflow_provider.earthengine.download.bucket.bucket import Bucket

        return Bucket(self._s3_client(), job.destination.bucket, job.extra_args)

    def _s3_client(self) -> Any:
        return open_client(self.aws_conn_id, self._cancellation.check)

    def _log_rasters(self, job: Job, rasters: Sequence[RasterFacts]) -> None:
        for raster in rasters:
            name = f"{job.destination.base}{raster.plan.suffix}"
            self.log.info("Verified %s: %s", name, raster.grid)
            for warning in raster.warnings:
                self.log.warning("%s: %s", name, warning)
