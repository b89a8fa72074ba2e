"""Which conditions a store honours: found out by asking, once, and leaving nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.conditional_writes import (
    Conditions,
    find_conditions,
)
from airflow_provider.earthengine.download.bucket.errors import ConditionFailedError
from airflow_provider.earthengine.download.bucket.objects import Precondition
from tests.support.scripted_s3 import Answer, Asked, ScriptedS3, refusal, scripted_s3

Condition = tuple[str, str]
PUT, COMPLETE, DELETE = "PutObject", "CompleteMultipartUpload", "DeleteObject"
ALL: tuple[Condition, ...] = (
    (PUT, "if-none-match"), (PUT, "if-match"),
    (COMPLETE, "if-none-match"), (COMPLETE, "if-match"),
    (DELETE, "if-match"),
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[ScriptedS3]:
    """A new endpoint for each test, as each is asked only once."""
    with scripted_s3() as running:
        yield running


def honouring(
    honoured: set[Condition], otherwise: Answer | None = None
) -> Callable[[Asked], Answer | None]:
    """Return a script that refuses what has one of these conditions."""

    def answer(asked: Asked) -> Answer | None:
        conditions = {(asked.operation, name) for name in asked.says if name.startswith("if-")}
        if conditions & honoured:
            return refusal("PreconditionFailed", 412)
        return otherwise if conditions else None

    return answer


@pytest.mark.slow
@pytest.mark.parametrize("ignored", [None, *ALL], ids=str)
@pytest.mark.parametrize("instead", [None, refusal("NotImplemented", 501)], ids=["does", "says"])
def test_a_condition_that_is_ignored_or_unknown_is_not_relied_on(
    ignored: Condition | None, instead: Answer | None, server: ScriptedS3
) -> None:
    server.script = honouring(set(ALL) - {ignored}, instead)  # type: ignore[arg-type]  # None is in none
    found = find_conditions(server.client(), "demo", "a")
    on_deletes = (DELETE, "if-match")
    assert found == Conditions(ignored in {None, on_deletes}, on_deletes=ignored != on_deletes)


def test_it_is_asked_below_the_prefix_once_and_nothing_of_it_stays(server: ScriptedS3) -> None:
    server.script = honouring(set(ALL))
    client = server.client()
    for _ in range(2):
        assert find_conditions(client, "demo", "a/b") == Conditions()
    (key,) = {asked.key for asked in server.asked}
    assert key.startswith("demo/a/b/.conditional-write-")
    asked = [(each.operation, sorted(each.says)) for each in server.asked]
    sha256 = "x-amz-checksum-sha256"
    conditions = [
        (each.operation, name)
        for each in server.asked
        for name in each.says
        if name.startswith("if-")
    ]
    assert conditions == list(ALL)
    assert asked[-1] == (DELETE, [])
    assert len([each for each in server.asked if each.operation == "AbortMultipartUpload"]) == 2
    for each in server.asked:
        if each.operation == COMPLETE:
            assert b"<PartNumber>1</PartNumber>" in each.content
            assert b'<ETag>"of-part"</ETag>' in each.content
            assert each.query == {"uploadId": "u1"}
        if each.operation in {PUT, "UploadPart"}:
            # That of no bytes, worked out by `printf '' | openssl dgst -sha256 -binary | base64`.
            assert each.says[sha256] == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
            assert each.content == b""


def test_without_a_prefix_the_probe_is_at_the_top(server: ScriptedS3) -> None:
    server.script = honouring(set(ALL))
    find_conditions(server.client(), "demo", "")
    assert server.asked[0].key.startswith("demo/.conditional-write-")


def test_aws_is_not_asked() -> None:
    endpoint = SimpleNamespace(endpoint_url="https://s3.eu-west-1.amazonaws.com")
    client: Any = SimpleNamespace(meta=endpoint)
    assert find_conditions(client, "demo", "a") == Conditions()


@pytest.mark.parametrize("operation", [PUT, COMPLETE])
def test_any_other_refusal_is_an_error_and_the_probe_is_removed(
    operation: str, server: ScriptedS3
) -> None:
    def answer(asked: Asked) -> Answer | None:
        if asked.operation == operation and "if-none-match" in asked.says:
            return refusal("AccessDenied", 403)
        return honouring(set(ALL))(asked)

    server.script = answer
    with pytest.raises(ClientError, match="AccessDenied"):
        find_conditions(server.client(), "demo", "a")
    assert server.asked[-1].operation == DELETE


def test_a_probe_that_cannot_be_removed_is_logged_and_deletes_have_no_condition(
    server: ScriptedS3, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(asked: Asked) -> Answer | None:
        return refusal("AccessDenied", 403) if asked.operation == DELETE else script(asked)

    script = honouring(set(ALL))
    server.script = answer
    assert find_conditions(server.client(), "demo", "a") == Conditions(on_deletes=False)
    assert "Could not remove the probe s3://demo/a/.conditional-write-" in caplog.text


def test_a_bucket_sends_no_condition_that_is_ignored_and_looks_before_it_deletes(
    server: ScriptedS3, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = Bucket(server.client(), "demo")
    assert bucket.is_conditional
    bucket.find_out_conditions("a")
    assert not bucket.is_conditional
    assert f"{server.url} does not honour conditional writes" in caplog.text
    (key,) = {asked.key for asked in server.asked}
    assert key.startswith("demo/a/.conditional-write-")
    server.asked.clear()
    bucket.write_object("a", b"", "text/plain", Precondition('"old"'))
    bucket.delete_object("a", '"of-head"')
    with pytest.raises(ConditionFailedError):
        bucket.delete_object("a", '"other"')
    assert [asked.operation for asked in server.asked] == [
        PUT, "HeadObject", DELETE, "HeadObject",
    ]  # fmt: skip
    assert not [name for asked in server.asked for name in asked.says if name.startswith("if-")]
