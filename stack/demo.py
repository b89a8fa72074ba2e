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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stack.airflow import DAGS_FOLDER, SQLITE_FILE, AirflowHome, FailedRunError, airflow_home
from stack.bucket import list_keys, read_rasters, table
from stack.emulator import demo_emulator
from stack.environment import PROJECT_FOLDER
from stack.processes import StackError, interrupts_unwind
from stack.seaweedfs import SeaweedFS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# DAG ids: those of a lane run one after the other, the lanes side by side.
Lanes = Sequence[Sequence[str]]

BUCKET = "demo"
OUTPUT_FOLDER = PROJECT_FOLDER / "build" / "demo"
DATE = "2021-01-09"
# Every other DAG of dags/; two lanes, because a DAG's run uses one core. Each has an Airflow of its
# own, because SQLite has one writer.
LANES = (
    ("landsat_to_s3", "sentinel2_daily", "getdownloadid_examples", "many_regions"),
    # The recheck reads the backfill's markers.
    (
        "sentinel2_backfill",
        "sentinel2_recheck",
        "ndvi_composite",
        "sentinel2_cloud_masks",
        "landsat_reflectance",
    ),
)

NOT_RUN = {
    "ndvi_series": "it is a series of months; trigger it after `make up`",
    "country_mosaic": "it is a download for many workers; trigger it after `make up`",
    "on_new_image": "new images start it; unpause it after `make up`",
    "sentinel2_ingestion": "it downloads a month, day by day; trigger it after `make up`",
    "sentinel2_statistics": "sentinel2_daily starts it; unpause both after `make up`",
}


def main(
    output_folder: Path = OUTPUT_FOLDER,
    lanes: Lanes = LANES,
    dags_folder: Path = DAGS_FOLDER,
) -> int:
    """Run the demo and return the exit code.

    :param output_folder: recreated; gets the quick-looks and a log per DAG.
    :param lanes: DAG ids; those of a lane in order, lanes side by side.
    :param dags_folder: where the DAGs are.
    """
    try:
        shutil.rmtree(output_folder, ignore_errors=True)
        output_folder.mkdir(parents=True)
        with interrupts_unwind():
            run_demo(output_folder, lanes, dags_folder)
    except KeyboardInterrupt:
        print("demo: interrupted; everything it started is stopped", file=sys.stderr)
        return 130
    except (StackError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def run_demo(output_folder: Path, lanes: Lanes, dags_folder: Path) -> None:
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
        with step("Airflow (temporary homes)"):
            homes = airflows(parts, dags_folder, connections)
            own = [(next(homes), dag_ids) for dag_ids in lanes]
        run_lanes(own, output_folder)
        show_bucket(s3.client(), output_folder)
        for dag_id, reason in NOT_RUN.items():
            print(f"\nNot run: {dag_id}, for {reason}")


def airflows(
    parts: contextlib.ExitStack, dags_folder: Path, connections: Mapping[str, str]
) -> Iterator[AirflowHome]:
    """Make Airflow homes without end; all have copies of the first one's database."""
    migrated_file = None
    while True:
        home = parts.enter_context(
            airflow_home(
                dags_folder=dags_folder, connections=connections, migrated_file=migrated_file
            )
        )
        migrated_file = migrated_file or home.folder / SQLITE_FILE
        yield home


def run_lanes(lanes: Sequence[tuple[AirflowHome, Sequence[str]]], output_folder: Path) -> None:
    """Run the DAGs of all lanes, and keep their logs.

    :raises FailedRunError: for the first DAG that fails.
    """
    conf = json.dumps({"s3_bucket": BUCKET})
    with contextlib.ExitStack() as commands:
        running = {
            commands.enter_context(
                airflow.started_module("stack.dag_runs", str(output_folder), DATE, conf, *dag_ids)
            ): dag_ids
            for airflow, dag_ids in lanes
        }
        while running:
            time.sleep(0.05)
            for command in [each for each in running if each.poll() is not None]:
                dag_ids = running.pop(command)
                if command.returncode != 0:
                    raise _failed_run(dag_ids, output_folder)


def _failed_run(dag_ids: Sequence[str], output_folder: Path) -> StackError:
    """Return the error of the last DAG of a lane that has a log."""
    paths = [output_folder / f"{dag_id}.log" for dag_id in dag_ids]
    begun = [path for path in paths if path.exists()]
    if not begun:
        return StackError(f"airflow did not run {dag_ids[0]}; its output is above")
    return FailedRunError(f"airflow dags test {begun[-1].stem} {DATE}", begun[-1].read_text())


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
    print(f"{text:<52}", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f" {time.monotonic() - started:6.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
