"""The sensor in a real Airflow, the newest and the oldest: it is deferred, and comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider.earthengine.emulator.server import Emulator
from stack.airflow import AirflowHome
from tests.integration.conftest import MakeAirflow
from tests.integration.series import COLLECTION, collection

pytestmark = pytest.mark.slow

DAG = f"""
from datetime import UTC, datetime

from airflow.sdk import dag, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider.earthengine.sensors.image_collection import EarthEngineImageCollectionSensor


@task
def report(count):
    print("FOUND", count)


@dag(
    schedule=CronDataIntervalTimetable("@monthly", timezone="UTC"),
    start_date=datetime(2021, 1, 1, tzinfo=UTC),
)
def waiting():
    wait = EarthEngineImageCollectionSensor(
        task_id="wait",
        collection="{COLLECTION}",
        min_images=3,
        quiet_period=1,
        poke_interval=0.2,
        timeout=120,
    )
    report(wait.output)


waiting()
"""


@pytest.fixture(params=["newest", "oldest"])
def airflow(
    request: pytest.FixtureRequest, tmp_path: Path, make_airflow: MakeAirflow
) -> AirflowHome:
    (tmp_path / "waiting.py").write_text(DAG)
    return make_airflow(tmp_path, request.param)


@pytest.fixture(autouse=True)
def arrival(emulator: Emulator) -> Iterator[None]:
    """A third image comes once the collection has been asked for a while."""

    def wait_and_arrive() -> None:
        deadline = time.monotonic() + 200
        while emulator.counts().get("value:compute", 0) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        emulator.put_asset(collection(count=3))

    with emulator.restored_assets():
        emulator.put_asset(collection(count=2))
        thread = threading.Thread(target=wait_and_arrive)
        thread.start()
        yield
        thread.join()


def test_it_waits_in_the_triggerer_for_the_images_of_its_data_interval(
    airflow: AirflowHome, emulator: Emulator
) -> None:
    # The run of January, which is over on the first of February.
    output = airflow.test_dag("waiting", "2021-02-01")
    assert "Found 2 of at least 3 images" in output
    assert "FOUND 3" in output
    assert emulator.counts()["value:compute"] > 5
