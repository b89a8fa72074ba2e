"""What a finished date costs: printed, not asserted. Run it as a program.

    python -m tests.benchmarks.finished_date [--dates 50]

A date is downloaded once, and then asked for again and again, as a second backfill does: one read
of its item and one listing. Printed is the work of this process per date, without imports, which a
first round takes: processor time, and time on the clock, of which waiting for the S3 server is
part. Beside it stand the requests per date, counted. The same for a date that is marked as empty.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

_HOME = tempfile.mkdtemp(prefix="airflow-home-")
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"

from airflow.providers.common.compat.sdk import AirflowSkipException  # noqa: E402 (after the environment)

from airflow_provider.earthengine.emulator.server import serve  # noqa: E402 (likewise)
from airflow_provider.earthengine.transfers.earthengine_to_s3 import (  # noqa: E402 (likewise)
    EarthEngineToS3Operator,
)
from stack.emulator import CATALOG_FOLDER, earthengine_connection  # noqa: E402 (likewise)
from stack.seaweedfs import SeaweedFS  # noqa: E402 (likewise)
from tests.support.airflow_task import task_context  # noqa: E402 (likewise)

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator

BUCKET = "benchmark"
IMAGE = "projects/demo/assets/s2_daily/20210101T190000_T10SEG"
GRID = {
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 600_000, 0, -10, 4_100_000],
    "dimensions": [64, 64],
    "format": "GEO_TIFF",
}
ELSEWHERE = {"region": [10, 50, 10.1, 50.1], "scale": 10, "format": "GEO_TIFF"}


class CountingOperator(EarthEngineToS3Operator):
    """The operator, what its S3 client sends, and the processor time that making one takes."""

    sent: ClassVar[Counter[str]] = Counter()
    client_seconds: ClassVar[list[float]] = []

    def _s3_client(self) -> Any:
        began = time.process_time()
        client = super()._s3_client()
        self.client_seconds.append(time.process_time() - began)
        client.meta.events.register("before-call.s3", self._count)
        return client

    def _count(self, model: Any, **_: Any) -> None:
        self.sent[model.name] += 1


def ask(download_params: dict[str, Any]) -> None:
    operator = CountingOperator(
        task_id="download",
        image=IMAGE,
        download_params=download_params,
        on_empty="mark",
        s3_bucket=BUCKET,
    )
    with suppress(AirflowSkipException):
        operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in


def report(name: str, dates: int, emulator: Emulator, work: Callable[[], None]) -> None:
    """Print what ``work`` costs when there is nothing left to do."""
    for _ in range(2):  # the download itself; then the imports of the path that is measured
        work()
    emulator.clear_requests()
    CountingOperator.sent.clear()
    CountingOperator.client_seconds.clear()
    processor, clock = time.process_time(), time.perf_counter()
    for _ in range(dates):
        work()
    processor, clock = time.process_time() - processor, time.perf_counter() - clock
    requests = ", ".join(
        f"{count / dates:g} {kind}" for kind, count in sorted(CountingOperator.sent.items())
    )
    making = sum(CountingOperator.client_seconds)
    sys.stdout.write(
        f"{name}: {1000 * processor / dates:.1f} ms of processor time, "
        f"{1000 * making / dates:.1f} of them boto3's to make a client; "
        f"{1000 * clock / dates:.1f} ms on the clock; {requests}; "
        f"{len(emulator.requests) / dates:g} requests to Earth Engine\n"
    )


@contextmanager
def servers() -> Iterator[Emulator]:
    with (
        SeaweedFS(buckets=[BUCKET]) as s3,
        serve(catalog=CATALOG_FOLDER, project="demo") as emulator,
    ):
        os.environ["AIRFLOW_CONN_EARTHENGINE_DEFAULT"] = earthengine_connection(
            emulator.url, "demo"
        )
        os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = s3.airflow_connection
        yield emulator


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dates", type=int, default=50)
    dates = parser.parse_args().dates
    with servers() as emulator:
        report("a finished date", dates, emulator, lambda: ask({**GRID, "name": "finished"}))
        report("a marked date", dates, emulator, lambda: ask({**ELSEWHERE, "name": "empty"}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
