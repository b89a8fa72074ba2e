"""What a task tells of its steps, and that telling never fails it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_provider.earthengine.download.usage import Meter, Usage
from airflow_provider.earthengine.task.telemetry import STEP_LINE, Telemetry
from tests.support.airflow_task import task_context

ITEM = "s3://bucket/prefix/scene.tif.json"


class Store:
    """A task state store that keeps every value it is given, or refuses them."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.values: list[tuple[str, dict[str, Any]]] = []

    def set(self, key: str, value: dict[str, Any]) -> None:
        self.values.append((key, value))
        if self.error:
            raise self.error


def context_with(store: Store) -> Any:
    return {**task_context(), "task_state_store": store}


def lines_of(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    texts = [each.getMessage() for each in caplog.records]
    return [json.loads(text.split(" ", 1)[1]) for text in texts if text.startswith(STEP_LINE)]


def test_a_step_is_one_line_with_what_was_counted_in_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    meter = Meter()
    telemetry = Telemetry(meter)
    meter.count(Usage(requests=2))
    with telemetry.step("plan", ITEM):
        meter.count(Usage(requests=3))
    with telemetry.step("fetch", ITEM):
        meter.count(Usage(requests=4, byte_count=100))
        telemetry.report({"tiles_done": 1})
        meter.count(Usage(refusals=1, tiles=2, kept_tiles=5))
    plan, fetch = lines_of(caplog)
    # What was sent before the first step, to open the session, belongs to it.
    assert (plan["step"], plan["outcome"], plan["requests"], plan["item"]) == (
        "plan",
        "done",
        5,
        ITEM,
    )
    counted = {"requests": 4, "refusals": 1, "byte_count": 100, "tiles": 2, "kept_tiles": 5}
    assert {name: fetch[name] for name in counted} == counted
    assert 0 <= fetch["seconds"] < 60


def test_a_step_that_fails_says_so_without_the_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(RuntimeError), Telemetry().step("fetch", ITEM):
        raise RuntimeError("a secret")
    (fetch,) = lines_of(caplog)
    assert fetch["outcome"] == "failed"
    assert "secret" not in caplog.text


def test_a_name_in_any_script_stays_one_line_of_ascii(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    uri = 's3://bucket/São\n"Paulo".tif.json'
    with Telemetry().step("fetch", uri):
        pass
    (text,) = [each.getMessage() for each in caplog.records]
    assert text.isascii()
    assert "\n" not in text
    assert lines_of(caplog)[0]["item"] == uri


def test_the_state_store_has_the_step_and_how_far_it_is() -> None:
    store = Store()
    telemetry = Telemetry(context=context_with(store))
    with telemetry.step("fetch", ITEM):
        telemetry.report({"step": "fetch", "tiles_done": 3, "tiles": 10})
    telemetry.meter.count(Usage(requests=7))
    telemetry.done()
    assert {key for key, _ in store.values} == {"progress"}
    begun, halfway, done = (value for _, value in store.values)
    assert begun["step"] == "fetch"
    assert (halfway["tiles_done"], halfway["tiles"]) == (3, 10)
    assert (done["step"], done["requests"]) == ("done", 7)
    assert all(value["updated_at"].endswith("+00:00") for _, value in store.values)


def test_a_store_that_refuses_is_left_alone_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store(RuntimeError("no\nstore"))
    telemetry = Telemetry(context=context_with(store))
    for _ in range(3):
        with telemetry.step("fetch", ITEM):
            pass
    assert len(store.values) == 1
    (warning,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "task state store: RuntimeError: no store" in warning.getMessage()


def test_before_airflow_3_3_there_is_no_store_and_nothing_is_said_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Telemetry(context=task_context()).report({"step": "fetch"})  # type: ignore[arg-type]  # a stand-in
    assert not caplog.records
