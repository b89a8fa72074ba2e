"""Earth Engine -> S3: the operator, and how tasks behind it open what it stored."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider.earthengine.download.image import ImageSource, describe_image, read_image
from airflow_provider.earthengine.download.params import DownloadParams, read_params
from airflow_provider.earthengine.download.plan import (
    Download,
    item_suffix,
    plan_download,
    read_layout,
)
from airflow_provider.earthengine.download.record import (
    CommitRecord,
    Destination,
    Identity,
    fingerprint_download,
    read_if_exists,
    read_prefix,
)
from airflow_provider.earthengine.download.values import read_text
from airflow_provider.earthengine.exceptions import PermanentError
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from rasterio.io import DatasetReader

    from airflow_provider.earthengine.download.item import Run
    from airflow_provider.earthengine.download.publish import Standing
    from airflow_provider.earthengine.download.store import Bucket
    from airflow_provider.earthengine.download.verify import RasterFacts

_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class _Job:
    """The operator's fields, read and checked."""

    image: ImageSource
    params: DownloadParams
    layout: str
    destination: Destination
    identity: Identity


class EarthEngineToS3Operator(BaseOperator):
    """Download an Earth Engine image and publish it, verified and recorded, in S3.

    The objects are ``<s3_prefix>/<base>.tif``, ``<base>.<band>.tif``, ``<base>.npy`` or
    ``<base>.zip``, and beside them a STAC Item ``<base>.<tif|bands|npy|zip>.json``, written last:
    where there is an item, everything that it names is complete. ``base`` is the parameter
    ``name``, else the last part of the image's id, else "download".

    Returns the ``s3://`` URIs of the rasters; the item's URI is under the XCom key ``item``.

    :param image: an asset id, or an image as ``ee.Image.serialize()`` writes it, as JSON text or
        parsed. (templated)
    :param download_params: the parameters of ``ee.data.getDownloadId``: name, bands, crs,
        crs_transform, dimensions, scale, region, filePerBand, format. (templated)
    :param s3_bucket: the bucket; it must exist. (templated)
    :param s3_prefix: what the keys begin with. (templated)
    :param layout: "as_served", Earth Engine's files, unzipped; or "zip", its zip. (templated)
    :param if_exists: what becomes of another download at the same keys: "replace_changed" it,
        "fail", or "replace" even the same download, once a run. (templated)
    :param earthengine_conn_id: the Earth Engine connection. (templated)
    :param aws_conn_id: the AWS connection; its endpoint and role are honoured. (templated)
    """

    template_fields: Sequence[str] = (
        "image",
        "download_params",
        "s3_bucket",
        "s3_prefix",
        "layout",
        "if_exists",
        "earthengine_conn_id",
        "aws_conn_id",
    )
    # With a suffix here, every templated text that ends in it would be read as a file.
    template_ext: Sequence[str] = ()
    template_fields_renderers = {"image": "json", "download_params": "json"}  # noqa: RUF012  # Airflow's own form
    ui_color = "#dff0d8"

    def __init__(
        self,
        *,
        image: str | Mapping[str, Any],
        download_params: Mapping[str, Any] | str,
        s3_bucket: str,
        s3_prefix: str = "",
        layout: str = "as_served",
        if_exists: str = "replace_changed",
        earthengine_conn_id: str = EarthEngineHook.default_conn_name,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image = image
        self.download_params = download_params
        self.s3_bucket = s3_bucket
        self.s3_prefix = s3_prefix
        self.layout = layout
        self.if_exists = if_exists
        self.earthengine_conn_id = earthengine_conn_id
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> list[str]:
        """Publish the download, unless it is there already, and return the URIs."""
        from airflow_provider.earthengine.download.publish import look_at_destination

        with _permanent_errors_fail_the_task():
            job = self._read_job(context)
            bucket = self._open_bucket()
            standing = look_at_destination(bucket, job.destination, job.identity)
            if standing.done:
                self.log.info("Already published: %s", standing.done.item_uri)
            record = standing.done or self._download(job, bucket, standing, context)
        context["ti"].xcom_push(key="item", value=record.item_uri)
        return list(record.uris)

    def _download(
        self, job: _Job, bucket: Bucket, standing: Standing, context: Context
    ) -> CommitRecord:
        """Return the record of the download, fetched, verified and published."""
        from airflow_provider.earthengine.download.assemble import assemble_files
        from airflow_provider.earthengine.download.fetch import BodyRequest, fetch_body
        from airflow_provider.earthengine.download.integrity import check_body
        from airflow_provider.earthengine.download.item import Source, build_item
        from airflow_provider.earthengine.download.publish import publish_files
        from airflow_provider.earthengine.download.verify import verify_body

        started = time.monotonic()
        with EarthEngineHook(self.earthengine_conn_id) as hook, _scratch_directory() as scratch:
            hook.get_conn()
            image = job.image.to_ee()
            info = describe_image(hook, image, job.params)
            download = plan_download(info, job.params, job.layout)
            self._log_plan(job, download)
            body = fetch_body(
                hook,
                BodyRequest(
                    params={**job.params.to_request(), "image": image},
                    what=job.destination.base,
                    path=scratch / "body",
                    max_byte_count=download.max_body_byte_count,
                    check=lambda path: check_body(path, job.params.file_format),
                ),
            )
            self.log.info(
                "Fetched %s bytes in %.1f s, %d tries", f"{body.byte_count:,}", body.seconds,
                body.attempts,
            )  # fmt: skip
            rasters = verify_body(body.path, download, scratch)
            self._log_rasters(rasters)
            files = assemble_files(download, body, rasters)
            source, run = Source(job.image, info, job.params), _run_of(context)
            record = publish_files(
                bucket, job.destination, job.identity, standing, files,
                lambda stored: build_item(
                    job.destination, job.identity, source, run,
                    list(zip(files, stored, strict=True)),
                ),
            )  # fmt: skip
        self.log.info(
            "Published %s: %d objects, %s bytes, %.1f s in all",
            record.item_uri,
            len(record.objects),
            f"{sum(stored.byte_count for stored in record.objects):,}",
            time.monotonic() - started,
        )
        return record

    def _read_job(self, context: Context) -> _Job:
        image = read_image(self.image)
        params = read_params(self.download_params)
        layout = read_layout(self.layout, params)
        destination = Destination(
            bucket=read_text("s3_bucket", self.s3_bucket),
            prefix=read_prefix(self.s3_prefix),
            base=params.name or image.name,
            item_suffix=item_suffix(params, layout),
        )
        identity = Identity(
            fingerprint_download(image, params, layout),
            _generation_of(context),
            read_if_exists(self.if_exists),
        )
        return _Job(image, params, layout, destination, identity)

    def _open_bucket(self) -> Bucket:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        from airflow_provider.earthengine.download.store import Bucket

        return Bucket(S3Hook(aws_conn_id=self.aws_conn_id).get_conn(), self.s3_bucket)

    def _log_plan(self, job: _Job, download: Download) -> None:
        self.log.info(
            "Plan: %s as %s, one request of %.1f MiB as Earth Engine counts, to %s",
            job.image.asset_id or "a computed image",
            job.params.file_format,
            download.byte_count / _MEBIBYTE,
            job.destination.item_uri,
        )
        for raster in download.rasters:
            bands = ", ".join(f"{band.id} ({band.dtype})" for band in raster.bands)
            self.log.info("  %s%s: %s; %s", job.destination.base, raster.suffix, bands, raster.grid)

    def _log_rasters(self, rasters: Sequence[RasterFacts]) -> None:
        for raster in rasters:
            self.log.info("Verified %s: %s", raster.plan.suffix, raster.grid)
            for warning in raster.warnings:
                self.log.warning("%s: %s", raster.plan.suffix, warning)


@contextmanager
def open_raster(uri: str, *, aws_conn_id: str = "aws_default") -> Iterator[DatasetReader]:
    """Open a raster that a task published, as a rasterio dataset that reads it block by block.

    Use it as ``with open_raster(uri) as dataset:``.

    :param uri: ``s3://bucket/key`` of a GeoTIFF, for example out of the operator's XCom.
    :param aws_conn_id: the AWS connection; its endpoint and credentials are honoured.
    :raises rasterio.errors.RasterioIOError: when it does not exist or is no raster.
    """
    import rasterio
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from rasterio.session import AWSSession

    hook = S3Hook(aws_conn_id=aws_conn_id)
    client: Any = hook.get_conn()
    endpoint = urlsplit(client.meta.endpoint_url)
    options: dict[str, Any] = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
    own_endpoint = None
    if not (endpoint.hostname or "").endswith("amazonaws.com"):
        own_endpoint = endpoint.netloc
        options |= {
            "AWS_HTTPS": "YES" if endpoint.scheme == "https" else "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE",
        }
    session = AWSSession(hook.get_session(), endpoint_url=own_endpoint)
    with rasterio.Env(session=session, **options), rasterio.open(uri) as dataset:
        yield dataset


@contextmanager
def _permanent_errors_fail_the_task() -> Iterator[None]:
    """Tell Airflow not to retry what a retry cannot mend; everything else passes through."""
    try:
        yield
    except PermanentError as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


@contextmanager
def _scratch_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="earthengine-") as directory:
        yield Path(directory)


def _generation_of(context: Context) -> str:
    """Return what all tries of this run have in common, and no other run: ASCII, for metadata."""
    run: Any = context["dag_run"]
    # A cleared run keeps its id; Airflow before 3.2 does not say how often it was cleared.
    cleared = getattr(run, "clear_number", None) or 0
    return quote(f"{context['dag'].dag_id}/{run.run_id}/{cleared}", safe="/:+")


def _run_of(context: Context) -> Run:
    from airflow_provider.earthengine.download.item import Run

    ti = context["ti"]
    facts = {
        "airflow:dag_id": ti.dag_id,
        "airflow:task_id": ti.task_id,
        "airflow:run_id": ti.run_id,
        "airflow:map_index": ti.map_index,
        "airflow:try_number": ti.try_number,
    }
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    return Run(facts, (start, end) if start and end else None)
