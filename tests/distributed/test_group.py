"""A group's sections on LocalExecutor, and on Celery's workers, one of which dies in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider.earthengine.emulator.faults import Latency
from airflow_provider.earthengine.emulator.server import Emulator
from stack.airflow_api import wait_until
from stack.celery_workers import celery_worker
from stack.seaweedfs import SeaweedFS
from tests.distributed.airflow_stack import Stack
from tests.distributed.group_stack import (
    Shared,
    assert_published,
    group_on_celery,
    group_on_local_executor,
)

pytestmark = [
    # PostgreSQL's wheel asks platformdirs for a folder that it does not use.
    pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR is not set"),
]

ROWS = 8
SHARED = Shared.of_rows(ROWS)
_ENDED = ("success", "failed")


@pytest.mark.xdist_group("group on LocalExecutor")
def test_a_group_runs_on_local_executor(
    s3: SeaweedFS, emulator: Emulator, tmp_path: Path, aws_default: str
) -> None:
    shared = Shared.of_rows(3)
    with group_on_local_executor(s3, emulator, tmp_path, shared) as stack:
        run = stack.run("shared")
        assert stack.states_of_tasks(run) == {
            ("download.plan", "success"): 1,
            ("download.fetch", "success"): 3,
            ("download.publish", "success"): 1,
        }
        assert_published(stack, shared)


@pytest.fixture
def stack(s3: SeaweedFS, emulator: Emulator, tmp_path: Path, aws_default: str) -> Iterator[Stack]:
    with group_on_celery(s3, emulator, tmp_path, SHARED) as made:
        yield made


@pytest.mark.slow
@pytest.mark.xdist_group("distributed")
def test_a_download_is_completed_though_a_worker_dies_in_the_middle(stack: Stack) -> None:
    with (
        celery_worker(stack.airflow, "first", 2) as first,
        celery_worker(stack.airflow, "second", 2) as second,
        stack.emulator.fault("thumbnails.getPixels", Latency(5), times=ROWS),
    ):
        run = stack.api.trigger("shared")

        def all_slots_are_at_work() -> bool:
            return stack.states_of_tasks(run)["download.fetch", "running"] == 4

        wait_until(all_slots_are_at_work)
        first.kill()
        wait_until(lambda: stack.api.state(run) in _ENDED, 300)
        assert second.process.poll() is None
    assert stack.api.state(run) == "success", stack.states_of_tasks(run)
    assert stack.states_of_tasks(run) == {
        ("download.plan", "success"): 1,
        ("download.fetch", "success"): ROWS,
        ("download.publish", "success"): 1,
    }
    tries = [
        each["try_number"]
        for each in stack.api.ask("GET", f"{run}/taskInstances?limit=100")["task_instances"]
    ]
    # What the lost worker was at, and nothing else, was tried again.
    assert 1 <= sum(number > 1 for number in tries) <= 2
    assert_published(stack, SHARED)
