"""Each task of a group is killed (-9) at every stage; the next try completes the download."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airflow_provider.earthengine.emulator.faults import Fault, Latency, Stall
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from stack.seaweedfs import SeaweedFS
from tests.reliability.forked_attempts import Attempt, wait_until_fired
from tests.support.expected import formula_values

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 520, 1500
BANDS = ("b0", "b1")
ITEM = "a/tall.bands.json"
KEYS = [f"a/tall.{band}.tif" for band in BANDS]
STAGING = "earthengine-staging/"


@dataclass(frozen=True)
class Stage:
    """A moment of a task at which its process dies.

    :param fault: an operation of Earth Engine that does not answer: it dies while it waits.
    :param s3: the moment before or after an S3 request; see ``tests.support.download_attempt``.
    """

    task: str
    name: str
    fault: tuple[str, Fault] | None = None
    s3: tuple[str, int] | None = None


STAGES = [
    Stage("plan", "describing the image", fault=("value:compute", Latency(60))),
    Stage("plan", "between the uploads", s3=("CreateMultipartUpload", 2)),
    Stage("plan", "before the register", s3=("PutObject", 1)),
    Stage("plan", "after the register", s3=("after-PutObject", 1)),
    Stage("fetch", "before the id", fault=("thumbnails.create", Latency(60))),
    Stage("fetch", "mid fetch", fault=("thumbnails.getPixels", Stall(0.5, 60))),
    Stage("fetch", "before the first part", s3=("UploadPart", 1)),
    Stage("fetch", "between the parts", s3=("after-UploadPart", 1)),
    Stage("fetch", "before the overviews", s3=("PutObject", 1)),
    Stage("fetch", "before the record", s3=("PutObject", 3)),
    Stage("fetch", "after the record", s3=("after-PutObject", 3)),
    Stage("publish", "reading records", s3=("GetObject", 4)),
    Stage("publish", "before the head", s3=("UploadPart", 1)),
    Stage("publish", "before the first complete", s3=("CompleteMultipartUpload", 1)),
    Stage("publish", "between completes", s3=("CompleteMultipartUpload", 2)),
    Stage("publish", "after the last complete", s3=("after-CompleteMultipartUpload", 2)),
    Stage("publish", "before the item", s3=("PutObject", 1)),
    Stage("publish", "after the item", s3=("after-PutObject", 1)),
    Stage("publish", "mid sweep", s3=("DeleteObject", 2)),
]
# An earlier download of both bands and one more is replaced: its key is claimed first.
REPLACING = [
    Stage("publish", "before the claim", s3=("PutObject", 1)),
    Stage("publish", "after the claim", s3=("after-PutObject", 1)),
    Stage("publish", "between completes", s3=("CompleteMultipartUpload", 2)),
    Stage("publish", "before the item", s3=("PutObject", 2)),
    Stage("publish", "after the item", s3=("after-PutObject", 2)),
]


@pytest.fixture
def asset(emulator: Emulator) -> Iterator[Emulator]:
    bands = [
        {"id": band, "dtype": "uint16", "crs": "EPSG:32601", "dimensions": [WIDTH, HEIGHT],
         "crs_transform": [10, 0, 500000, 0, -10, 4000000]}
        for band in (*BANDS, "b2")
    ]  # fmt: skip
    with emulator.restored_assets():
        emulator.put_asset(
            {"id": "projects/demo/assets/tall", "kind": "formula", "version": 1, "bands": bands}
        )
        yield emulator


class Tasks:
    """The tasks of one run, each in a process of its own."""

    def __init__(self, emulator: Emulator, bucket: str, scratch: Path, **changes: Any) -> None:
        self._emulator = emulator
        self._scratch = scratch
        self.fields = {
            "image": "projects/demo/assets/tall", "s3_bucket": bucket, "s3_prefix": "a",
            "download_params": {"bands": list(BANDS), "filePerBand": True},
            "section_requests": 1, "limits": {"tile_byte_count": WIDTH * 512 * 6},
            "quicklook": False, **changes,
        }  # fmt: skip
        self.sections: list[dict[str, Any]] = []

    def start(self, task: str, kill: tuple[str, int] | None = None, **own: Any) -> Attempt:
        context = {"run_id": "run", "task_id": f"group.{task}"}
        return Attempt({**self.fields, "operator": task, **own}, self._scratch, kill, context)

    def run(self, task: str, **own: Any) -> Any:
        outcome = self.start(task, **own).wait()
        assert not outcome.error
        return outcome.uris

    def plan(self) -> None:
        self.sections = self.run("plan")
        assert len(self.sections) == 3

    def fetch(self) -> None:
        for section in self.sections:
            self.run("fetch", section=section)

    def publish(self) -> list[str]:
        uris: list[str] = self.run("publish", sections=self.sections)
        return uris

    def die(self, stage: Stage, **own: Any) -> None:
        """Have a task dead after this stage."""
        if stage.fault is None:
            killed = self.start(stage.task, stage.s3, **own)
        else:
            with self._emulator.fault(*stage.fault) as armed:
                killed = self.start(stage.task, **own)
                wait_until_fired(armed)
                os.kill(killed.pid, signal.SIGKILL)
        outcome = killed.wait()
        assert killed.was_killed, outcome


@pytest.fixture
def tasks(asset: Emulator, connections: object, bucket: str, tmp_path: Path) -> Tasks:
    return Tasks(asset, bucket, tmp_path)


@pytest.fixture
def keys(s3: SeaweedFS, bucket: str) -> Callable[[], list[str]]:
    client = s3.client()

    def read() -> list[str]:
        listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [each["Key"] for each in listed]

    return read


def assert_published(uris: list[str], keys: list[str], s3: SeaweedFS, bucket: str) -> None:
    """There is one item, its files are right, and nothing else is left."""
    assert uris == [f"s3://{bucket}/{key}" for key in KEYS]
    assert sorted(keys) == sorted([ITEM, *KEYS])
    item = json.loads(s3.client().get_object(Bucket=bucket, Key=ITEM)["Body"].read())
    assert [asset["href"] for asset in item["assets"].values()] == uris
    rows, columns = np.arange(HEIGHT)[:, np.newaxis], np.arange(WIDTH)[np.newaxis, :]
    for number, uri in enumerate(uris):
        with open_raster(uri) as raster:
            np.testing.assert_array_equal(
                raster.read(1), formula_values(number, "uint16", rows, columns)
            )


Keys = Callable[[], list[str]]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: f"{stage.task}, {stage.name}")
def test_the_next_try_completes_what_a_killed_task_began(
    tasks: Tasks, keys: Keys, s3: SeaweedFS, bucket: str, stage: Stage
) -> None:
    if stage.task == "plan":
        tasks.die(stage)
        assert not [key for key in keys() if not key.startswith(STAGING)]
    tasks.plan()
    if stage.task == "fetch":
        tasks.die(stage, section=tasks.sections[1])
        assert not [key for key in keys() if not key.startswith(STAGING)]
    tasks.fetch()
    if stage.task == "publish":
        tasks.die(stage, sections=tasks.sections)
        assert (ITEM in keys()) == (stage.name in ("after the item", "mid sweep"))
    assert_published(tasks.publish(), keys(), s3, bucket)


@pytest.mark.parametrize("stage", REPLACING, ids=lambda stage: f"{stage.task}, {stage.name}")
def test_the_next_try_completes_a_replacement_that_a_killed_task_began(
    tasks: Tasks, keys: Keys, s3: SeaweedFS, bucket: str, stage: Stage
) -> None:
    earlier = {"bands": [*BANDS, "b2"], "filePerBand": True}
    context = {"run_id": "earlier", "task_id": "group.publish"}
    fields = {**tasks.fields, "download_params": earlier, "operator": "download"}
    del fields["section_requests"]
    outcome = Attempt(fields, tasks._scratch, None, context).wait()
    assert len(outcome.uris) == 3
    tasks.plan()
    tasks.fetch()
    tasks.die(stage, sections=tasks.sections)
    assert_published(tasks.publish(), keys(), s3, bucket)


@pytest.mark.parametrize("first", ["the zombie", "the retry"])
def test_a_section_of_a_zombie_and_its_retry_are_one(
    tasks: Tasks, keys: Keys, s3: SeaweedFS, bucket: str, first: str
) -> None:
    """A try that stands still for long and goes on has the same bytes to send."""
    tasks.plan()
    zombie = tasks.start("fetch", ("UploadPart", 1, signal.SIGSTOP), section=tasks.sections[1])
    wait_until_stopped(zombie.pid)
    if first == "the zombie":
        os.kill(zombie.pid, signal.SIGCONT)
        assert not zombie.wait().error
        tasks.fetch()
        assert_published(tasks.publish(), keys(), s3, bucket)
        return
    tasks.fetch()
    uris = tasks.publish()
    assert_published(uris, keys(), s3, bucket)
    os.kill(zombie.pid, signal.SIGCONT)
    assert not zombie.wait().error  # It finds the download published.
    assert_published(tasks.publish(), keys(), s3, bucket)


def wait_until_stopped(pid: int) -> None:
    while Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0] != "T":
        os.sched_yield()
