"""The provider: its operator, executed in a process that has what Airflow's task process has."""

from __future__ import annotations

import importlib
from typing import Any

from tests.benchmarks.assignment import Assignment, Piece

# What a worker has imported when it calls ``execute``.
_TASK_PROCESS = ("airflow.sdk.execution_time.supervisor", "airflow.sdk.execution_time.task_runner")


def prepare() -> None:
    """Import Airflow and the operator, as the parse of the DAG file does."""
    for name in _TASK_PROCESS:
        importlib.import_module(name)
    importlib.import_module("airflow_provider.earthengine.transfers.earthengine_to_s3")


def run(assignment: Assignment, variant: str) -> list[Piece]:
    """Execute the operator; the connections are in the environment.

    :param variant: "zstd", "resume" to keep every tile for a retry, or "" for neither.
    """
    from tests.support.airflow_task import task_context

    _operator(assignment, variant).execute(task_context())
    return []


def rehearse(assignment: Assignment, variant: str) -> list[Piece]:
    """Ask for everything once: the operator has no way to fetch and keep nothing."""
    return run(assignment, variant)


def _operator(assignment: Assignment, variant: str) -> Any:
    from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

    compression = "zstd" if variant == "zstd" else assignment.compression.name
    limits = {"resume": "always"} if variant == "resume" else {}
    return EarthEngineToS3Operator(
        task_id="download",
        image=assignment.scene.asset_id,
        download_params={"name": "raster", "format": "GEO_TIFF"},
        s3_bucket=assignment.bucket,
        s3_prefix=assignment.prefix,
        layout=assignment.layout,
        compression=compression if assignment.layout == "cog" else None,
        limits={"max_concurrent_requests": assignment.concurrency, **limits},
    )
