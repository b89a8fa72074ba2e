"""A sensor waits in a real triggerer: it takes no slot, and another triggerer goes on with it."""

from __future__ import annotations

import pytest

from stack.airflow_api import wait_until
from tests.distributed.airflow_stack import Stack
from tests.distributed.conftest import PutCollection

pytestmark = [
    pytest.mark.slow,
    # They share one scheduled Airflow.
    pytest.mark.xdist_group("distributed"),
]

SERIES = {"start": "2021-01-05T10:00:00Z", "step_days": 7}
COMPUTE = "value:compute"


def test_a_waiting_sensor_takes_no_slot_and_survives_its_triggerer(
    stack: Stack, put_collection: PutCollection
) -> None:
    put_collection("awaited", **SERIES, count=1)
    run = stack.api.trigger("waiting")
    wait_until(lambda: stack.task(run, "wait") == "deferred")
    wait_until(lambda: stack.emulator.counts().get(COMPUTE, 0) >= 3)

    # The pool has one slot, and somebody else gets it.
    assert stack.api.ask("GET", "/api/v2/pools/narrow")["occupied_slots"] == 0
    neighbour = stack.run("neighbour")
    assert stack.task(neighbour, "work") == "success"
    assert stack.task(run, "wait") == "deferred"

    # The triggerer dies, and nobody asks any more.
    triggerer = stack.airflow.components.pop("triggerer")
    triggerer.kill()
    stack.forget_requests()
    put_collection("awaited", **SERIES, count=3)
    neighbour = stack.run("neighbour")
    assert stack.emulator.counts().get(COMPUTE, 0) == 0
    assert stack.task(run, "wait") == "deferred"

    # Another one goes on where it was.
    stack.airflow.components["triggerer"] = stack.parts.enter_context(
        stack.airflow.component("triggerer")
    )
    wait_until(lambda: stack.api.state(run) in ("success", "failed"))
    assert stack.task(run, "wait") == "success"
    instance = stack.api.ask("GET", f"{run}/taskInstances/wait")
    assert instance["try_number"] == 1
    found = stack.api.ask("GET", f"{run}/taskInstances/wait/xcomEntries/return_value")
    assert int(found["value"]) == 3
    assert stack.emulator.counts()[COMPUTE] >= 1
