"""A place where downloads fail quickly: short waits, short silences, a proxy before the store."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import botocore.endpoint
import pytest
from botocore.loaders import JSONFileLoader

from airflow_provider.earthengine.download.bucket.conditional_writes import (
    Conditions,
    find_conditions,
)
from airflow_provider.earthengine.download.fetch import body as fetch
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.task import steps
from tests.reliability.s3_proxy import S3Proxy, proxy_to
from tests.reliability.workplace import Workplace

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator
    from stack.seaweedfs import SeaweedFS

TRIES = 3
SILENCE_SECONDS = 1.0
# Longer than the emulator's door stays closed.
WAIT_SECONDS = 0.12


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups: they take minutes, and nobody would run beside the last one."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


@cache
def _load_file(path: str) -> Any:
    return _read_file(JSONFileLoader(), path)


_read_file = JSONFileLoader.load_file


@pytest.fixture(scope="session")
def _session_proxy(s3: SeaweedFS) -> Iterator[S3Proxy]:
    with proxy_to(s3) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def _session_client(s3: SeaweedFS) -> Any:
    # Making one takes as long as a whole download.
    return s3.client()


@pytest.fixture(scope="session")
def _session_bucket(_session_proxy: S3Proxy, _session_client: Any) -> str:
    # One for all: the server keeps room for each bucket it ever had.
    name = f"cells-{uuid.uuid4().hex[:12]}"
    _session_client.create_bucket(Bucket=name)
    # Asked once a process; asked here, it is not among the requests of a cell.
    assert find_conditions(proxy_client(_session_proxy), name, "") == Conditions()
    return name


def proxied_connection(proxy: S3Proxy, silence_seconds: float = SILENCE_SECONDS) -> str:
    """Return the AWS connection's JSON text, through the proxy, with short waits."""
    connection = json.loads(proxy.server.airflow_connection)
    connection["extra"] |= {
        "endpoint_url": proxy.url,
        "config_kwargs": {
            "read_timeout": silence_seconds,
            "retries": {"mode": "standard", "total_max_attempts": TRIES},
        },
    }
    return json.dumps(connection)


def proxy_client(proxy: S3Proxy) -> Any:
    """Return an S3 client that asks the proxy."""
    return boto3.client(
        "s3",
        endpoint_url=proxy.url,
        region_name=proxy.server.region,
        aws_access_key_id=proxy.server.access_key,
        aws_secret_access_key=proxy.server.secret_key,
    )


def make_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every layer try three times, wait a moment, and leave a silent server soon."""

    def nap(_: float) -> None:
        time.sleep(WAIT_SECONDS)

    def policy(**_: Any) -> RetryPolicy:
        return RetryPolicy(attempts=TRIES, sleep=nap)

    monkeypatch.setattr(steps, "RetryPolicy", policy)
    monkeypatch.setattr(fetch, "RetryPolicy", policy)
    monkeypatch.setattr(fetch, "READ_SECONDS", SILENCE_SECONDS)
    monkeypatch.setattr(fetch, "BODY_SILENCE_SECONDS", SILENCE_SECONDS)
    hook = partial(EarthEngineHook, deadline_seconds=SILENCE_SECONDS)
    monkeypatch.setattr(steps, "EarthEngineHook", hook)
    # botocore's own waits, of up to seconds, cannot be configured.
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=nap))
    # Each client reads S3's description anew: a third of a small download's time.
    monkeypatch.setattr(JSONFileLoader, "load_file", lambda _, path: _load_file(path))


@pytest.fixture
def workplace(
    emulator: Emulator,
    earthengine_default: str,
    _session_proxy: S3Proxy,
    _session_bucket: str,
    _session_client: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workplace]:
    """A bucket behind the proxy, the emulator, a scratch folder; nothing stays armed."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", proxied_connection(_session_proxy))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    make_impatient(monkeypatch)
    place = Workplace(emulator, _session_proxy, _session_client, _session_bucket, tmp_path)
    place.empty()
    yield place
    emulator.faults.clear()
    _session_proxy.ignores_conditions = _session_proxy.denies_head = False
