"""What each method asks of a store, word for word, and what it makes of the answer."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.delete_listed import delete_listed
from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.objects import (
    HeadedObject,
    ListedObject,
    OpenUpload,
    Precondition,
)
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    EarthEngineProviderError,
    ServiceUnavailableError,
    StoredObjectMismatchError,
)
from tests.support.scripted_s3 import USUAL, Answer, Asked, ScriptedS3, refusal, scripted_s3

CONTENT = b"pixels"
DIGEST = hashlib.sha256(CONTENT)
CHECKSUM = base64.b64encode(DIGEST.digest()).decode()
ABSENT, OLD = Precondition(), Precondition('"old"')
UPLOAD = OpenUpload("a/b.tif", "u1", ({"PartNumber": 1, "ETag": '"p"', "ChecksumSHA256": "c"},))
EXTRA = {"StorageClass": "STANDARD_IA", "ServerSideEncryption": "AES256"}
ENCRYPTED = {"x-amz-server-side-encryption": "AES256"}
PARTS = b'<Part><PartNumber>1</PartNumber><ETag>"p"</ETag><ChecksumSHA256>c</ChecksumSHA256></Part>'
# The client says what kind of content it is even where there is none.
DEFAULT_KINDS = {"binary/octet-stream", "application/xml"}


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedS3]:
    with scripted_s3() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: ScriptedS3) -> Any:
    return server.client()


@pytest.fixture
def bucket(server: ScriptedS3, client: Any) -> Bucket:
    server.asked.clear()
    server.script = lambda _: None
    return Bucket(client, "demo", EXTRA)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


Call = Callable[[Bucket, Path], Any]

CALLS: dict[str, tuple[Call, Any, Asked]] = {
    "read": (
        lambda bucket, _: bucket.read_object("a/b.json"),
        (b"content", '"of-get"'),
        Asked("GetObject", "demo/a/b.json", {}, {}, b""),
    ),
    "read no more than": (
        lambda bucket, _: bucket.read_object("a/b.json", 4),
        (b"cont", '"of-get"'),
        Asked("GetObject", "demo/a/b.json", {}, {}, b""),
    ),
    "head": (
        lambda bucket, _: bucket.head_object("a/b.tif"),
        HeadedObject(7, '"of-head"', {"sha256": "abc"}),
        Asked("HeadObject", "demo/a/b.tif", {}, {}, b""),
    ),
    "digest": (
        lambda bucket, _: bucket.digest_object("a/b.tif", '"old"'),
        hashlib.sha256(b"content").hexdigest(),
        Asked("GetObject", "demo/a/b.tif", {}, {"if-match": '"old"'}, b""),
    ),
    "get a file": (
        lambda bucket, path: (bucket.get_file("a/tile", path), path.read_bytes()),
        (hashlib.sha256(b"content").hexdigest(), b"content"),
        Asked("GetObject", "demo/a/tile", {}, {}, b""),
    ),
    "put a file": (
        lambda bucket, path: bucket.put_file("a/tile", path, DIGEST.digest()),
        None,
        Asked(
            "PutObject",
            "demo/a/tile",
            {},
            {"x-amz-checksum-sha256": CHECKSUM, **ENCRYPTED},
            CONTENT,
        ),
    ),
    "write a new object": (
        lambda bucket, _: bucket.write_object("a/b.json", CONTENT, "text/x", ABSENT),
        '"of-put"',
        Asked(
            "PutObject",
            "demo/a/b.json",
            {},
            {
                "if-none-match": "*",
                "content-type": "text/x",
                "x-amz-checksum-sha256": CHECKSUM,
                **ENCRYPTED,
            },
            CONTENT,
        ),
    ),
    "write over an object": (
        lambda bucket, _: bucket.write_object("a/b.json", CONTENT, "text/x", OLD),
        '"of-put"',
        Asked(
            "PutObject",
            "demo/a/b.json",
            {},
            {
                "if-match": '"old"',
                "content-type": "text/x",
                "x-amz-checksum-sha256": CHECKSUM,
                **ENCRYPTED,
            },
            CONTENT,
        ),
    ),
    "open an upload": (
        lambda bucket, _: bucket.create_upload("a/b.tif", "image/tiff", {"sha256": "abc"}),
        OpenUpload("a/b.tif", "u1", ()),
        Asked(
            "CreateMultipartUpload",
            "demo/a/b.tif",
            {"uploads": ""},
            {
                "content-type": "image/tiff",
                "x-amz-meta-sha256": "abc",
                "x-amz-checksum-algorithm": "SHA256",
                "x-amz-storage-class": "STANDARD_IA",
                **ENCRYPTED,
            },
            b"",
        ),
    ),
    "send a part": (
        lambda bucket, _: bucket.upload_part(UPLOAD, 3, CONTENT, DIGEST.digest()),
        {"PartNumber": 3, "ETag": '"of-part"', "ChecksumSHA256": CHECKSUM},
        Asked(
            "UploadPart",
            "demo/a/b.tif",
            {"uploadId": "u1", "partNumber": "3"},
            {"x-amz-checksum-sha256": CHECKSUM},
            CONTENT,
        ),
    ),
    "complete a new object": (
        lambda bucket, _: bucket.complete_upload(UPLOAD, ABSENT),
        '"of-all"',
        Asked(
            "CompleteMultipartUpload",
            "demo/a/b.tif",
            {"uploadId": "u1"},
            {"if-none-match": "*"},
            PARTS,
        ),
    ),
    "complete over an object": (
        lambda bucket, _: bucket.complete_upload(UPLOAD, OLD),
        '"of-all"',
        Asked(
            "CompleteMultipartUpload",
            "demo/a/b.tif",
            {"uploadId": "u1"},
            {"if-match": '"old"'},
            PARTS,
        ),
    ),
    "abort an upload": (
        lambda bucket, _: bucket.abort_upload("a/b.tif", "u1"),
        None,
        Asked("AbortMultipartUpload", "demo/a/b.tif", {"uploadId": "u1"}, {}, b""),
    ),
    "delete": (
        lambda bucket, _: bucket.delete_object("a/b.tif", '"old"'),
        None,
        Asked("DeleteObject", "demo/a/b.tif", {}, {"if-match": '"old"'}, b""),
    ),
    "list": (
        lambda bucket, _: bucket.list_objects("a/b"),
        {},
        Asked(
            "ListObjectsV2",
            "demo",
            {"list-type": "2", "prefix": "a/b", "encoding-type": "url"},
            {},
            b"",
        ),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_request_is_this_one_and_its_answer_means_that(
    name: str, bucket: Bucket, server: ScriptedS3, file: Path
) -> None:
    call, outcome, request = CALLS[name]
    assert call(bucket, file) == outcome
    (asked,) = server.asked
    content = re.sub(rb"</?CompleteMultipartUpload.*?>", b"", asked.content)
    says = {name: each for name, each in asked.says.items() if each not in DEFAULT_KINDS}
    assert (asked.operation, asked.key, asked.query, says, content) == (
        request.operation, request.key, request.query, request.says, request.content,
    )  # fmt: skip


def test_a_listing_is_all_its_pages(bucket: Bucket, server: ScriptedS3) -> None:
    def page(asked: Asked) -> Answer:
        last = "continuation-token" in asked.query
        more = "" if last else "<NextContinuationToken>t</NextContinuationToken>"
        return Answer(
            content=f"<ListBucketResult><IsTruncated>{str(not last).lower()}</IsTruncated>{more}"
            f"<Contents><Key>a/{int(last)}</Key><Size>{int(last) + 5}</Size>"
            f"<ETag>&quot;e{int(last)}&quot;</ETag></Contents></ListBucketResult>".encode()
        )

    server.script = page
    assert bucket.list_objects("a/") == {
        "a/0": ListedObject(5, '"e0"'), "a/1": ListedObject(6, '"e1"'),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["read", "head", "get a file"])
def test_what_is_not_there_is_none(
    name: str, bucket: Bucket, server: ScriptedS3, file: Path
) -> None:
    server.script = lambda _: refusal("NoSuchKey", 404)
    call = CALLS[name][0]
    found = call(bucket, file)
    assert (found[0] if isinstance(found, tuple) else found) is None
    assert file.read_bytes() == CONTENT


SIGNALS = {
    "write over an object": (ConditionFailedError, UploadConflictError),
    "complete over an object": (ConditionFailedError, UploadConflictError),
    "digest": (ConditionFailedError, ServiceUnavailableError),
    "delete": (ConditionFailedError, ConditionFailedError),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_a_condition_that_fails_and_a_conflict_are_told_apart(
    name: str, bucket: Bucket, server: ScriptedS3, file: Path
) -> None:
    for answer, signal in zip(
        (refusal("PreconditionFailed", 412), refusal("ConditionalRequestConflict", 409)),
        SIGNALS[name],
        strict=True,
    ):
        server.script = lambda _, answer=answer: answer
        with pytest.raises(signal):
            CALLS[name][0](bucket, file)


def test_what_was_listed_is_deleted_unless_it_has_changed(
    bucket: Bucket, server: ScriptedS3
) -> None:
    server.asked.clear()
    server.script = lambda asked: (
        refusal("PreconditionFailed", 412) if asked.key.endswith("/b") else None
    )
    delete_listed(bucket, {f"a/{name}": ListedObject(1, f'"{name}"') for name in "abc"})
    assert [(each.operation, each.key, each.says) for each in server.asked] == [
        ("DeleteObject", f"demo/a/{name}", {"if-match": f'"{name}"'}) for name in "abc"
    ]


ACTIONS = {
    "read": "read s3://demo/a/b.json",
    "head": "read the metadata of s3://demo/a/b.tif",
    "digest": "read s3://demo/a/b.tif",
    "get a file": "read s3://demo/a/tile",
    "put a file": "write s3://demo/a/tile",
    "write over an object": "write s3://demo/a/b.json",
    "open an upload": "upload s3://demo/a/b.tif",
    "send a part": "upload s3://demo/a/b.tif",
    "complete over an object": "complete s3://demo/a/b.tif",
    "abort an upload": "abort the upload of s3://demo/a/b.tif",
    "delete": "delete s3://demo/a/b.tif",
    "list": "list s3://demo/a/b",
}


@pytest.mark.parametrize("name", ACTIONS)
def test_a_refusal_says_what_failed_on_what_and_the_stores_own_words(
    name: str, bucket: Bucket, server: ScriptedS3, file: Path
) -> None:
    server.script = lambda _: refusal("AccessDenied", 403, "not you")
    with pytest.raises(AccessDeniedError) as caught:
        CALLS[name][0](bucket, file)
    # The answer to HEAD has no body, and so no words.
    code, text = ("403", "Forbidden") if name == "head" else ("AccessDenied", "not you")
    error = caught.value
    assert str(error).startswith(f"Could not {ACTIONS[name]} ({code}, HTTP 403): ")
    assert (error.facts, error.server_text) == ({"status": 403, "code": code}, text)


@pytest.mark.parametrize("name", ["write a new object", "send a part"])
def test_a_checksum_that_the_store_returns_has_to_be_the_one_sent(
    name: str, bucket: Bucket, server: ScriptedS3, file: Path
) -> None:
    call, outcome, _ = CALLS[name]

    def with_checksum(checksum: str) -> None:
        server.script = lambda asked: Answer(
            200, {**USUAL[asked.operation].headers, "x-amz-checksum-sha256": checksum}
        )

    with_checksum(CHECKSUM)
    assert call(bucket, file) == outcome
    with_checksum("b3RoZXI=")
    with pytest.raises(StoredObjectMismatchError, match=f"with SHA-256 {CHECKSUM}, but .*b3RoZXI="):
        call(bucket, file)


def test_an_upload_that_is_gone_is_aborted_and_all_are_tried_unless_the_store_is_down(
    bucket: Bucket, server: ScriptedS3
) -> None:
    uploads = [OpenUpload("a", "u1", ()), OpenUpload("b", "u2", ())]
    server.script = lambda _: refusal("NoSuchUpload", 404)
    assert bucket.drop_uploads(uploads)
    for answer, tried in ((refusal("AccessDenied", 403), 2), (refusal("InternalError", 500), 1)):
        server.asked.clear()
        server.script = lambda _, answer=answer: answer
        assert not bucket.drop_uploads(uploads)
        assert [asked.query["uploadId"] for asked in server.asked] == ["u1", "u2"][:tried]
    server.script = lambda asked: answer if asked.query["uploadId"] == "u2" else None
    assert not bucket.drop_uploads(uploads)


def test_any_other_refusal_to_abort_is_an_error(bucket: Bucket, server: ScriptedS3) -> None:
    server.script = lambda _: refusal("AccessDenied", 403)
    with pytest.raises(EarthEngineProviderError):
        bucket.abort_upload("a", "u1")
