"""The sensor looks once in the worker, waits in the triggerer, and comes back."""

from __future__ import annotations

import asyncio
import copy
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.sdk import DAG
from airflow.sdk.bases.operator import TriggerFailureReason

from airflow_provider.earthengine.emulator.faults import Status
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.sensors.image_collection import EarthEngineImageCollectionSensor
from airflow_provider.earthengine.triggers.image_collection import (
    EarthEngineImageCollectionTrigger,
)
from stack.emulator import CATALOG_FOLDER
from tests.support.airflow_task import task_context

COLLECTION = "projects/demo/assets/arriving"
DESCRIPTION: dict[str, Any] = {
    "id": COLLECTION,
    "kind": "collection",
    "bands": [
        {
            "id": "B1",
            "dtype": "uint8",
            "crs": "EPSG:32610",
            "crs_transform": [10, 0, 580000, 0, -10, 4106000],
            "dimensions": [20, 20],
        }
    ],
    # The run in the contexts of tests is that of the first day of 2026.
    "series": {
        "start": "2026-01-01T06:00:00Z",
        "step_days": 0.25,
        "count": 1,
        "index": "%Y%m%dT%H",
    },
}
REGION = [-122.2, 37.0, -122.0, 37.2]
COMPUTE = "value:compute"


@pytest.fixture(autouse=True)
def collection(emulator: Emulator, earthengine_default: str) -> Iterator[Callable[..., None]]:
    """Return what gives the collection so many images; at first it has one."""

    def put(count: int, **series: Any) -> None:
        description = copy.deepcopy(DESCRIPTION)
        description["series"] |= {"count": count, **series}
        emulator.put_asset(description)

    with emulator.restored_assets():
        put(1)
        yield put


def make_sensor(**fields: Any) -> EarthEngineImageCollectionSensor:
    usual = {"collection": COLLECTION, "poke_interval": 0.02, "timeout": 60}
    return EarthEngineImageCollectionSensor(task_id="wait", **{**usual, **fields})


def defer(sensor: EarthEngineImageCollectionSensor) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context())
    return deferred.value


def context(**facts: Any) -> Any:
    return {**task_context(), **facts}


def run_trigger(deferred: TaskDeferred) -> dict[str, Any]:
    """Run the trigger as a triggerer does that got it out of the database; return its event."""
    _, arguments = deferred.trigger.serialize()
    trigger = EarthEngineImageCollectionTrigger(**json.loads(json.dumps(arguments)))

    async def run() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    (payload,) = asyncio.run(run())
    return dict(payload)


def resume(sensor: EarthEngineImageCollectionSensor, event: dict[str, Any]) -> Any:
    return sensor.resume_execution("execute_complete", {"event": event}, context())


def after_questions(emulator: Emulator, count: int, act: Callable[[], None]) -> threading.Thread:
    """Act once the emulator has been asked so often."""

    def wait_and_act() -> None:
        deadline = time.monotonic() + 120
        while emulator.counts().get(COMPUTE, 0) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def test_images_that_are_there_end_the_wait_in_the_worker(emulator: Emulator) -> None:
    assert make_sensor(region=REGION).execute(context()) == 1
    assert emulator.counts()[COMPUTE] == 1


def test_images_that_arrive_later_end_the_wait_in_the_triggerer(
    emulator: Emulator, collection: Callable[..., None]
) -> None:
    sensor = make_sensor(min_images="2", region=json.dumps(REGION))
    deferred = defer(sensor)
    assert (deferred.method_name, deferred.timeout) == (
        "execute_complete",
        timedelta(seconds=60 + 120),
    )
    arrival = after_questions(emulator, 4, lambda: collection(3))
    event = run_trigger(deferred)
    arrival.join()
    assert emulator.counts()[COMPUTE] >= 5
    assert resume(sensor, event) == 3


def test_the_window_is_the_runs_data_interval_and_ends_before_its_end(
    collection: Callable[..., None],
) -> None:
    # From the first to the second of January, at 6, 12 and 18 o'clock; the fourth is at its end.
    collection(4)
    assert make_sensor().execute(context()) == 3
    assert make_sensor(end="2026-01-03").execute(context()) == 4
    assert make_sensor(start="2026-01-01T18:00:00Z").execute(context()) == 1


def test_property_filters_choose_what_counts(collection: Callable[..., None]) -> None:
    collection(3, image_properties={"CLOUDS": [5, 90, 10]})
    assert make_sensor(filters={"CLOUDS": {"lt": 20}}).execute(context()) == 2
    assert defer(make_sensor(filters={"CLOUDS": {"lt": 20}}, min_images=3))


def test_a_filter_on_a_property_that_no_image_has_is_warned_of(
    collection: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    collection(3, image_properties={"CLOUDS": [5, 90, 10]})
    defer(make_sensor(filters={"CLOUDS": {"lt": 1}}))
    assert "has the property" not in capsys.readouterr().out
    defer(make_sensor(filters={"CLOUD": {"lt": 20}}))
    assert (
        "in the window and region has the property CLOUD; the properties are CLOUDS"
        in capsys.readouterr().out
    )


def test_elsewhere_there_are_no_images() -> None:
    deferred = defer(make_sensor(region=[10, 50, 10.1, 50.1], timeout=0))
    event = run_trigger(deferred)
    assert (event["status"], event["image_count"]) == ("timed_out", 0)


def test_images_have_to_stay_what_they_are_for_the_quiet_period(
    emulator: Emulator, collection: Callable[..., None]
) -> None:
    sensor = make_sensor(quiet_period=timedelta(seconds=1))
    deferred = defer(sensor)
    arrival = after_questions(emulator, 5, lambda: collection(2))
    changed = time.time()
    event = run_trigger(deferred)
    arrival.join()
    assert resume(sensor, event) == 2
    # Not a speed: the wait may not be over before.
    assert time.time() - changed >= 1


def test_an_image_that_is_processed_again_is_not_quiet(
    emulator: Emulator, collection: Callable[..., None]
) -> None:
    deferred = defer(make_sensor(quiet_period=1))
    again = {"reprocessed": [{"image": 0, "visible_from": "2020-01-01"}]}
    started = time.time()
    arrival = after_questions(emulator, 5, lambda: collection(1, **again))
    event = run_trigger(deferred)
    arrival.join()
    assert (event["status"], event["image_count"]) == ("found", 1)
    assert time.time() - started >= 1


@pytest.mark.parametrize("soft_fail", [False, True])
@pytest.mark.parametrize("deferrable", [False, True])
def test_the_end_of_the_time_fails_or_skips_the_task(soft_fail: bool, deferrable: bool) -> None:
    sensor = make_sensor(min_images=2, timeout=0.1, soft_fail=soft_fail, deferrable=deferrable)
    wait = (lambda: resume(sensor, event)) if deferrable else (lambda: sensor.execute(context()))
    event = run_trigger(defer(sensor)) if deferrable else {}
    with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout) as raised:
        wait()
    if deferrable:
        told = raised.value.__cause__ if soft_fail else raised.value
        assert f"1 of at least 2 images of {COLLECTION}" in str(told)


@pytest.mark.parametrize("soft_fail", [False, True])
def test_airflow_ends_a_wait_that_no_triggerer_took_up(soft_fail: bool) -> None:
    sensor = make_sensor(soft_fail=soft_fail)
    failure = {"error": TriggerFailureReason.TRIGGER_TIMEOUT}
    with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout):
        sensor.resume_execution("__fail__", failure, context())


@pytest.mark.parametrize("quiet_period", [None, 0.3])
def test_a_sensor_that_is_not_deferrable_waits_in_the_worker(
    emulator: Emulator, collection: Callable[..., None], quiet_period: float | None
) -> None:
    sensor = make_sensor(min_images=2, deferrable=False, quiet_period=quiet_period)
    arrival = after_questions(emulator, 3, lambda: collection(2))
    assert sensor.execute(context()) == 2
    arrival.join()
    assert emulator.counts()[COMPUTE] >= 4


def test_a_rescheduled_sensor_cannot_remember_what_it_saw() -> None:
    sensor = make_sensor(deferrable=False, mode="reschedule")
    sensor.quiet_period = 60
    with pytest.raises(AirflowFailException, match=r"does not remember .* mode='poke'"):
        sensor.execute(context())


def test_a_transient_answer_is_asked_again_in_worker_and_triggerer(
    emulator: Emulator, collection: Callable[..., None]
) -> None:
    with emulator.fault(COMPUTE, Status(429), times=1):
        deferred = defer(make_sensor(min_images=2))
    collection(2)
    with emulator.fault(COMPUTE, Status(503), times=1):
        assert run_trigger(deferred)["status"] == "found"


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        (
            {"collection": "projects/demo/assets/nowhere"},
            "AssetNotFoundError: The image collection projects/demo/assets/nowhere",
        ),
        (
            {"collection": "projects/demo/assets/dem_olinda"},
            "DownloadParamsError: collection is projects/demo/assets/dem_olinda, which is not an",
        ),
        ({"start": "2026-02-01"}, "after its end"),
        ({"start": "2026-01-02"}, "CronDataIntervalTimetable"),
        ({"start": "yesterday"}, "start is 'yesterday'"),
        ({"min_images": "many"}, "min_images is 'many'"),
        ({"filters": {"CLOUDS": {"less": 3}}}, "did you mean"),
        ({"region": [5, 43]}, "region"),
    ],
)
def test_bad_input_fails_without_a_retry_even_where_timeouts_skip(
    fields: dict[str, Any], wanted: str, deferrable: bool
) -> None:
    sensor = make_sensor(deferrable=deferrable, soft_fail=True)
    for name, value in fields.items():  # as templates give them
        setattr(sensor, name, value)
    with pytest.raises(AirflowFailException) as raised:
        sensor.execute(context())
    assert wanted in str(raised.value)


def test_a_run_without_a_date_says_what_to_give() -> None:
    undated = {"data_interval_start": None, "data_interval_end": None}
    with pytest.raises(AirflowFailException, match="a manual run without a date; set start"):
        make_sensor().execute(context(**undated))
    dated = make_sensor(start="2026-01-01", end="2026-01-02")
    assert dated.execute(context(**undated)) == 1


def test_a_collection_that_is_gone_meanwhile_fails_the_task(emulator: Emulator) -> None:
    sensor = make_sensor(min_images=2, soft_fail=True)
    deferred = defer(sensor)
    emulator.remove_asset(COLLECTION)
    event = run_trigger(deferred)
    with pytest.raises(AirflowFailException, match=r"^AssetNotFoundError: .* not found"):
        resume(sensor, event)


@pytest.mark.parametrize("event", [None, {}, {"state": "done"}, {"status": "moved"}])
def test_an_event_of_another_version_says_what_to_do(event: Any) -> None:
    with pytest.raises(AirflowFailException, match="clear the task to start"):
        resume(make_sensor(), event)


@pytest.mark.parametrize("native", [False, True])
def test_its_fields_are_templated(native: bool) -> None:
    fields = {
        "collection": "projects/demo/assets/{{ params.name }}",
        "start": "{{ ds }}",
        "end": "{{ params.end }}",
        "region": "{{ params.region | tojson }}",
        "filters": {"CLOUDS": {"lt": "{{ params.clouds }}"}},
        "min_coverage_percent": "{{ params.coverage }}",
        "min_images": "{{ params.count }}",
        "earthengine_conn_id": "{{ params.connection }}",
    }
    assert set(fields) == set(EarthEngineImageCollectionSensor.template_fields)
    params = {
        "name": "arriving",
        "end": "2026-01-02",
        "region": REGION,
        "clouds": 20,
        "coverage": 0,
        "count": 1,
        "connection": "earthengine_default",
    }
    with DAG("a_dag", render_template_as_native_obj=native, schedule=None):
        sensor = make_sensor(**fields, deferrable=False, timeout=0, soft_fail=True)
    given = context(params=params, ds="2026-01-01")
    sensor.render_template_fields(given)
    # The image has no such property: the question was asked, and the answer is none.
    with pytest.raises(AirflowSkipException):
        sensor.execute(given)
    assert sensor.collection == COLLECTION


def test_a_field_that_ends_like_a_file_is_not_read_as_one() -> None:
    with DAG("a_dag", schedule=None):
        sensor = make_sensor(collection="x.json")
    sensor.render_template_fields(context())
    assert sensor.collection == "x.json"


def test_the_catalogs_own_late_image_is_not_there_before_its_time(emulator: Emulator) -> None:
    """The catalog says when an image appears; here its time has come long ago."""
    assert (CATALOG_FOLDER / "projects/demo/assets/s2_daily.json").exists()
    sensor = make_sensor(
        collection="projects/demo/assets/s2_daily", start="2021-12-27", end="2021-12-28"
    )
    assert sensor.execute(context()) == 1
