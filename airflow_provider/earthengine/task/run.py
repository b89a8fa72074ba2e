"""Airflow's context -> what a download needs from the run, and what it records of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import conf

from airflow_provider.earthengine.download.fields.source import KnownSource
from airflow_provider.earthengine.download.fields.values import is_unset
from airflow_provider.earthengine.exceptions import DownloadParamsError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider.earthengine.download.publish.item import Run


def window_of(start: Any, end: Any, context: Context) -> tuple[Any, Any]:
    """Return start and end of the window; by default those of the run's data interval.

    :raises DownloadParamsError: if one is not given and the run has no data interval.
    """
    window = {"start": start, "end": end}
    for field, value in window.items():
        if is_unset(value):
            window[field] = context.get(f"data_interval_{field}")
        if window[field] is None:
            raise DownloadParamsError(
                f"{field} is not given, and this run has no data interval, like a manual run "
                f"without a date; set {field}, or trigger the run with a logical date.",
                field=field,
            )
    return window["start"], window["end"]


def generation_of(context: Context) -> str:
    """Return an id of this run, the same for all its tries; in ASCII, for metadata."""
    run: Any = context["dag_run"]
    # A cleared run keeps its id; Airflow before 3.2 does not expose how often it was cleared.
    cleared = getattr(run, "clear_number", None) or 0
    return quote(f"{context['dag'].dag_id}/{run.run_id}/{cleared}", safe="/:+")


def scratch_place() -> Path | None:
    """Return the configured directory for scratch files; None: TMPDIR."""
    place = conf.get("earthengine", "scratch_directory", fallback="")
    return Path(place) if place else None


def region_folders(context: Context) -> tuple[Path, ...]:
    """Return the folders that a local region file must be inside: the DAG's and configured ones."""
    bundle = getattr(context["ti"], "bundle_instance", None)
    # `airflow dags test` has no bundle; there it is the folder of the DAG file.
    own = bundle.path if bundle else getattr(context["dag"], "folder", None)
    configured = conf.get("earthengine", "region_folders", fallback="").split(",")
    named = [Path(folder.strip()) for folder in configured if folder.strip()]
    return (*((Path(own),) if own else ()), *named)


def workload_tag_of(context: Context) -> str:
    """Return the tag of the task's requests in Earth Engine's usage reports.

    The client accepts lower-case letters, digits, dashes and underscores, at most 63. Source:
    https://github.com/google/earthengine-api, ``python/ee/_state.py``, release 1.7.50.
    """
    ti = context["ti"]
    text = f"{ti.dag_id}--{ti.task_id}".lower()
    return re.sub(r"[^a-z0-9_-]", "-", text)[:63].strip("-_") or "task"


def facts_of(context: Context) -> dict[str, Any]:
    """Return what an item or a claim records of the run that wrote it."""
    ti = context["ti"]
    return {
        "airflow:dag_id": ti.dag_id,
        "airflow:task_id": ti.task_id,
        "airflow:run_id": ti.run_id,
        "airflow:map_index": ti.map_index,
        "airflow:try_number": ti.try_number,
    }


def run_of(context: Context, source: KnownSource, *, is_conditional: bool) -> Run:
    """Return the run that requests the download, for the item.

    :param source: what a listing reported about the image.
    :param is_conditional: whether the object store honours conditional writes.
    """
    from airflow_provider.earthengine.download.publish.item import Run

    facts = {
        **facts_of(context),
        **source.to_item(),
        # None is left out of the item.
        "earthengine:conditional_writes": None if is_conditional else False,
    }
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    return Run(facts, (start, end) if start and end else None)
