"""Files that are uploaded while they are written: what is stored is what they were at their end."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.errors import ConditionFailedError
from airflow_provider.earthengine.download.bucket.multipart import PART_BYTE_COUNT, FileUpload
from airflow_provider.earthengine.download.bucket.objects import Precondition
from airflow_provider.earthengine.download.publish import files as assemble
from airflow_provider.earthengine.emulator.faults import ArmedFault, Latency
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import ServiceUnavailableError
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID, sentinel2_values

PARTS = 4
KEY = "a/growing.tif"


@pytest.fixture
def place(s3: SeaweedFS, bucket: str) -> Bucket:
    return Bucket(s3.client(), bucket)


def upload_of(place: Bucket) -> FileUpload:
    return FileUpload(place, KEY, "image/tiff", {}, PARTS * PART_BYTE_COUNT)


def stored(s3: SeaweedFS, bucket: str, key: str) -> bytes:
    return bytes(s3.client().get_object(Bucket=bucket, Key=key)["Body"].read())


def test_what_was_sent_too_early_is_sent_again(
    place: Bucket, s3: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    path = tmp_path / "growing"
    early, late = os.urandom(PARTS * PART_BYTE_COUNT), b"it was not the end"
    with closing(upload_of(place)) as upload:
        upload.send_grown(path)
        path.write_bytes(early[: PART_BYTE_COUNT * 3 + 1])
        upload.send_grown(path)
        # The second part was sent by now; the file becomes another one there, and at its beginning.
        final = late + early[len(late) : PART_BYTE_COUNT + 7] + late + early[PART_BYTE_COUNT:]
        path.write_bytes(final)
        upload.send_grown(path)
        opened = upload.finish(path)
    assert [part["PartNumber"] for part in opened.parts] == [1, 2, 3, 4, 5]
    place.complete_upload(opened, Precondition())
    assert stored(s3, bucket, KEY) == final


def test_a_file_that_is_shorter_in_the_end_has_no_part_too_many(
    place: Bucket, s3: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    path = tmp_path / "growing"
    path.write_bytes(bytes(PARTS * PART_BYTE_COUNT))
    with closing(upload_of(place)) as upload:
        upload.send_grown(path)
        path.write_bytes(b"short")
        opened = upload.finish(path)
    place.complete_upload(opened, Precondition())
    assert stored(s3, bucket, KEY) == b"short"


def test_a_part_that_fails_ends_the_upload(place: Bucket, tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(bytes(PARTS * PART_BYTE_COUNT))
    upload = upload_of(place)
    place.drop_uploads([upload.open_upload])
    with closing(upload):
        upload.send_grown(path)
        with pytest.raises(ServiceUnavailableError):
            upload.finish(path)


Run = Callable[..., list[str]]


@pytest.fixture
def run(connections: object, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    # Every COG, and not only one that takes seconds.
    monkeypatch.setattr(assemble, "_GROWING_BYTE_COUNT", 0)
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
            compression="none",
            **fields,
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
    assert len(content) > 3 * PART_BYTE_COUNT
    (asset,) = json.loads(stored(s3, bucket, "a/scene.tif.json"))["assets"].values()
    assert asset["file:checksum"] == f"1220{hashlib.sha256(content).hexdigest()}"
    assert asset["file:size"] == len(content)
    metadata = s3.client().head_object(Bucket=bucket, Key="a/scene.tif")["Metadata"]
    assert set(metadata) == {"fingerprint", "generation", "item"}


def test_whether_the_source_is_unchanged_is_asked_while_the_cog_is_uploaded(
    run: Run, emulator: Emulator, s3: SeaweedFS, bucket: str
) -> None:
    """The answer is held back until there are parts: they do not wait for it."""
    sent: list[int] = []

    def release_once_there_are_parts(armed: ArmedFault) -> None:
        deadline = time.monotonic() + 60
        while not sent and time.monotonic() < deadline:
            for upload in s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []):
                place = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                parts = s3.client().list_parts(Bucket=bucket, **place).get("Parts", [])
                sent.extend(part["PartNumber"] for part in parts)
            time.sleep(0.02)
        armed.release()

    # The first request describes the image, the second asks whether it is still the same.
    with (
        emulator.fault("value:compute", Latency(120), skip=1) as armed,
        ThreadPoolExecutor(1) as pool,
    ):
        watch = pool.submit(release_once_there_are_parts, armed)
        run(limits={"tile_byte_count": 8 << 20})
        watch.result()
    assert sent


def test_a_cog_that_a_killed_try_left_is_adopted_with_its_digest(
    run: Run, s3: SeaweedFS, bucket: str, emulator: Emulator
) -> None:
    run()
    content = stored(s3, bucket, "a/scene.tif")
    before = s3.client().head_object(Bucket=bucket, Key="a/scene.tif")["ETag"]
    s3.client().delete_object(Bucket=bucket, Key="a/scene.tif.json")
    run()
    assert s3.client().head_object(Bucket=bucket, Key="a/scene.tif")["ETag"] == before
    (asset,) = json.loads(stored(s3, bucket, "a/scene.tif.json"))["assets"].values()
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
