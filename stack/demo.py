"""``make demo``: the example DAGs, from the Earth Engine emulator to an S3 bucket, on loopback.

Everything it starts is stopped again; ``build/demo/`` keeps the quick-looks and the logs. The exit
code is 0 if every file is in the bucket and matches its record, 1 if something failed, and 130 if
it was interrupted.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stack.airflow import DAGS_FOLDER, AirflowHome, FailedRunError, airflow_home
from stack.bucket import list_keys, read_rasters, table
from stack.emulator import demo_emulator
from stack.environment import PROJECT_FOLDER
from stack.processes import StackError, interrupts_unwind
from stack.seaweedfs import SeaweedFS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DagRuns = Sequence[tuple[str, str]]

BUCKET = "demo"
OUTPUT_FOLDER = PROJECT_FOLDER / "build" / "demo"
DATE = "2021-01-09"
# Every other DAG of dags/. The recheck comes after the backfill, whose markers it reads.
DAG_RUNS = tuple(
    (dag_id, DATE)
    for dag_id in (
        "landsat_to_s3",
        "sentinel2_daily",
        "getdownloadid_examples",
        "many_regions",
        "ndvi_composite",
        "sentinel2_cloud_masks",
        "landsat_reflectance",
        "sentinel2_backfill",
        "sentinel2_recheck",
    )
)

NOT_RUN = {
    "country_mosaic": "it is a download for many workers; trigger it after `make up`",
    "sentinel2_ingestion": "it downloads a month, day by day; trigger it after `make up`",
}


def main(
    output_folder: Path = OUTPUT_FOLDER,
    dag_runs: DagRuns = DAG_RUNS,
    dags_folder: Path = DAGS_FOLDER,
) -> int:
    """Run the demo and return the exit code.

    :param output_folder: recreated; gets the quick-looks and a log per DAG.
    :param dag_runs: DAG ids with logical dates, in order.
    :param dags_folder: where the DAGs are.
    """
    try:
        shutil.rmtree(output_folder, ignore_errors=True)
        output_folder.mkdir(parents=True)
        with interrupts_unwind():
            run_demo(output_folder, dag_runs, dags_folder)
    except KeyboardInterrupt:
        print("demo: interrupted; everything it started is stopped", file=sys.stderr)
        return 130
    except (StackError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def run_demo(output_folder: Path, dag_runs: DagRuns, dags_folder: Path) -> None:
    """Start the parts, run the DAGs, show the bucket."""
    with contextlib.ExitStack() as parts:
        folder = Path(tempfile.mkdtemp(prefix="demo-"))
        parts.callback(shutil.rmtree, folder, ignore_errors=True)
        with step("S3 server (SeaweedFS)"):
            s3 = parts.enter_context(SeaweedFS(buckets=[BUCKET]))
        with step("Earth Engine emulator"):
            earth_engine = parts.enter_context(demo_emulator(folder))
        connections = {
            "earthengine_default": earth_engine.airflow_connection,
            "aws_default": s3.airflow_connection,
        }
        with step("Airflow (temporary home)"):
            airflow = parts.enter_context(
                airflow_home(dags_folder=dags_folder, connections=connections)
            )
        for dag_id, date in dag_runs:
            run_dag(airflow, dag_id, date, output_folder / f"{dag_id}.log")
        show_bucket(s3.client(), output_folder)
        for dag_id, reason in NOT_RUN.items():
            print(f"\nNot run: {dag_id}, for {reason}")


def run_dag(airflow: AirflowHome, dag_id: str, date: str, log_path: Path) -> None:
    """Run one DAG with ``airflow dags test``, and keep its log."""
    with step(f"airflow dags test {dag_id} {date}"):
        conf = json.dumps({"s3_bucket": BUCKET})
        try:
            log_path.write_text(airflow.test_dag(dag_id, date, conf))
        except FailedRunError as error:
            log_path.write_text(error.log)
            raise


def show_bucket(client: S3Client, output_folder: Path) -> None:
    """Print the rasters in the bucket, read back from it, and fetch the quick-looks.

    :raises StackError: if there is no raster or no quick-look, or a raster differs from its record.
    """
    rasters = read_rasters(client, BUCKET)
    pictures = fetch_quicklooks(client, output_folder)
    if not rasters or not pictures:
        raise StackError(f"the bucket holds {len(rasters)} rasters and {len(pictures)} quick-looks")
    print(f"\nIn the bucket {BUCKET!r}, read back and compared with the STAC items:\n")
    print(table(rasters))
    print("\nQuick-looks:")
    for picture in pictures:
        print(f"  {_shown(picture)}")
    print(f"\nLogs:\n  {_shown(output_folder)}/*.log")


def fetch_quicklooks(client: S3Client, output_folder: Path) -> list[Path]:
    """Copy every PNG of the bucket to a folder, and return their paths."""
    pictures = []
    for key in list_keys(client, BUCKET):
        if key.endswith(".png"):
            path = output_folder / Path(key).name
            client.download_file(BUCKET, key, str(path))
            pictures.append(path)
    return pictures


def _shown(path: Path) -> Path:
    return path.relative_to(PROJECT_FOLDER) if path.is_relative_to(PROJECT_FOLDER) else path


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """Print what is being done, and how long it took."""
    print(f"{text:<48}", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f" {time.monotonic() - started:6.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
