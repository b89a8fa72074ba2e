"""What every test can rely on: a closed network, a throw-away Airflow home, and real servers."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stack.live import IS_LIVE
from tests.support.drawn import register_profiles

register_profiles()

# A dropped time zone does not show in UTC. This one is 12 h 45 min from it, in summer 13 h 45 min.
os.environ["TZ"] = "Pacific/Chatham"
time.tzset()

# Airflow reads its home once, when it is first imported, and creates it: set before anything else.
_AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="airflow-home-"))
os.environ["AIRFLOW_HOME"] = str(_AIRFLOW_HOME)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
# The user's accounts are no part of a test, except when `make live` asks for one of Google's.
_IS_LIVE = bool(os.environ.get(IS_LIVE))
_ACCOUNTS = ("AWS_", "EE_", "AIRFLOW_CONN_", *(() if _IS_LIVE else ("GOOGLE_",)))
for _name in list(os.environ):
    if _name.startswith(_ACCOUNTS):
        del os.environ[_name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
# Where the guard below does not reach (GDAL, children), a proxy that is not there stands in.
for _name in () if _IS_LIVE else ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
    os.environ[_name] = "http://127.0.0.1:9"
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

from stack.emulator import CATALOG_FOLDER, earthengine_connection  # noqa: E402 (after the environment)
from stack.other_stores import Store, localbucket, ministack  # noqa: E402 (likewise)
from stack.seaweedfs import SeaweedFS  # noqa: E402 (likewise)

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator

_LOOPBACK_HOSTS = {"127.0.0.1", "::1", "localhost", None, ""}


class NetworkClosedError(OSError):
    """A test tried to reach something that is not on loopback."""


def pytest_unconfigure() -> None:
    shutil.rmtree(_AIRFLOW_HOME, ignore_errors=True)


def _refuse_beyond_loopback(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name not in _LOOPBACK_HOSTS:
        raise NetworkClosedError(f"tests may only use loopback, not {name}")


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """Give each test the environment that the one before it began with.

    A program that is run here sets variables for itself, and children of later tests inherit them.
    """
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(autouse=True, scope="session")
def closed_network() -> Iterator[None]:
    """Refuse every connection and every name that is not loopback, for the whole session.

    The live tests alone may go further.
    """
    if _IS_LIVE:
        yield
        return
    patch = pytest.MonkeyPatch()
    real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}
    real_getaddrinfo = socket.getaddrinfo

    def guarded(name: str) -> Any:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                _refuse_beyond_loopback(address[0])
            return real[name](self, address)

        return connect

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_beyond_loopback(host)
        return real_getaddrinfo(host, *args, **kwargs)

    for name in real:
        patch.setattr(socket.socket, name, guarded(name))
    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def s3() -> Iterator[SeaweedFS]:
    """One S3 server for the whole session; tests keep apart by buckets of their own."""
    with SeaweedFS() as server, _cheap_aws_clients():
        yield server


@contextmanager
def _cheap_aws_clients() -> Iterator[None]:
    """Make what each operator does to open an S3 client cost less, with the same outcome.

    Each has a session of its own, which reads botocore's models anew.
    """
    import botocore.session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session")
def ministack_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A second S3 server, unlike the first, that honours conditions too."""
    with ministack(tmp_path_factory.mktemp("ministack")) as store:
        yield store


@pytest.fixture(scope="session")
def localbucket_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An S3 server that ignores conditions."""
    with localbucket(tmp_path_factory.mktemp("localbucket")) as store:
        yield store


@pytest.fixture
def bucket(s3: SeaweedFS) -> Iterator[str]:
    """Return the name of an empty bucket that only this test knows."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=name)
    yield name
    _delete_bucket(s3, name)


def _delete_bucket(s3: SeaweedFS, name: str) -> None:
    client = s3.client()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for found in page.get("Contents", []):
            client.delete_object(Bucket=name, Key=found["Key"])
    for upload in client.list_multipart_uploads(Bucket=name).get("Uploads", []):
        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    client.delete_bucket(Bucket=name)


@pytest.fixture(scope="session")
def _session_emulator() -> Iterator[Emulator]:
    from airflow_provider.earthengine.emulator.api.downloads import Encoding
    from airflow_provider.earthengine.emulator.formats.geotiff import RUNS_ONLY
    from airflow_provider.earthengine.emulator.server import serve

    # The real service's level takes seconds for floating-point bands, and no pixel depends on it.
    quick = Encoding(deflate_level=RUNS_ONLY)
    with serve(catalog=CATALOG_FOLDER, project="demo", encoding=quick) as server:
        yield server


@pytest.fixture
def emulator(_session_emulator: Emulator) -> Emulator:
    """The session's emulator with the catalog of tests/data, its request log empty."""
    _session_emulator.clear_requests()
    return _session_emulator


@pytest.fixture
def earthengine_default(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make ``earthengine_default`` the emulator, for operators that run inside this process."""
    connection = earthengine_connection(emulator.url, "demo")
    monkeypatch.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", connection)
    return "earthengine_default"


@pytest.fixture
def aws_default(s3: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make ``aws_default`` the session's S3 server, for operators that run inside this process."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3.airflow_connection)
    return "aws_default"


@pytest.fixture
def connections(earthengine_default: str, aws_default: str) -> tuple[str, str]:
    """Both default connections, set; return their ids."""
    return earthengine_default, aws_default


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file with Airflow's tables to copy, as a migration takes many seconds.

    The first of the test processes that needs it makes it for all of them.
    """
    from stack import airflow

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    copy = folder / airflow.SQLITE_FILE
    with (folder / "migration").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not copy.exists():
            with airflow.airflow_home(connections={}) as home:
                shutil.move(home.folder / airflow.SQLITE_FILE, copy)
    return copy


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """Return the AIRFLOW_HOME of this process: temporary, and without a database."""
    return _AIRFLOW_HOME
