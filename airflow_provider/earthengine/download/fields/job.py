"""The fields of a download -> :class:`Job`, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.download.fields.align_to import (
    ReadGrid,
    check_one_lattice,
    find_lattice,
    read_align_to,
)
from airflow_provider.earthengine.download.fields.collection import (
    StacCollection,
    read_collection,
)
from airflow_provider.earthengine.download.fields.destination import (
    Destination,
    Identity,
    IfExists,
    fingerprint_download,
    read_bucket_name,
    read_extra_args,
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
    arguments_without_function,
    call_image_function,
    read_image,
)
from airflow_provider.earthengine.download.fields.key_pattern import (
    check_files,
    fill_in,
    known_moment,
    read_key_pattern,
)
from airflow_provider.earthengine.download.fields.lattice import Lattice, read_grid
from airflow_provider.earthengine.download.fields.layout import (
    item_suffix,
    read_compression,
    read_layout,
    read_nodata,
)
from airflow_provider.earthengine.download.fields.on_empty import (
    FAIL,
    OnEmpty,
    read_on_empty,
    read_recheck_days,
)
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.plain_values import check_text
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.fields.record import read_band_records, read_record
from airflow_provider.earthengine.download.fields.region import (
    Region,
    is_region_file,
    read_region_file,
)
from airflow_provider.earthengine.download.fields.region_file import (
    check_byte_count,
    read_local_file,
)
from airflow_provider.earthengine.download.fields.snap import snap_params
from airflow_provider.earthengine.download.fields.source import KnownSource, read_source
from airflow_provider.earthengine.download.fields.values import (
    is_unset,
    read_boolean,
    read_json,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError


@dataclass(frozen=True)
class DownloadFields:
    """The rendered fields of a download, as the user wrote them; see the operator's documentation.

    :param image: may be an :class:`ImageFunction`.
    """

    image: Any
    download_params: Any
    s3_bucket: Any
    s3_prefix: Any = ""
    image_kwargs: Any = None
    layout: Any = None
    compression: Any = None
    if_exists: Any = IfExists.REPLACE_CHANGED
    on_empty: Any = FAIL
    recheck_days: Any = 7
    source: Any = None
    nodata: Any = None
    record: Any = None
    collection: Any = None
    s3_extra_args: Any = None
    limits: Any = None
    quicklook: Any = True
    grid: Any = None
    align_to: Any = None
    s3_key: Any = None


def _no_grid(uri: str) -> tuple[str, tuple[float, ...]]:
    raise DownloadParamsError(f"align_to is {shown(uri)}, which cannot be read here.")


@dataclass(frozen=True)
class Worker:
    """What reading the fields needs from the worker.

    :param connect: opens the Earth Engine session; called only if the image is a function.
    :param read_uri: returns the content of an ``s3://`` URI, or as many of its first bytes as a
        region file may have and one more.
    :param run_values: values of the run that an image function may take as parameters.
    :param task_id: "" outside Airflow.
    :param map_index: -1 for a task that is not mapped.
    :param region_folders: local region files must be inside one of these.
    :param read_grid: returns the crs and the transform of the raster at an ``s3://`` URI.
    """

    connect: Callable[[], object]
    read_uri: Callable[[str], bytes]
    run_values: Mapping[str, Any]
    task_id: str = ""
    map_index: int = -1
    region_folders: Sequence[Path] = ()
    read_grid: ReadGrid = _no_grid

    def identify(
        self, fingerprint: str, generation: str, if_exists: IfExists, source: KnownSource
    ) -> Identity:
        """Return whose download it is."""
        who = (self.task_id, self.map_index)
        return Identity(fingerprint, generation, if_exists, *who, source.collections)


@dataclass(frozen=True)
class Job:
    """One download, with all fields checked.

    :param nodata: the value for masked pixels; None: Earth Engine's own.
    :param record: what the user adds to the item, under STAC's names.
    :param collection: the STAC Collection that it belongs to; None for none.
    :param bands: what the user says of the bands, by their ids, under STAC's names.
    :param source: what a listing reported about the image.
    :param lattice: that the pixels are on; None if the parameters alone say where they are.
    :param region: the region that was snapped to the lattice; it is none of the parameters then.
    :param extra_args: the S3 client's arguments for every object written.
    :param quicklook: whether a picture is stored beside the item.
    """

    image: ImageSource
    params: DownloadParams
    layout: str
    compression: str
    limits: DownloadLimits
    nodata: float | None
    record: Mapping[str, str]
    collection: StacCollection | None
    bands: Mapping[str, Mapping[str, Any]]
    source: KnownSource
    on_empty: OnEmpty
    recheck_days: float
    extra_args: Mapping[str, Any]
    quicklook: bool
    destination: Destination
    identity: Identity
    lattice: Lattice | None = None
    region: Region | None = None


def read_job(fields: DownloadFields, generation: str, worker: Worker) -> Job:
    """Return the download that the rendered fields describe.

    :param generation: the same for all tries of one run of the task.
    :raises DownloadParamsError: if a field is invalid or contradicts another.
    """
    params, lattice, region = _read_params(fields, worker)
    layout = read_layout(fields.layout, params)
    nodata = read_nodata(fields.nodata, layout)
    prefix = read_prefix(fields.s3_prefix)
    limits = read_download_limits(fields.limits)
    limits.check_apart_from(prefix)
    pattern = read_key_pattern(fields.s3_key)
    check_files(pattern, params, layout)
    bucket = read_bucket_name(fields.s3_bucket)
    if_exists = read_if_exists(fields.if_exists)
    source = read_source(fields.source)
    checked = _read_others(fields, layout, prefix)
    moment = known_moment(source, checked["record"], worker.run_values)
    # Last, because it may call the user's code and open a session.
    image = _read_image(fields, worker)
    fingerprint = fingerprint_download(image, params, layout, nodata, fields.compression)
    base = params.name or source.name or image.name
    names = fill_in(pattern, prefix, base, moment) if pattern else None
    place = names.place() if names else (prefix, base)
    limits.check_apart_from(place[0])
    destination = Destination(bucket, *place, item_suffix(params, layout), names)
    return Job(
        image=image,
        params=params,
        layout=layout,
        limits=limits,
        nodata=nodata,
        source=source,
        destination=destination,
        identity=worker.identify(fingerprint, generation, if_exists, source),
        lattice=lattice,
        region=region,
        **checked,
    )


def _read_others(fields: DownloadFields, layout: str, prefix: str) -> dict[str, Any]:
    """Return those of the job's fields that hang on no other but these."""
    return {
        "compression": read_compression(fields.compression, layout),
        "record": read_record(fields.record),
        "collection": read_collection(fields.collection, prefix),
        "bands": read_band_records(fields.record),
        "on_empty": read_on_empty(fields.on_empty),
        "recheck_days": read_recheck_days(fields.recheck_days),
        "extra_args": read_extra_args(fields.s3_extra_args),
        "quicklook": read_boolean("quicklook", fields.quicklook),
    }


def read_image_kwargs(value: Any) -> Mapping[str, Any]:
    """Return the keyword arguments of an image function.

    :raises DownloadParamsError: if the value is neither a dict nor JSON text of one.
    """
    # The values may be of any type: only the user's function reads them.
    image_kwargs = read_json("image_kwargs", value) if isinstance(value, str) else value
    if is_unset(image_kwargs):
        return {}
    if not isinstance(image_kwargs, Mapping) or not all(isinstance(k, str) for k in image_kwargs):
        raise DownloadParamsError(
            f"image_kwargs is {shown(image_kwargs)}; write a dict of arguments by name.",
            field="image_kwargs",
        )
    return image_kwargs


def _read_image(fields: DownloadFields, worker: Worker) -> ImageSource:
    image_kwargs = read_image_kwargs(fields.image_kwargs)
    if isinstance(fields.image, ImageFunction):
        worker.connect()
        return call_image_function(fields.image, image_kwargs, worker.run_values)
    if image_kwargs:
        raise arguments_without_function()
    return read_image(fields.image)


def _read_params(
    fields: DownloadFields, worker: Worker
) -> tuple[DownloadParams, Lattice | None, Region | None]:
    """Return the parameters; the lattice that they were snapped to, and the region before that."""
    asked = read_params(_with_region_of_file(fields.download_params, worker))
    lattice, name = _read_lattice(fields, worker)
    if lattice is None:
        return asked, None, None
    return snap_params(asked, lattice, name), lattice, asked.region


def _read_lattice(fields: DownloadFields, worker: Worker) -> tuple[Lattice | None, str]:
    """Return the lattice of a series, and the field that gives it."""
    lattice, uri = read_grid(fields.grid), read_align_to(fields.align_to)
    if uri is None:
        return lattice, "grid"
    check_one_lattice(lattice, uri)
    return find_lattice(uri, worker.read_uri, worker.read_grid), "align_to"


def _with_region_of_file(raw: Any, worker: Worker) -> Any:
    """Return the parameters with a region file replaced by the GeoJSON in it."""
    given = read_json("download_params", raw)
    if not isinstance(given, Mapping) or not is_region_file(given.get("region")):
        return given
    name = str(given["region"]).strip()
    check_text("region", name)
    if name.lower().startswith("s3://"):
        content = worker.read_uri(name)
        check_byte_count(name, content)
    else:
        content = read_local_file(name, worker.region_folders)
    return {**given, "region": read_region_file(name, content)}
