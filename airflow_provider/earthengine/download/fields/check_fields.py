"""The fields of a download as the DAG file has them: which literals can never be right?

The readers are those of :func:`~.job.read_job`, which reads all fields again once they are
rendered. This runs whenever a DAG file is parsed, so it imports nothing heavy and opens no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider.earthengine.download.fields.align_to import (
    check_one_lattice,
    read_align_to,
)
from airflow_provider.earthengine.download.fields.collection import (
    COLLECTION_KEYS,
    read_collection,
    read_collection_keys,
)
from airflow_provider.earthengine.download.fields.destination import (
    EXTRA_ARGS,
    read_bucket_name,
    read_extra_args,
    read_if_exists,
    read_prefix,
)
from airflow_provider.earthengine.download.fields.download_limits import (
    LIMITS,
    read_download_limits,
)
from airflow_provider.earthengine.download.fields.image import (
    ImageFunction,
    arguments_without_function,
    check_arguments,
    read_image,
)
from airflow_provider.earthengine.download.fields.job import read_image_kwargs
from airflow_provider.earthengine.download.fields.key_pattern import (
    check_files,
    read_key_pattern,
)
from airflow_provider.earthengine.download.fields.lattice import check_grid_keys, read_grid
from airflow_provider.earthengine.download.fields.layout import (
    COG,
    LAYOUTS,
    read_compression,
    read_layout,
    read_nodata,
)
from airflow_provider.earthengine.download.fields.literals import check_items, is_literal
from airflow_provider.earthengine.download.fields.on_empty import read_on_empty, read_recheck_days
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.read_params import (
    check_params_in_part,
    read_params,
)
from airflow_provider.earthengine.download.fields.record import check_record_keys, read_record
from airflow_provider.earthengine.download.fields.region import check_region
from airflow_provider.earthengine.download.fields.snap import check_alone
from airflow_provider.earthengine.download.fields.source import read_source
from airflow_provider.earthengine.download.fields.values import read_boolean, read_choice

_READERS: dict[str, Callable[[Any], object]] = {
    "s3_bucket": read_bucket_name,
    "s3_prefix": read_prefix,
    "s3_key": read_key_pattern,
    "if_exists": read_if_exists,
    "on_empty": read_on_empty,
    "recheck_days": read_recheck_days,
    "record": read_record,
    "collection": read_collection,
    "s3_extra_args": read_extra_args,
    "limits": read_download_limits,
    "image_kwargs": read_image_kwargs,
    "quicklook": lambda value: read_boolean("quicklook", value),
    "grid": read_grid,
    "align_to": read_align_to,
    "plan_only": lambda value: read_boolean("plan_only", value),
}


def check_literals(fields: Mapping[str, Any]) -> None:
    """Raise if a literal can never be right; templates, XComArgs and the like are not checked.

    :param fields: the fields that are given, by name; others are unknown.
    :raises DownloadParamsError: if one is invalid, or two contradict each other.
    """
    literals = {name: value for name, value in fields.items() if is_literal(value)}
    for name, read in _READERS.items():
        if name in literals:
            read(literals[name])
    # It is never rendered: what looks like a template is an asset's name.
    source = fields.get("source")
    if isinstance(source, Mapping) or is_literal(source):
        read_source(source)
    _check_in_part(fields, literals)
    if {"s3_prefix", "limits"} <= set(literals):
        limits = read_download_limits(literals["limits"])
        limits.check_apart_from(read_prefix(literals["s3_prefix"]))
    if {"s3_prefix", "collection"} <= set(literals):
        read_collection(literals["collection"], read_prefix(literals["s3_prefix"]))
    params = None
    if "download_params" in literals:
        params = read_params(literals["download_params"], check_region)
    _check_lattice(fields, literals, params)
    _check_files(literals, params)
    _check_image(literals)


def _check_in_part(fields: Mapping[str, Any], literals: Mapping[str, Any]) -> None:
    """Check those entries of dicts that are literals next to ones that are not."""
    mixed = {
        name: value
        for name, value in fields.items()
        if name not in literals and isinstance(value, Mapping)
    }
    if "limits" in mixed:
        check_items(mixed["limits"], LIMITS, read_download_limits)
    if "s3_extra_args" in mixed:
        check_items(mixed["s3_extra_args"], EXTRA_ARGS, read_extra_args)
    if "grid" in mixed:
        check_grid_keys(mixed["grid"])
    if "record" in mixed:
        check_record_keys(mixed["record"])
    if "collection" in mixed:
        check_items(mixed["collection"], COLLECTION_KEYS, read_collection_keys)
    if "download_params" in mixed:
        check_params_in_part(mixed["download_params"], is_literal, check_region)


def _check_lattice(
    fields: Mapping[str, Any], literals: Mapping[str, Any], params: DownloadParams | None
) -> None:
    """Check that only one of the fields sets the pixels."""
    check_one_lattice(read_grid(literals.get("grid")), read_align_to(literals.get("align_to")))
    given = [name for name in ("grid", "align_to") if fields.get(name) is not None]
    if given and params is not None:
        check_alone(params, given[0])


def _check_files(literals: Mapping[str, Any], params: DownloadParams | None) -> None:
    """Check what the download becomes, against its format if that is known."""
    layout = None
    if "layout" in literals:
        value = literals["layout"]
        if params is not None:
            layout = read_layout(value, params)
        elif value is not None:
            layout = read_choice("layout", value, LAYOUTS)
    pattern = read_key_pattern(literals.get("s3_key"))
    if params is not None and layout is not None:
        check_files(pattern, params, layout)
    # With COG, any compression and nodata value is valid.
    if "compression" in literals:
        read_compression(literals["compression"], layout or COG)
    if "nodata" in literals:
        read_nodata(literals["nodata"], layout or COG)


def _check_image(literals: Mapping[str, Any]) -> None:
    image = literals.get("image")
    image_kwargs = read_image_kwargs(literals.get("image_kwargs"))
    if isinstance(image, ImageFunction):
        check_arguments(image, image_kwargs)
    elif "image" in literals:
        read_image(image)
        if image_kwargs:
            raise arguments_without_function()
