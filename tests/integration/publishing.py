"""Attempts to publish three files of one download on real S3 servers, and what is left of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.fields.destination import Destination, Identity, IfExists
from airflow_provider.earthengine.download.publish.commit import publish_files
from airflow_provider.earthengine.download.publish.files import GEOTIFF_MEDIA_TYPE, LocalFile
from airflow_provider.earthengine.download.publish.record import (
    ETAG,
    FINGERPRINT,
    GENERATION,
    CommitRecord,
    StoredObject,
    Target,
)
from airflow_provider.earthengine.download.publish.standing import Standing, look_at_destination
from stack.other_stores import Store
from stack.seaweedfs import SeaweedFS

BANDS = ("B1", "B2", "B3")


@pytest.fixture(params=["SeaweedFS", "ministack"])
def s3(request: pytest.FixtureRequest, s3: SeaweedFS) -> SeaweedFS | Store:
    """Each of two servers that have nothing in common but what S3 promises."""
    if request.param == "SeaweedFS":
        return s3
    store: Store = request.getfixturevalue("ministack_store")
    return store


class Attempt:
    """One attempt to publish the three files of one download."""

    def __init__(
        self,
        s3: SeaweedFS,
        bucket: str,
        directory: Path,
        *,
        fingerprint: str = "v1:a",
        generation: str = "run/0",
        if_exists: IfExists = IfExists.REPLACE_CHANGED,
        bands: Sequence[str] = BANDS,
        map_index: int = -1,
    ) -> None:
        self.has_died = False
        self.client = s3.client()
        self.bucket = Bucket(self.client, bucket)
        self.destination = Destination(bucket, "some/prefix", "scene", ".bands.json")
        self.identity = Identity(fingerprint, generation, if_exists, "download", map_index)
        self.files = [self._file(directory, band) for band in bands]

    @property
    def target(self) -> Target:
        return Target(self.bucket, self.destination, self.identity)

    def _file(self, directory: Path, band: str) -> LocalFile:
        # Earth Engine's bytes may differ from try to try, for example in a zip's time stamps.
        content = f"{band} {self.identity} {id(self)}".encode() * 1000
        path = directory / f"{id(self)}.{band}"
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return LocalFile(f".{band}.tif", path, len(content), digest, GEOTIFF_MEDIA_TYPE, ())

    def look(self) -> Standing:
        return look_at_destination(self.target)

    def publish(
        self,
        standing: Standing | None = None,
        confirm: Callable[[], object] | None = None,
    ) -> CommitRecord:
        return publish_files(
            self.target,
            standing or self.look(),
            self.files,
            self.build_item,
            confirm,
        )

    def build_item(self, stored: Sequence[StoredObject]) -> bytes:
        assets = {
            each.key: {
                "href": self.bucket.uri(each.key),
                "file:size": each.byte_count,
                "file:checksum": f"1220{each.sha256}",
                ETAG: each.etag,
            }
            for each in stored
        }
        properties = {
            FINGERPRINT: self.identity.fingerprint,
            GENERATION: self.identity.generation,
            "airflow:task_id": self.identity.task_id,
            "airflow:map_index": self.identity.map_index,
        }
        return json.dumps({"properties": properties, "assets": assets}).encode()

    def on(self, event: str, action: Callable[..., None]) -> None:
        """Run ``action`` before the client sends the named request."""
        self.client.meta.events.register(f"before-call.s3.{event}", action)


@pytest.fixture
def attempt(s3: SeaweedFS, bucket: str, tmp_path: Path) -> Callable[..., Attempt]:
    def make(**kwargs: object) -> Attempt:
        return Attempt(s3, bucket, tmp_path, **kwargs)  # type: ignore[arg-type]  # as Attempt takes them

    return make


@pytest.fixture
def contents(s3: SeaweedFS, bucket: str) -> Callable[[], dict[str, str]]:
    """Return a function that gives sha256 by key of all that is in the bucket."""

    def read() -> dict[str, str]:
        client = s3.client()
        listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {
            each["Key"]: hashlib.sha256(
                client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            ).hexdigest()
            for each in listed
        }

    return read


@pytest.fixture(autouse=True)
def no_upload_stays_open(s3: SeaweedFS, bucket: str) -> Iterator[None]:
    yield
    assert not s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads")


KEYS = [f"some/prefix/scene.{band}.tif" for band in BANDS]
ITEM = "some/prefix/scene.bands.json"


def assert_record_matches(record: CommitRecord, contents: dict[str, str]) -> None:
    """The item names complete objects, with the digests that the bucket really holds."""
    assert ITEM in contents
    assert {each.key: each.sha256 for each in record.objects} == {
        key: digest for key, digest in contents.items() if key != ITEM
    }


class Killed(BaseException):
    """Ends an attempt as a kill would, without its cleaning up."""
