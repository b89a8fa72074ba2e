"""Files whose parts are sent while they are written: what is stored is the file, or nothing is."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.errors import ConditionFailedError
from airflow_provider.earthengine.download.bucket.multipart import (
    PART_BYTE_COUNT,
    PartSender,
    PartUpload,
)
from airflow_provider.earthengine.download.bucket.objects import Precondition
from airflow_provider.earthengine.emulator.faults import Latency
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import (
    DownloadCancelledError,
    ServiceUnavailableError,
)
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID, sentinel2_values
from tests.support.s3_relay import S3Request, s3_relay_to

pytestmark = pytest.mark.slow

KEY = "a/parts.tif"
CONTENT = [bytes([number]) * (5 << 20) for number in range(1, 4)]


@pytest.fixture
def place(s3: SeaweedFS, bucket: str) -> Bucket:
    return Bucket(s3.client(), bucket)


@pytest.fixture
def sender() -> Iterator[PartSender]:
    with closing(PartSender()) as sender:
        yield sender


def upload_to(place: Bucket, sender: PartSender) -> PartUpload:
    return PartUpload(sender, place, KEY, "image/tiff", {})


def stored(s3: SeaweedFS, bucket: str, key: str) -> bytes:
    return bytes(s3.client().get_object(Bucket=bucket, Key=key)["Body"].read())


def open_uploads(s3: SeaweedFS, bucket: str) -> list[dict[str, str]]:
    uploads = s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [{"Key": each["Key"], "UploadId": each["UploadId"]} for each in uploads]


def sent_parts(s3: SeaweedFS, bucket: str) -> set[int]:
    return {
        part["PartNumber"]
        for upload in open_uploads(s3, bucket)
        for part in s3.client().list_parts(Bucket=bucket, **upload).get("Parts", [])
    }


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_parts_that_come_in_any_order_are_one_object_in_theirs(
    place: Bucket, sender: PartSender, s3: SeaweedFS, bucket: str
) -> None:
    with closing(upload_to(place, sender)) as upload:
        for number in (2, 3, 1):
            upload.send_part(number, CONTENT[number - 1])
        opened = upload.take()
    assert [part["PartNumber"] for part in opened.parts] == [1, 2, 3]
    place.complete_upload(opened, Precondition())
    assert stored(s3, bucket, KEY) == b"".join(CONTENT)


def test_a_short_file_says_its_digest(
    place: Bucket, sender: PartSender, s3: SeaweedFS, bucket: str
) -> None:
    with closing(upload_to(place, sender)) as upload:
        upload.send_whole(b"short")
        place.complete_upload(upload.take(), Precondition())
    head = s3.client().head_object(Bucket=bucket, Key=KEY)
    assert head["Metadata"]["sha256"] == hashlib.sha256(b"short").hexdigest()


def test_an_upload_that_nobody_takes_is_dropped(
    place: Bucket, sender: PartSender, s3: SeaweedFS, bucket: str
) -> None:
    with closing(upload_to(place, sender)) as upload:
        upload.send_part(2, CONTENT[1])
        wait_until(lambda: sent_parts(s3, bucket) == {2})
        assert sent_parts(s3, bucket) == {2}
    assert open_uploads(s3, bucket) == []


def test_a_part_that_fails_ends_the_upload(
    place: Bucket, sender: PartSender, s3: SeaweedFS, bucket: str
) -> None:
    with closing(upload_to(place, sender)) as upload:
        upload.send_part(1, CONTENT[0])
        (opened,) = open_uploads(s3, bucket)
        s3.client().abort_multipart_upload(Bucket=bucket, **opened)
        upload.send_part(2, CONTENT[1])
        with pytest.raises(ServiceUnavailableError):
            upload.take()
        with pytest.raises(ServiceUnavailableError):
            upload.send_part(3, CONTENT[2])


def test_parts_under_way_are_few_bytes_and_whoever_waits_sees_a_cancel() -> None:
    cancelled, release = threading.Event(), threading.Event()

    def check() -> None:
        if cancelled.is_set():
            raise DownloadCancelledError("cancelled")

    def send() -> Any:
        release.wait(60)
        return {}

    with closing(PartSender(check)) as sender:
        # A part that is longer than what may be under way goes alone.
        alone = sender.submit(1 << 40, send)
        threading.Timer(0.2, cancelled.set).start()
        with pytest.raises(DownloadCancelledError):
            sender.submit(1, send)
        cancelled.clear()
        release.set()
        assert alone.result(60) == {}
        assert sender.submit(1, send).result(60) == {}


Run = Callable[..., list[str]]


@pytest.fixture
def run(connections: object, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def execute(**fields: Any) -> list[str]:
        operator = EarthEngineToS3Operator(
            task_id="download",
            image=SENTINEL2_ID,
            download_params={
                "bands": ["B3", "B4"], "crs": "EPSG:32610", "name": "scene", "format": "GEO_TIFF",
                "crs_transform": [10, 0, 499980, 0, -10, 4200000], "dimensions": [2000, 2500],
            },
            s3_bucket=bucket,
            s3_prefix="a",
            **{"compression": "none", **fields},
        )  # fmt: skip
        uris: list[str] = operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
        return uris

    return execute


def test_a_cog_that_was_uploaded_while_it_was_written_is_whole_and_recorded(
    run: Run, s3: SeaweedFS, bucket: str
) -> None:
    (uri,) = run()
    with open_raster(uri) as got:
        for index, band in enumerate(("B3", "B4"), start=1):
            np.testing.assert_array_equal(got.read(index), sentinel2_values(band, 0, 0, 2000, 2500))
    content = stored(s3, bucket, "a/scene.tif")
    assert len(content) > 2 * PART_BYTE_COUNT
    asset = json.loads(stored(s3, bucket, "a/scene.tif.json"))["assets"]["data"]
    assert asset["file:checksum"] == f"1220{hashlib.sha256(content).hexdigest()}"
    assert asset["file:size"] == len(content)
    metadata = s3.client().head_object(Bucket=bucket, Key="a/scene.tif")["Metadata"]
    assert set(metadata) == {"fingerprint", "generation", "item", "task"}


@contextmanager
def held_until(
    emulator: Emulator, what: str, skip: int, is_so: Callable[[], bool]
) -> Iterator[Any]:
    """Hold an answer of Earth Engine back until something is so; at most a minute."""
    seen: list[bool] = []

    def release() -> None:
        wait_until(lambda: armed.remaining == 0)
        wait_until(is_so)
        seen.append(is_so())
        armed.release()

    with emulator.fault(what, Latency(120), skip=skip) as armed, ThreadPoolExecutor(1) as pool:
        watch = pool.submit(release)
        yield seen
        watch.result()


def test_parts_are_sent_while_tiles_still_arrive(
    run: Run, emulator: Emulator, s3: SeaweedFS, bucket: str
) -> None:
    limits = {"tile_byte_count": 4 << 20, "max_concurrent_requests": 1}
    is_sent = partial(sent_parts, s3, bucket)
    # 20 MB in eight tiles and more: without the last one, the second part is complete.
    with held_until(emulator, "thumbnails.getPixels", 8, lambda: 2 in is_sent()) as seen:
        run(limits=limits)
    assert seen == [True]


def test_whether_the_source_is_unchanged_is_asked_while_the_cog_is_finished(
    run: Run, emulator: Emulator, s3: SeaweedFS, bucket: str
) -> None:
    """The answer is held back until the first part is there, which is sent last."""
    is_sent = partial(sent_parts, s3, bucket)
    # The first request describes the image, the second asks whether it is still the same.
    with held_until(emulator, "value:compute", 1, lambda: 1 in is_sent()) as seen:
        run(limits={"tile_byte_count": 8 << 20})
    assert seen == [True]


def test_a_cog_whose_upload_is_lost_is_sent_again_without_fetching_anything(
    run: Run, emulator: Emulator, s3: SeaweedFS, bucket: str
) -> None:
    def lose_it() -> bool:
        if 1 not in sent_parts(s3, bucket):
            return False
        for upload in open_uploads(s3, bucket):
            s3.client().abort_multipart_upload(Bucket=bucket, **upload)
        return True

    lost: list[bool] = []
    with held_until(
        emulator, "value:compute", 1, lambda: bool(lost) or (lose_it() and not lost.append(True))
    ):
        (uri,) = run(limits={"tile_byte_count": 8 << 20})
    assert lost == [True]
    with open_raster(uri) as got:
        np.testing.assert_array_equal(got.read(1), sentinel2_values("B3", 0, 0, 2000, 2500))
    content = stored(s3, bucket, "a/scene.tif")
    asset = json.loads(stored(s3, bucket, "a/scene.tif.json"))["assets"]["data"]
    assert asset["file:checksum"] == f"1220{hashlib.sha256(content).hexdigest()}"
    assert open_uploads(s3, bucket) == []


# With zstd it is so short that it is one part.
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_cog_of_which_the_store_lost_a_part_is_sent_again_without_fetching_anything(
    run: Run, emulator: Emulator, s3: SeaweedFS, bucket: str, compression: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    lost: list[S3Request] = []

    def lose(request: S3Request) -> tuple[int, str] | None:
        is_of_cog = "scene.tif" in request.target  # And not of the probe of conditions.
        if request.operation != "CompleteMultipartUpload" or lost or not is_of_cog:
            return None
        lost.append(request)
        return 400, "InvalidPart"

    with s3_relay_to(s3.endpoint_url, refuse=lose) as relay:
        connection = json.loads(s3.airflow_connection)
        connection["extra"]["endpoint_url"] = relay.url
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
        (uri,) = run(limits={"tile_byte_count": 8 << 20}, compression=compression)
        with open_raster(uri) as got:
            np.testing.assert_array_equal(got.read(2), sentinel2_values("B4", 0, 0, 2000, 2500))
    assert len(lost) == 1
    asked = [each.operation for each in emulator.requests]
    assert asked.count("thumbnails.getPixels") == asked.count("thumbnails.create") < 10
    content = stored(s3, bucket, "a/scene.tif")
    asset = json.loads(stored(s3, bucket, "a/scene.tif.json"))["assets"]["data"]
    assert asset["file:checksum"] == f"1220{hashlib.sha256(content).hexdigest()}"
    assert open_uploads(s3, bucket) == []


def test_a_cancel_does_not_wait_for_tiles_and_leaves_nothing(
    run: Run, emulator: Emulator, s3: SeaweedFS, bucket: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A tile is held back for two minutes: only whoever waits for none ends before it comes."""
    operators: list[EarthEngineToS3Operator] = []
    hook_of = EarthEngineToS3Operator._hook

    def remember(operator: EarthEngineToS3Operator, context: Any) -> Any:
        operators.append(operator)
        return hook_of(operator, context)

    monkeypatch.setattr(EarthEngineToS3Operator, "_hook", remember)

    def kill_once_parts_are_sent() -> None:
        wait_until(lambda: armed.remaining == 0 and 2 in sent_parts(s3, bucket))
        operators[0].on_kill()

    limits = {"tile_byte_count": 4 << 20, "max_concurrent_requests": 1}
    with (
        emulator.fault("thumbnails.getPixels", Latency(120), skip=8) as armed,
        ThreadPoolExecutor(1) as pool,
    ):
        killed = pool.submit(kill_once_parts_are_sent)
        with pytest.raises(DownloadCancelledError):
            run(limits=limits)
        killed.result()
        armed.release()
    assert open_uploads(s3, bucket) == []
    assert s3.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_cog_that_a_killed_try_left_is_adopted_with_its_digest(
    run: Run, s3: SeaweedFS, bucket: str, emulator: Emulator
) -> None:
    run()
    content = stored(s3, bucket, "a/scene.tif")
    before = s3.client().head_object(Bucket=bucket, Key="a/scene.tif")["ETag"]
    s3.client().delete_object(Bucket=bucket, Key="a/scene.tif.json")
    run()
    assert s3.client().head_object(Bucket=bucket, Key="a/scene.tif")["ETag"] == before
    asset = json.loads(stored(s3, bucket, "a/scene.tif.json"))["assets"]["data"]
    assert asset["file:checksum"] == f"1220{hashlib.sha256(content).hexdigest()}"


def test_an_object_that_changes_while_it_is_read_is_not_adopted(
    place: Bucket, s3: SeaweedFS, bucket: str
) -> None:
    s3.client().put_object(Bucket=bucket, Key=KEY, Body=b"one")
    etag = s3.client().head_object(Bucket=bucket, Key=KEY)["ETag"]
    assert place.digest_object(KEY, etag) == hashlib.sha256(b"one").hexdigest()
    s3.client().put_object(Bucket=bucket, Key=KEY, Body=b"another")
    with pytest.raises(ConditionFailedError):
        place.digest_object(KEY, etag)
