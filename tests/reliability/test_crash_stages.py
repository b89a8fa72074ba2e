"""The task's process is killed (-9) at every stage; the next attempt completes the download."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.emulator.faults import Fault, Latency, Stall
from airflow_provider.earthengine.emulator.server import Emulator
from stack.seaweedfs import SeaweedFS
from tests.reliability.forked_attempts import Attempt, wait_until_fired

pytestmark = pytest.mark.slow

# One mode of if_exists shows the stages; the others take another minute.

LANDSAT = "projects/demo/assets/landsat7_olinda"
BANDS = ["B1", "B2", "B3"]
ITEM = "a/b/scene.bands.json"
KEYS = [f"a/b/scene.{band}.tif" for band in BANDS]
FOREIGN = {"a/b/scene.notes.txt": b"mine", "a/b/other.tif": b"mine too", "a/bc": b""}


@dataclass(frozen=True)
class Stage:
    """A moment of the journey at which the process dies.

    :param fault: an operation of Earth Engine that does not answer: it dies while it waits.
    :param s3: the moment before or after an S3 request; see ``tests.support.download_attempt``.
    :param visible: how many of the download's objects are in the bucket then, item included.
    """

    name: str
    visible: int
    fault: tuple[str, Fault] | None = None
    s3: tuple[str, int] | None = None


AFTER_THE_ITEM = "after the item"
STAGES = [
    Stage("before the plan", 0, fault=("value:compute", Latency(60))),
    Stage("before the id", 0, fault=("thumbnails.create", Latency(60))),
    Stage("mid fetch", 0, fault=("thumbnails.getPixels", Stall(0.5, 60))),
    Stage("after verify", 0, s3=("CreateMultipartUpload", 1)),
    Stage("mid upload", 0, s3=("UploadPart", 2)),
    Stage("before the first complete", 0, s3=("CompleteMultipartUpload", 1)),
    Stage("between completes", 1, s3=("CompleteMultipartUpload", 2)),
    Stage("after the last complete", 3, s3=("after-CompleteMultipartUpload", 3)),
    Stage("before the item", 3, s3=("PutObject", 1)),
    Stage(AFTER_THE_ITEM, 4, s3=("after-PutObject", 1)),
]
# An earlier download left four objects and an item at the same keys; B4 is not wanted any more.
# B4 is overwritten by a tombstone, which is the fourth upload to be completed, and then deleted; a
# delete that cannot succeed has shown before that it may be.
REPLACING_STAGES: list[Stage] = [
    Stage("mid upload", 5, s3=("UploadPart", 2)),
    Stage("before the claim", 5, s3=("PutObject", 1)),
    Stage("after the claim", 5, s3=("after-PutObject", 1)),
    Stage("between completes", 5, s3=("CompleteMultipartUpload", 2)),
    Stage("before what is left over goes", 5, s3=("CompleteMultipartUpload", 4)),
    Stage("before the tombstone goes", 5, s3=("DeleteObject", 2)),
    Stage("before the item", 4, s3=("PutObject", 2)),
    Stage(AFTER_THE_ITEM, 4, s3=("after-PutObject", 2)),
]


@pytest.fixture
def fields(connections: object, bucket: str) -> dict[str, Any]:
    params = {"bands": BANDS, "name": "scene", "scale": 57}
    return {
        "image": LANDSAT, "download_params": params, "s3_bucket": bucket, "s3_prefix": "a/b",
        "quicklook": False,
    }  # fmt: skip


@pytest.fixture
def contents(s3: SeaweedFS, bucket: str) -> Iterator[Callable[[], dict[str, bytes]]]:
    """Return a function that gives what is in the bucket by key, without what is foreign.

    What is foreign has to be as it was, always.
    """
    client = s3.client()
    for key, content in FOREIGN.items():
        client.put_object(Bucket=bucket, Key=key, Body=content)

    def read() -> dict[str, bytes]:
        listed = client.list_objects_v2(Bucket=bucket)["Contents"]
        everything = {
            each["Key"]: client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            for each in listed
        }
        assert {key: everything.pop(key) for key in FOREIGN} == FOREIGN
        return everything

    yield read
    read()


def die(
    emulator: Emulator,
    fields: dict[str, Any],
    scratch: Path,
    stage: Stage,
    context: dict[str, Any] | None = None,
) -> None:
    """Make an attempt that is dead after this stage."""
    if stage.fault is None:
        killed = Attempt(fields, scratch, stage.s3, context)
    else:
        with emulator.fault(*stage.fault) as armed:
            killed = Attempt(fields, scratch, None, context)
            wait_until_fired(armed)
            time.sleep(0.1)  # The half of the body that it gets.
            os.kill(killed.pid, signal.SIGKILL)
    outcome = killed.wait()
    assert killed.was_killed, outcome


def assert_whole(objects: dict[str, bytes], uris: list[str], bucket: str) -> None:
    """There is one item, which names exactly what is there, with its digests."""
    assert uris == [f"s3://{bucket}/{key}" for key in KEYS]
    assert sorted(objects) == sorted([ITEM, *KEYS])
    assets = json.loads(objects[ITEM])["assets"].values()
    assert {asset["href"]: asset["file:checksum"] for asset in assets} == {
        f"s3://{bucket}/{key}": f"1220{hashlib.sha256(objects[key]).hexdigest()}" for key in KEYS
    }


@pytest.mark.parametrize(
    "if_exists",
    ["replace_changed", "fail", "replace"],
)
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_next_attempt_completes_what_a_killed_one_began(
    emulator: Emulator, fields: dict[str, Any], bucket: str, tmp_path: Path,
    contents: Callable[[], dict[str, bytes]], stage: Stage, if_exists: str,
) -> None:  # fmt: skip
    fields["if_exists"] = if_exists
    die(emulator, fields, tmp_path, stage)
    left = contents()
    assert len(left) == stage.visible
    assert (ITEM in left) == (stage.name == AFTER_THE_ITEM)
    assert len(list(tmp_path.iterdir())) <= 1

    emulator.clear_requests()
    outcome = Attempt(fields, tmp_path).wait()
    assert_whole(contents(), outcome.uris, bucket)
    if ITEM in left:
        # It did nothing but look, so it used no scratch; what is left there goes with the next
        # attempt that does.
        assert contents() == left
        assert emulator.requests == []
    else:
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("if_exists", ["replace_changed", "replace"])
@pytest.mark.parametrize("stage", REPLACING_STAGES, ids=lambda stage: stage.name)
def test_the_next_attempt_completes_a_replacement_that_a_killed_one_began(
    emulator: Emulator, fields: dict[str, Any], bucket: str, tmp_path: Path,
    contents: Callable[[], dict[str, bytes]], stage: Stage, if_exists: str,
) -> None:  # fmt: skip
    fields["if_exists"] = if_exists
    older = {**fields, "download_params": {**fields["download_params"], "bands": [*BANDS, "B4"]}}
    assert len(Attempt(older, tmp_path, context={"run_id": "earlier"}).wait().uris) == 4
    before = contents()

    die(emulator, fields, tmp_path, stage)
    left = contents()
    assert len(left) == stage.visible
    is_done = stage.name == AFTER_THE_ITEM
    if left[ITEM] == before[ITEM]:
        assert left == before
    elif not is_done:
        assert json.loads(left[ITEM])["kind"] == "earthengine-claim"

    outcome = Attempt(fields, tmp_path).wait()
    assert_whole(contents(), outcome.uris, bucket)
    assert is_done or list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stage", STAGES[2:], ids=lambda stage: stage.name)
def test_another_download_that_has_to_stay_meets_no_half_of_it(
    emulator: Emulator, fields: dict[str, Any], tmp_path: Path,
    contents: Callable[[], dict[str, bytes]], stage: Stage,
) -> None:  # fmt: skip
    """With if_exists "fail", what a killed attempt of another download left is not written over."""
    die(emulator, fields, tmp_path, stage)
    left = contents()
    fields["if_exists"] = "fail"
    fields["download_params"] = {**fields["download_params"], "scale": 114}
    outcome = Attempt(fields, tmp_path).wait()
    if left:
        assert "ObjectExistsError" in outcome.error
        assert contents() == left
    else:
        assert len(outcome.uris) == 3
