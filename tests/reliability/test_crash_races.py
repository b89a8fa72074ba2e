"""Many attempts for the same keys at once: one item, and all succeed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.emulator.faults import Stall
from airflow_provider.earthengine.emulator.server import Emulator
from stack.seaweedfs import SeaweedFS
from tests.reliability.forked_attempts import Attempt, wait_until_fired

pytestmark = pytest.mark.slow

LANDSAT = "projects/demo/assets/landsat7_olinda"
ATTEMPTS = 16


@pytest.fixture
def fields(connections: object, bucket: str) -> dict[str, Any]:
    params = {"bands": ["B1", "B2"], "name": "scene", "scale": 114}
    return {"image": LANDSAT, "download_params": params, "s3_bucket": bucket,
            "quicklook": False}  # fmt: skip


def contents(s3: SeaweedFS, bucket: str) -> dict[str, bytes]:
    client = s3.client()
    return {
        each["Key"]: client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
        for each in client.list_objects_v2(Bucket=bucket).get("Contents", [])
    }


def assert_one_item_that_matches(objects: dict[str, bytes], bucket: str) -> None:
    assert sorted(objects) == ["scene.B1.tif", "scene.B2.tif", "scene.bands.json"]
    assets = json.loads(objects.pop("scene.bands.json"))["assets"].values()
    assert {asset["href"]: asset["file:checksum"] for asset in assets} == {
        f"s3://{bucket}/{key}": f"1220{hashlib.sha256(content).hexdigest()}"
        for key, content in objects.items()
    }


def run_all(fields: dict[str, Any], scratch: Path) -> None:
    attempts = [Attempt(fields, scratch) for _ in range(ATTEMPTS)]
    outcomes = [attempt.wait() for attempt in attempts]
    assert [outcome.error for outcome in outcomes] == [""] * ATTEMPTS
    assert {len(outcome.uris) for outcome in outcomes} == {2}


def test_sixteen_attempts_at_once_succeed_with_one_item(
    fields: dict[str, Any], s3: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    run_all(fields, tmp_path)
    assert_one_item_that_matches(contents(s3, bucket), bucket)
    assert not s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("if_exists", ["replace_changed", "replace"])
def test_an_old_attempt_that_lives_on_beside_its_retry_finds_its_download(
    fields: dict[str, Any], emulator: Emulator, s3: SeaweedFS, bucket: str, tmp_path: Path,
    if_exists: str,
) -> None:  # fmt: skip
    """Both have seen an empty place; the retry publishes while the old one waits for pixels."""
    fields["if_exists"] = if_exists
    with emulator.fault("thumbnails.getPixels", Stall()) as armed:
        old = Attempt(fields, tmp_path)
        wait_until_fired(armed)
        retry = Attempt(fields, tmp_path).wait()
    assert old.process.is_alive()
    published = contents(s3, bucket)
    assert_one_item_that_matches(dict(published), bucket)
    armed.release()
    assert old.wait().uris == retry.uris
    assert contents(s3, bucket) == published
    assert not s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert list(tmp_path.iterdir()) == []


def test_an_old_attempt_of_another_run_fails_harmlessly(
    fields: dict[str, Any], emulator: Emulator, s3: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    """With if_exists "replace", what a later run has published is not its own."""
    fields["if_exists"] = "replace"
    with emulator.fault("thumbnails.getPixels", Stall()) as armed:
        old = Attempt(fields, tmp_path, context={"run_id": "earlier"})
        wait_until_fired(armed)
        assert len(Attempt(fields, tmp_path).wait().uris) == 2
    published = contents(s3, bucket)
    armed.release()
    assert "ObjectExistsError" in old.wait().error
    assert contents(s3, bucket) == published
    assert not s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads")


@pytest.mark.parametrize("if_exists", ["replace_changed", "replace"])
def test_sixteen_attempts_at_once_replace_an_older_download(
    fields: dict[str, Any], s3: SeaweedFS, bucket: str, tmp_path: Path, if_exists: str
) -> None:
    fields["if_exists"] = if_exists
    older = {**fields, "download_params": {**fields["download_params"], "scale": 57}}
    assert len(Attempt(older, tmp_path, context={"run_id": "earlier"}).wait().uris) == 2
    before = contents(s3, bucket)
    run_all(fields, tmp_path)
    objects = contents(s3, bucket)
    assert not set(before.values()) & set(objects.values())
    assert_one_item_that_matches(objects, bucket)
    assert not s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads")
