"""Airflow's pages of some downloads: an API server whose database has runs that have ended."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stack.airflow import SQLITE_FILE, AirflowHome, airflow_home
from stack.processes import LOOPBACK, answers, free_ports, running

DAG_ID = "santa_cruz"
ELEVATION, MAPPED, OTHER = "elevation", "download", "list_images"
"""The ids of a task, of a mapped one, and of one that downloads nothing."""
_RUN_DATE = "2021-02-01"
_DAG = f"""
from datetime import datetime
from airflow.sdk import DAG
from airflow_provider.earthengine.operators.list_images import EarthEngineListImagesOperator
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

with DAG({DAG_ID!r}, schedule=None, start_date=datetime(2021, 1, 1)):
    images = EarthEngineListImagesOperator(
        task_id={OTHER!r},
        collection="COPERNICUS/S2_SR_HARMONIZED",
        start="2021-01-01",
        end="2021-02-01",
        region=[-122.1159, 37.0236, -122.0326, 37.0886],
        limit=6,
        s3_prefix="sentinel2/%Y/%m",
    )
    EarthEngineToS3Operator.partial(
        task_id={MAPPED!r},
        s3_bucket="demo",
        download_params={{
            "bands": ["B4", "B3", "B2"],
            "region": [-122.1159, 37.0236, -122.0326, 37.0886],
            "crs": "EPSG:32610",
            "scale": 20,
            "format": "GEO_TIFF",
        }},
    ).expand_kwargs(images.output)
    EarthEngineToS3Operator(
        task_id={ELEVATION!r},
        image="projects/demo/assets/dem_olinda",
        download_params={{"name": "olinda", "format": "GEO_TIFF"}},
        s3_bucket="demo",
    )
"""


@dataclass(frozen=True)
class TaskPages:
    """A running API server.

    :param url: of the user interface.
    :param run_id: of the run to show.
    """

    url: str
    home: AirflowHome
    run_id: str

    def task(self, task_id: str, map_index: int | None = None) -> str:
        """Return the address of the tab of a task."""
        mapped = "" if map_index is None else f"/mapped/{map_index}"
        return f"{self._run}/tasks/{task_id}{mapped}/plugin/earth_engine"

    @property
    def contact_sheet(self) -> str:
        """The address of the tab of the run."""
        return f"{self._run}/plugin/earth_engine_pictures"

    @property
    def _run(self) -> str:
        return f"{self.url}/dags/{DAG_ID}/runs/{quote(self.run_id, safe='')}"

    def change_summary(self, task_id: str, map_index: int, value: object) -> None:
        """Have a task have left another summary; None: none at all."""
        where = "where key = 'summary' and task_id = ? and map_index = ?"
        with contextlib.closing(sqlite3.connect(self.home.folder / SQLITE_FILE)) as database:
            if value is None:
                database.execute(f"delete from xcom {where}", (task_id, map_index))
            else:
                text = json.dumps(value)
                database.execute(f"update xcom set value = ? {where}", (text, task_id, map_index))
            database.commit()


@contextlib.contextmanager
def task_pages(
    folder: Path,
    connections: Mapping[str, str],
    migrated_file: Path | None = None,
    program: Path | None = None,
) -> Iterator[TaskPages]:
    """Run some downloads, then an API server that shows them, until the block ends.

    :param folder: for the DAG and the logs.
    :param connections: connection id -> JSON text.
    :param migrated_file: see :func:`airflow_home`, as for ``program``.
    """
    (folder / "dags").mkdir()
    (folder / "dags" / f"{DAG_ID}.py").write_text(_DAG)
    port = free_ports(1)[0]
    url = f"http://{LOOPBACK}:{port}"
    settings = {
        "AIRFLOW__API__BASE_URL": url, "AIRFLOW__API__PORT": str(port), "AIRFLOW__API__WORKERS": "1"
    }  # fmt: skip
    with contextlib.ExitStack() as parts:
        home = parts.enter_context(
            airflow_home(
                dags_folder=folder / "dags",
                connections=connections,
                migrated_file=migrated_file,
                program=program,
                extra=settings,
            )
        )
        home.run("dags", "reserialize")
        home.test_dag(DAG_ID, _RUN_DATE)
        with contextlib.closing(sqlite3.connect(home.folder / SQLITE_FILE)) as database:
            ((run_id,),) = database.execute("select run_id from dag_run").fetchall()
        server = parts.enter_context(
            running(
                "airflow api-server",
                [home.program, "api-server"],
                environment=home.environment,
                log_path=folder / "api-server.log",
                grace_seconds=15,
            )
        )
        server.wait_until(lambda: answers(f"{url}/api/v2/monitor/health"), timeout_seconds=120)
        yield TaskPages(url, home, run_id)
