"""A task that is told to stop (SIGTERM, as Airflow sends it) stops at once, wherever it is."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.emulator.faults import Fault, Latency, Stall
from airflow_provider.earthengine.emulator.server import Emulator
from stack.seaweedfs import SeaweedFS
from tests.reliability.forked_attempts import Attempt, wait_until_fired

pytestmark = pytest.mark.slow

LANDSAT = "projects/demo/assets/landsat7_olinda"
# Airflow kills (-9) five seconds after SIGTERM; sockets have to be closed long before.
STOP_SECONDS = 2.0

SILENCES = [
    ("discovery", Latency(60)),
    ("algorithms", Latency(60)),
    ("value:compute", Latency(60)),
    ("thumbnails.create", Latency(60)),
    ("thumbnails.getPixels", Latency(60)),
    ("thumbnails.getPixels", Stall(0.5, 60)),
]


@pytest.fixture
def fields(connections: object, bucket: str) -> dict[str, Any]:
    return {
        "image": LANDSAT, "download_params": {"bands": ["B1", "B2"]}, "s3_bucket": bucket,
        "quicklook": False,
    }  # fmt: skip


@pytest.mark.parametrize(("operation", "silence"), SILENCES, ids=str)
def test_a_stopped_task_ends_at_once_though_earth_engine_is_silent(
    emulator: Emulator, fields: dict[str, Any], s3: SeaweedFS, bucket: str, tmp_path: Path,
    operation: str, silence: Fault,
) -> None:  # fmt: skip
    with emulator.fault(operation, silence) as armed:
        attempt = Attempt(fields, tmp_path)
        wait_until_fired(armed)
        time.sleep(0.2)  # The half of the body that it gets.
        before = [request.operation for request in emulator.requests]
        os.kill(attempt.pid, signal.SIGTERM)
        stopped = time.monotonic()
        outcome = attempt.wait(STOP_SECONDS + 10)
        seconds = time.monotonic() - stopped
    assert outcome.error.startswith("DownloadCancelledError")
    assert seconds < STOP_SECONDS
    assert list(tmp_path.iterdir()) == []
    # A request is in the log once it was answered, or its client is gone.
    after = [request.operation for request in emulator.requests]
    assert [name for name in after[len(before) :] if name != operation] == []
    assert s3.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 0


MOMENTS = [("after-ListObjectsV2", 1), ("CreateMultipartUpload", 1), ("UploadPart", 2),
           ("CompleteMultipartUpload", 1), ("CompleteMultipartUpload", 2)]  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_stopped_task_sends_nothing_more(
    emulator: Emulator, fields: dict[str, Any], s3: SeaweedFS, bucket: str, tmp_path: Path,
    moment: tuple[str, int],
) -> None:  # fmt: skip
    outcome = Attempt(fields, tmp_path, (*moment, signal.SIGTERM)).wait()
    assert outcome.error.startswith("DownloadCancelledError")
    assert list(tmp_path.iterdir()) == []
    if moment[0] == "after-ListObjectsV2":
        assert emulator.requests == []
    client = s3.client()
    # What was sent already stays: the next attempt adopts it.
    visible = 1 if moment == ("CompleteMultipartUpload", 2) else 0
    found = client.list_objects_v2(Bucket=bucket)
    assert found["KeyCount"] == visible, found.get("Contents")
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_the_next_attempt_completes_what_a_stopped_one_began(
    fields: dict[str, Any], s3: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    Attempt(fields, tmp_path, ("CompleteMultipartUpload", 2, signal.SIGTERM)).wait()
    assert len(Attempt(fields, tmp_path).wait().uris) == 2
    assert s3.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 3
