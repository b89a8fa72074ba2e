"""The servers under all other tests do what those tests rely on."""

from __future__ import annotations

import signal
import socket
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from stack.environment import child_environment
from stack.processes import StackError, free_ports, running
from stack.seaweedfs import SeaweedFS


def test_nothing_beyond_loopback_is_reached() -> None:
    with pytest.raises(OSError, match="tests may only use loopback"):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open("http://example.org/")
    with socket.socket() as probe, pytest.raises(OSError, match="only use loopback"):
        probe.connect(("192.0.2.1", 80))


def test_a_second_conditional_put_is_refused(s3: SeaweedFS, bucket: str) -> None:
    client = s3.client()
    client.put_object(Bucket=bucket, Key="once", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket=bucket, Key="once", Body=b"second", IfNoneMatch="*")


def test_a_missing_bucket_is_not_made(s3: SeaweedFS) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.client().put_object(Bucket="never-made", Key="a", Body=b"")


def test_the_reader_may_not_write(s3: SeaweedFS, bucket: str) -> None:
    s3.client().put_object(Bucket=bucket, Key="a", Body=b"bytes")
    assert s3.reader_client().get_object(Bucket=bucket, Key="a")["Body"].read() == b"bytes"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.reader_client().put_object(Bucket=bucket, Key="a", Body=b"other")


@pytest.mark.slow
def test_a_crashed_server_comes_back_with_its_objects() -> None:
    with SeaweedFS(buckets=["kept"]) as server:
        server.client().put_object(Bucket="kept", Key="a", Body=b"bytes")
        server.restart(signal.SIGKILL)
        client = server.client()
        assert client.get_object(Bucket="kept", Key="a")["Body"].read() == b"bytes"
        client.put_object(Bucket="kept", Key="b", Body=b"more")
        assert [each["Name"] for each in client.list_buckets()["Buckets"]] == ["kept"]


def test_a_program_that_ends_early_is_quoted(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "echo no disk; exit 3"]
    environment = child_environment(tmp_path)
    log = tmp_path / "log"
    with (
        running("The program", command, environment=environment, log_path=log) as child,
        pytest.raises(StackError, match="The program ended with code 3: no disk"),
    ):
        child.wait_until(lambda: False, timeout_seconds=10)


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20
