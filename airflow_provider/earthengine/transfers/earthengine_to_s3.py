"""Earth Engine -> S3: the operator. The steps of a download are in :mod:`download`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider.earthengine.download.fields.check_fields import check_literals
from airflow_provider.earthengine.download.fields.image import ImageFunction
from airflow_provider.earthengine.download.fields.job import DownloadFields, Job
from airflow_provider.earthengine.download.fields.literals import is_literal
from airflow_provider.earthengine.download.fields.on_empty import FAIL
from airflow_provider.earthengine.download.fields.values import read_boolean
from airflow_provider.earthengine.download.plan.plan import plan_job
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.links.download import CatalogLink, ItemLink, ObjectLink
from airflow_provider.earthengine.task.asset_events import (
    CHANGED,
    EVENT,
    announce,
    describe_published,
    is_of_this_task,
    read_asset_events,
    without_assets,
)
from airflow_provider.earthengine.task.download import log_plan
from airflow_provider.earthengine.task.lineage_method import LineageOfDownload
from airflow_provider.earthengine.task.parse_time import ParseTimeChecks
from airflow_provider.earthengine.task.run import generation_of
from airflow_provider.earthengine.task.steps import StepsOfDownload
from airflow_provider.earthengine.task.summary import summary_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context


class EarthEngineToS3Operator(StepsOfDownload, LineageOfDownload, ParseTimeChecks):
    """Download an Earth Engine image and publish it, verified and recorded, in S3.

    The objects are ``<s3_prefix>/<base>.tif``, ``<base>.<band>.tif``, ``<base>.npy`` or
    ``<base>.zip``, next to a STAC Item ``<base>.<tif|bands|npy|zip>.json``, which is written last:
    if the item exists, everything that it names is complete. ``base`` is the parameter
    ``name``, else the last part of the image's id, else "download".

    Returns the ``s3://`` URIs of the rasters; the item's URI is under the XCom key ``item``, and
    under ``summary`` is what the task's page shows: picture, footprint, files, bands, warnings.
    Under ``event`` is what an event of an asset among the ``outlets`` says.

    :param image: an asset id; the output of ``ee.Image.serialize()``, as JSON text or parsed; or a
        function that returns an ``ee.Image``. (templated)
    :param image_kwargs: keyword arguments of the function; its other parameters (``ds``,
        ``data_interval_start``, ``params``, ...) are taken from the run. (templated)
    :param download_params: the parameters of ``ee.data.getDownloadId``: name, bands, crs,
        crs_transform, dimensions, scale, region, filePerBand, format. (templated)
    :param s3_bucket: the bucket; it must exist. (templated)
    :param s3_prefix: the prefix of the keys. (templated)
    :param s3_key: a pattern of the objects' keys below ``s3_prefix``, such as
        ``year={year}/month={month}/{base}.{band}.tif``, with the fields ``base``, ``band``,
        ``suffix``, ``date``, ``year``, ``month`` and ``day``; by default, ``{base}{suffix}``. The
        item lies beside, without the band. (templated)
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
    :param record: what to add to the item: ``licence``, ``attribution``; the time of data that has
        none of its own: ``datetime``, or ``start_datetime`` and ``end_datetime``, or all three; and
        ``bands``, the ``scale``, ``offset``, ``unit`` and ``description`` of each. (templated)
    :param collection: the STAC Collection that the item joins, whose document is
        ``<prefix>/collection.json``: ``id``, and any of ``prefix`` (s3_prefix, or a part of it; by
        default all of it), ``title``, ``description``, ``licence``, ``keywords``, ``providers`` and
        ``mixed_grids``. (templated)
    :param s3_extra_args: how objects are written: ServerSideEncryption, SSEKMSKeyId,
        SSEKMSEncryptionContext, BucketKeyEnabled, Tagging, StorageClass, ACL. (templated)
    :param grid: the lattice that the pixels lie on, whatever the region: ``crs``, ``resolution`` in
        units of the crs, and ``origin``, a corner of pixels. The region's bounds are widened to it,
        so that all rasters of a series share the edges of pixels. (templated)
    :param align_to: the ``s3://`` URI of an item or a raster whose lattice is used, instead of
        ``grid``. (templated)
    :param limits: hard limits, and how large downloads are split and resumed: max_requests,
        max_byte_count, max_concurrent_requests, attempt_seconds, total_seconds, resume,
        staging_prefix, tile_byte_count and profile; the page "Rasters of any size" describes each.
        (templated)
    :param quicklook: whether to store a picture beside the item, and to show it on the task's page;
        it has at most 36 KiB, and is made of the smallest overview. (templated)
    :param plan_only: only log the requests, bytes and files of the download and push them under the
        XCom key ``plan``; fetch and publish nothing. (templated)
    :param asset_events: when the assets among the ``outlets`` have an event: "changed", only if
        this run published the item; or "always", also if it was there. A dict also says what its
        partition is: ``{"when": "always", "partition_key": "none"}``; by default "date", that of
        the data. (templated)
    :param earthengine_conn_id: the Earth Engine connection. (templated)
    :param aws_conn_id: the AWS connection; its endpoint and role are used. (templated)
    """

    template_fields: Sequence[str] = (
        "image",
        "image_kwargs",
        "download_params",
        "s3_bucket",
        "s3_prefix",
        "s3_key",
        "layout",
        "compression",
        "if_exists",
        "on_empty",
        "recheck_days",
        "nodata",
        "record",
        "collection",
        "s3_extra_args",
        "grid",
        "align_to",
        "limits",
        "quicklook",
        "plan_only",
        "asset_events",
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
        "collection": "json",
        "s3_extra_args": "json",
        "grid": "json",
        "limits": "json",
        "asset_events": "json",
    }
    operator_extra_links: Collection[BaseOperatorLink] = (ItemLink(), ObjectLink(), CatalogLink())
    ui_color = "#dff0d8"
    checked_fields = (
        *(each.name for each in dataclasses.fields(DownloadFields)), "plan_only", "asset_events"
    )  # fmt: skip
    required_fields: ClassVar[Sequence[str]] = ("image", "download_params", "s3_bucket")
    # The name of the download, else the asset's, else the number. Each of the fields may be text
    # that is only read later, and what is not defined fails.
    default_map_index_template = (
        "{% set params, image = task.download_params, task.image %}"
        "{{ (task.source or {}).get('name')"
        " or (params.get('name') if params is mapping else '')"
        " or (image.split('/')[-1] if image is string and '{' not in image else '')"
        " or ti.map_index }}"
    )

    def __init__(
        self,
        *,
        image: str | Mapping[str, Any] | Callable[..., Any],
        image_kwargs: Mapping[str, Any] | str | None = None,
        download_params: Mapping[str, Any] | str,
        s3_bucket: str,
        s3_prefix: str = "",
        s3_key: str | None = None,
        layout: str | None = None,
        compression: str | None = None,
        if_exists: str = "replace_changed",
        on_empty: str | Mapping[str, str] = FAIL,
        recheck_days: float | str = 7,
        source: Mapping[str, Any] | None = None,
        nodata: float | str | None = None,
        record: Mapping[str, str] | str | None = None,
        collection: Mapping[str, Any] | str | None = None,
        s3_extra_args: Mapping[str, Any] | str | None = None,
        grid: Mapping[str, Any] | str | None = None,
        align_to: str | None = None,
        limits: Mapping[str, Any] | str | None = None,
        quicklook: bool | str = True,
        plan_only: bool | str = False,
        asset_events: str | Mapping[str, str] = CHANGED,
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
        self.s3_key = s3_key
        self.layout = layout
        self.compression = compression
        self.if_exists = if_exists
        self.on_empty = on_empty
        self.recheck_days = recheck_days
        self.source = source
        self.nodata = nodata
        self.record = record
        self.collection = collection
        self.s3_extra_args = s3_extra_args
        self.grid = grid
        self.align_to = align_to
        self.limits = limits
        self.quicklook = quicklook
        self.plan_only = plan_only
        self.asset_events = asset_events
        self.earthengine_conn_id = earthengine_conn_id
        self.aws_conn_id = aws_conn_id
        self.check_literals()

    @classmethod
    def check_fields(cls, fields: Mapping[str, Any]) -> None:
        """Raise if a literal can never be right."""
        image = fields.get("image")
        # A mapped task has the function itself until it is made.
        check_literals({**fields, "image": ImageFunction(image)} if callable(image) else fields)
        if "asset_events" in fields and is_literal(fields["asset_events"]):
            read_asset_events(fields["asset_events"])

    def execute(self, context: Context) -> list[str]:
        """Publish the download, unless it already exists, and return the URIs."""
        started = time.monotonic()
        with self._failing_for_good(), self._hook(context) as hook:
            events = read_asset_events(self.asset_events)
            job = self._lineage.job = self._read_job(hook, context)
            if read_boolean("plan_only", self.plan_only):
                return self._push_plan(job, hook, context)
            with self._open_target(job, context) as target:
                record, was_there = self._publish(hook, job, target, context)
                summary = summary_of(job, target, record, was_there=was_there, started=started)
            self._lineage.publish(record, was_there=was_there, hook=hook)
        if was_there:
            self.log.info("Already published: %s", record.item_uri)
        is_changed = not was_there or is_of_this_task(record, generation_of(context), context)
        event = describe_published(record, is_changed=is_changed)
        context["ti"].xcom_push(key="item", value=record.item_uri)
        context["ti"].xcom_push(key="summary", value=summary)
        context["ti"].xcom_push(key=EVENT, value=event)
        # Airflow offers no other way to have no event of an asset.
        self.outlets = announce(self.outlets, events, event, context)
        return list(record.uris)

    def _push_plan(self, job: Job, hook: EarthEngineHook, context: Context) -> list[str]:
        plan = plan_job(job, hook)
        log_plan(plan)
        self.outlets = without_assets(self.outlets)
        context["ti"].xcom_push(key="plan", value=plan.to_dict())
        return []
