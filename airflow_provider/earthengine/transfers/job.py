"""The operator's fields and Airflow's context -> :class:`Job`, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import conf

from airflow_provider.earthengine.download.fields.destination import (
    Destination,
    Identity,
    fingerprint_download,
    read_if_exists,
    read_prefix,
)
from airflow_provider.earthengine.download.fields.download_limits import (
    DownloadLimits,
    read_download_limits,
)
from airflow_provider.earthengine.download.fields.image import (
    ImageFunction,
    ImageSource,
    call_image_function,
    read_image,
)
from airflow_provider.earthengine.download.fields.layout import (
    item_suffix,
    read_compression,
    read_layout,
)
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.fields.region import is_region_file, parse_region_file
from airflow_provider.earthengine.download.fields.source import KnownSource, read_source
from airflow_provider.earthengine.download.fields.values import (
    read_json,
    read_number,
    read_text,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider.earthengine.download.item import Run
    from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
    from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

_RECORD_KEYS = {"licence": "license", "attribution": "attribution"}


@dataclass(frozen=True)
class Job:
    """One download, in the words of the download code.

    :param nodata: the value for masked pixels; None: Earth Engine's own.
    :param record: what the user adds to the item, under STAC's names.
    :param source: what a listing said of the image.
    """

    image: ImageSource
    params: DownloadParams
    layout: str
    compression: str
    limits: DownloadLimits
    nodata: float | None
    record: Mapping[str, str]
    source: KnownSource
    destination: Destination
    identity: Identity


def read_job(
    operator: EarthEngineToS3Operator,
    context: Context,
    hook: EarthEngineHook,
    read_uri: Callable[[str], bytes],
) -> Job:
    """Return the download that the rendered fields mean.

    :param hook: its session is opened only if the image is a function.
    :param read_uri: returns the content of an ``s3://`` URI.
    :raises DownloadParamsError: for a field that cannot be meant so.
    """
    params = read_params(_with_region_of_file(operator.download_params, read_uri))
    layout = read_layout(operator.layout, params)
    compression = read_compression(operator.compression, layout)
    limits = read_download_limits(operator.limits)
    nodata = _read_nodata(operator.nodata, layout)
    record = _read_record(operator.record)
    prefix = read_prefix(operator.s3_prefix)
    _check_apart(prefix, limits.staging_prefix)
    if_exists = read_if_exists(operator.if_exists)
    source = read_source(operator.source)
    image = _read_image(operator, context, hook)
    return Job(
        image=image,
        params=params,
        layout=layout,
        compression=compression,
        limits=limits,
        nodata=nodata,
        record=record,
        source=source,
        destination=Destination(
            bucket=read_text("s3_bucket", operator.s3_bucket),
            prefix=prefix,
            base=params.name or source.name or image.name,
            item_suffix=item_suffix(params, layout),
        ),
        identity=Identity(
            fingerprint_download(image, params, layout, nodata, operator.compression),
            _generation_of(context),
            if_exists,
        ),
    )


def _read_image(
    operator: EarthEngineToS3Operator, context: Context, hook: EarthEngineHook
) -> ImageSource:
    image_kwargs = operator.image_arguments()
    if isinstance(operator.image, ImageFunction):
        hook.get_conn()
        return call_image_function(operator.image, image_kwargs, context)
    if image_kwargs:
        raise DownloadParamsError(
            "image_kwargs is given, and image is no function that takes them.",
            field="image_kwargs",
        )
    return read_image(operator.image)


def _with_region_of_file(raw: Any, read_uri: Callable[[str], bytes]) -> Any:
    """Return the parameters with the GeoJSON that the region's file holds."""
    given = read_json("download_params", raw)
    if not isinstance(given, Mapping) or not is_region_file(given.get("region")):
        return given
    name = str(given["region"]).strip()
    if name.startswith("s3://"):
        content = read_uri(name)
    else:
        try:
            content = Path(name).expanduser().read_bytes()
        except OSError as error:
            raise DownloadParamsError(
                f"region file {name} cannot be read on this worker ({error.strerror}); give an "
                "s3:// URI, or the GeoJSON itself.",
                field="region",
            ) from None
    return {**given, "region": parse_region_file(name, content)}


def _check_apart(prefix: str, staging_prefix: str) -> None:
    if prefix and f"{staging_prefix}/".startswith(f"{prefix}/"):
        raise DownloadParamsError(
            f"limits['staging_prefix'] is {shown(staging_prefix)}, inside of s3_prefix, where only "
            "results are; name another.",
            field="limits",
        )


def _read_nodata(value: Any, layout: str) -> float | None:
    if value is None:
        return None
    if layout == "zip":
        raise DownloadParamsError(
            "nodata is given, and layout 'zip' keeps Earth Engine's zip as it is; use layout "
            "'as_served'.",
            field="nodata",
        )
    return read_number("nodata", value)


def _read_record(value: Any) -> dict[str, str]:
    given = read_json("record", value) or {}
    if not isinstance(given, Mapping) or not set(given) <= set(_RECORD_KEYS):
        raise DownloadParamsError(
            f"record is {shown(given)}; write a dict with any of {', '.join(_RECORD_KEYS)}.",
            field="record",
        )
    return {_RECORD_KEYS[key]: read_text(key, text) for key, text in given.items()}


def _generation_of(context: Context) -> str:
    """Return what all tries of this run have in common, and no other run: ASCII, for metadata."""
    run: Any = context["dag_run"]
    # A cleared run keeps its id; Airflow before 3.2 does not say how often it was cleared.
    cleared = getattr(run, "clear_number", None) or 0
    return quote(f"{context['dag'].dag_id}/{run.run_id}/{cleared}", safe="/:+")


def scratch_place() -> Path | None:
    """Return where the deployment wants scratch files; None: where TMPDIR says."""
    place = conf.get("earthengine", "scratch_directory", fallback="")
    return Path(place) if place else None


def tags_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """Return those of the image's properties that a GeoTIFF can carry: texts and numbers."""
    return {
        key: str(value)
        for key, value in properties.items()
        if isinstance(value, str | int | float) and "=" not in key
    }


def workload_tag_of(context: Context) -> str:
    """Return what Earth Engine's usage reports call the task's requests.

    The client takes lower-case letters, digits, dashes and underscores, at most 63. Source:
    https://github.com/google/earthengine-api, ``python/ee/_state.py``, release 1.7.50.
    """
    ti = context["ti"]
    text = f"{ti.dag_id}--{ti.task_id}".lower()
    return re.sub(r"[^a-z0-9_-]", "-", text)[:63].strip("-_") or "task"


def run_of(context: Context, source: KnownSource, *, is_conditional: bool) -> Run:
    """Return who asks, for the item.

    :param source: what a listing said of the image.
    :param is_conditional: whether the object store honours conditional writes.
    """
    from airflow_provider.earthengine.download.item import Run

    ti = context["ti"]
    facts = {
        "airflow:dag_id": ti.dag_id,
        "airflow:task_id": ti.task_id,
        "airflow:run_id": ti.run_id,
        "airflow:map_index": ti.map_index,
        "airflow:try_number": ti.try_number,
        **source.to_item(),
        # None is left out of the item.
        "earthengine:conditional_writes": None if is_conditional else False,
    }
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    return Run(facts, (start, end) if start and end else None)
