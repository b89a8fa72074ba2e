"""Object stores that are unlike each other: what is asked of them, and what they make of it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.conditional_writes import (
    Conditions,
    find_conditions,
)
from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.multipart import PartSender, PartUpload
from airflow_provider.earthengine.download.bucket.objects import Precondition
from airflow_provider.earthengine.exceptions import ServiceUnavailableError
from airflow_provider.earthengine.hooks.s3 import open_client
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.other_stores import Store
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.private_ca import PrivateCA, make_private_ca
from tests.support.s3_relay import S3Relay, S3Request, s3_relay_to

pytestmark = pytest.mark.slow

LANDSAT = "projects/demo/assets/landsat7_olinda"
# All that the provider ever asks of a store.
OPERATIONS = {
    "ListObjectsV2", "GetObject", "HeadObject", "PutObject", "DeleteObject",
    "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload",
}  # fmt: skip
WITH_CONTENT = {"PutObject", "UploadPart"}


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> PrivateCA:
    return make_private_ca(tmp_path_factory.mktemp("ca"), "127.0.0.1")


def connect(
    monkeypatch: pytest.MonkeyPatch, store: SeaweedFS | Store, **extra: Any
) -> Callable[[], Any]:
    """Make ``aws_default`` this store; return what makes a client of it as the operator does."""
    connection = json.loads(store.airflow_connection)
    connection["extra"] |= extra
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    return lambda: open_client("aws_default")


def is_crc32(request: S3Request) -> bool:
    """Return whether a request has a checksum that nobody asked for, before its body or behind."""
    return (
        "x-amz-trailer" in request.headers
        or "aws-chunked" in request.headers.get("content-encoding", "")
        or any("crc" in f"{name} {value}".lower() for name, value in request.headers.items()
               if name.startswith(("x-amz-checksum", "x-amz-sdk-checksum")))
    )  # fmt: skip


def use_everything(client: Any, bucket_name: str, folder: Path) -> None:
    """Ask a store for everything that the provider asks for."""
    path = folder / "file"
    path.write_bytes(b"abc" * 3_000_000)  # two parts
    bucket = Bucket(client, bucket_name)
    bucket.find_out_conditions("a")
    etag = bucket.write_object("a/item.json", b"{}", "application/json", Precondition())
    assert bucket.read_object("a/item.json") == (b"{}", etag)
    assert bucket.head_object("a/item.json") is not None
    bucket.put_file("a/tile", path, digest_of(path))
    assert bucket.get_file("a/tile", folder / "again") == digest_of(path).hex()
    assert bucket.head_object("a/absent") is None
    for key in ("a/one", "a/one", "a/two"):
        with (
            closing(PartSender()) as sender,
            closing(PartUpload(sender, bucket, key, "image/tiff", {"sha256": "x"})) as upload,
        ):
            upload.send_file(path)
            filled = upload.take()
        if key == "a/two":
            bucket.drop_uploads([filled])
            continue
        found = bucket.head_object(key)
        bucket.complete_upload(filled, Precondition(found.etag if found else None))
    listed = bucket.list_objects("a/")
    assert sorted(listed) == ["a/item.json", "a/one", "a/tile"]
    for key, each in listed.items():
        bucket.delete_object(key, each.etag)
    assert bucket.list_objects("") == {}
    bucket.close()


def digest_of(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


@pytest.fixture(params=["http", "https"])
def relay(request: pytest.FixtureRequest, s3: SeaweedFS, ca: PrivateCA) -> Iterator[S3Relay]:
    """A relay before SeaweedFS, in plain text and with TLS."""
    context = ca.server_context() if request.param == "https" else None
    with s3_relay_to(s3.endpoint_url, context=context) as running:
        yield running


def test_no_request_has_a_checksum_but_our_own(
    relay: S3Relay,
    s3: SeaweedFS,
    bucket: str,
    ca: PrivateCA,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    client = connect(monkeypatch, s3, endpoint_url=relay.url, verify=str(ca.ca))
    use_everything(client(), bucket, tmp_path)
    assert relay.operations == OPERATIONS
    assert [request for request in relay.requests if is_crc32(request)] == []
    for request in relay.requests:
        has_sha256 = "x-amz-checksum-sha256" in request.headers
        assert has_sha256 == (request.operation in WITH_CONTENT), request
        # A signed checksum is enough: a second one, of the body alone, takes as long again.
        is_body_signed = request.headers["x-amz-content-sha256"] != "UNSIGNED-PAYLOAD"
        assert is_body_signed != has_sha256, request
        if has_sha256:
            assert "x-amz-checksum-sha256" in request.headers["authorization"], request


def test_a_part_that_changes_on_the_way_is_refused(
    s3: SeaweedFS, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(monkeypatch, s3)()

    def change(request: Any, **_: Any) -> None:
        request.body = b"other pixels"

    client.meta.events.register("before-send.s3.UploadPart", change)
    with closing(Bucket(client, bucket)) as opened:
        upload = opened.create_upload("a/b.tif", "image/tiff", {})
        digest = hashlib.sha256(b"these pixels").digest()
        with pytest.raises(ServiceUnavailableError, match="damaged in transit"):
            opened.upload_part(upload, 1, b"these pixels", digest)
        assert opened.drop_uploads([upload])


def refuses_as_r2(request: S3Request) -> tuple[int, str] | None:
    """Return what Cloudflare R2 answers where it knows no checksum of that kind.

    Source: https://github.com/aws/aws-sdk-js-v3/issues/6810, read 2026-11.
    """
    return (501, "NotImplemented") if is_crc32(request) else None


def test_a_store_that_refuses_crc32_as_r2_does_is_conditional_and_takes_a_download(
    s3: SeaweedFS, bucket: str, ca: PrivateCA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    earthengine_default: str,
) -> None:  # fmt: skip
    with s3_relay_to(s3.endpoint_url, context=ca.server_context(), refuse=refuses_as_r2) as relay:
        # An S3 client as it is without us is refused.
        plain = boto3.client(
            "s3", endpoint_url=relay.url, region_name=s3.region, verify=str(ca.ca),
            aws_access_key_id=s3.access_key, aws_secret_access_key=s3.secret_key,
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip
        with pytest.raises(ClientError, match="NotImplemented"):
            plain.put_object(Bucket=bucket, Key="x", Body=b"x")
        client = connect(monkeypatch, s3, endpoint_url=relay.url, verify=str(ca.ca))
        assert find_conditions(client(), bucket, "") == Conditions()
        use_everything(client(), bucket, tmp_path)
        (uri,) = download(bucket)
        with open_raster(uri) as raster:
            assert raster.shape == (352, 349)


def download(bucket: str, **context: Any) -> list[str]:
    operator = EarthEngineToS3Operator(
        task_id="download", image=LANDSAT, s3_bucket=bucket,
        download_params={"bands": ["B1"], "format": "GEO_TIFF"},
    )  # fmt: skip
    uris: list[str] = operator.execute(task_context(**context))  # type: ignore[arg-type]  # a stand-in
    return uris


@pytest.fixture
def shelf(request: pytest.FixtureRequest) -> Callable[[Store], str]:
    """Return what makes a bucket in a store."""

    def make(store: Store) -> str:
        name = f"test-{uuid.uuid4().hex[:12]}"
        store.client().create_bucket(Bucket=name)
        return name

    return make


def test_a_download_is_published_to_another_server_with_conditions(
    ministack_store: Store,
    shelf: Callable[[Store], str],
    monkeypatch: pytest.MonkeyPatch,
    earthengine_default: str,
    tmp_path: Path,
) -> None:
    bucket = shelf(ministack_store)
    client = connect(monkeypatch, ministack_store)
    assert find_conditions(client(), bucket, "") == Conditions()
    use_everything(client(), bucket, tmp_path)
    (uri,) = download(bucket)
    assert download(bucket, run_id="another") == [uri]
    item = json.loads(ministack_store.client().get_object(
        Bucket=bucket, Key="landsat7_olinda.tif.json")["Body"].read())  # fmt: skip
    assert "earthengine:conditional_writes" not in item["properties"]


def test_a_store_that_honours_one_condition_of_five_is_not_taken_for_conditional(
    localbucket_store: Store,
    shelf: Callable[[Store], str],
    monkeypatch: pytest.MonkeyPatch,
    earthengine_default: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bucket = shelf(localbucket_store)
    client = connect(monkeypatch, localbucket_store)
    plain = localbucket_store.client()
    plain.put_object(Bucket=bucket, Key="x", Body=b"x", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        plain.put_object(Bucket=bucket, Key="x", Body=b"x", IfNoneMatch="*")
    plain.delete_object(Bucket=bucket, Key="x", IfMatch='"not its own"')  # and it is gone
    assert find_conditions(client(), bucket, "") == Conditions(on_writes=False, on_deletes=False)
    use_everything(client(), bucket, tmp_path)
    (uri,) = download(bucket)
    assert "does not honour conditional writes" in caplog.text
    item = json.loads(
        plain.get_object(Bucket=bucket, Key="landsat7_olinda.tif.json")["Body"].read()
    )
    assert item["properties"]["earthengine:conditional_writes"] is False
    assert uri == f"s3://{bucket}/landsat7_olinda.tif"


def ignores_deletes(request: S3Request) -> tuple[int, str] | None:
    if request.operation == "DeleteObject" and "if-match" in request.headers:
        return 501, "NotImplemented"
    return None


def test_where_deletes_have_no_condition_writes_keep_theirs_and_deletes_look_before(
    s3: SeaweedFS, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_relay_to(s3.endpoint_url, refuse=ignores_deletes) as relay:
        client = connect(monkeypatch, s3, endpoint_url=relay.url)
        opened = Bucket(client(), bucket)
        opened.find_out_conditions("")
        assert opened.is_conditional
        etag = opened.write_object("x", b"1", "text/plain", Precondition())
        with pytest.raises((ConditionFailedError, UploadConflictError)):
            opened.write_object("x", b"2", "text/plain", Precondition())
        s3.client().put_object(Bucket=bucket, Key="x", Body=b"of somebody else")
        with pytest.raises(ConditionFailedError):
            opened.delete_object("x", etag)
        assert opened.read_object("x") is not None
        opened.delete_object("x", opened.list_objects("")["x"].etag)
        assert opened.read_object("x") is None
        opened.close()
