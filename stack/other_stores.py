"""Further S3 servers for contract tests: what is shown with SeaweedFS alone may be its own way.

``ministack`` honours conditional writes and deletes and checks checksums; ``localbucket`` ignores
all conditions but one. Neither checks keys.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stack.environment import child_environment, installed_program
from stack.processes import LOOPBACK, StackError, answers, free_ports, running

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_READY_SECONDS = 60
_START_ATTEMPTS = 3


@dataclass(frozen=True)
class Store:
    """A running S3 server.

    :param endpoint_url: on loopback.
    """

    name: str
    endpoint_url: str
    access_key: str = "demoaccesskey"
    secret_key: str = "demosecretkey1234"
    region: str = "us-east-1"

    @property
    def airflow_connection(self) -> str:
        """The JSON text for AIRFLOW_CONN_AWS_DEFAULT."""
        extra = {"endpoint_url": self.endpoint_url, "region_name": self.region}
        connection = {"conn_type": "aws", "login": self.access_key, "password": self.secret_key}
        return json.dumps({**connection, "extra": extra})

    def client(self) -> S3Client:
        """Return a boto3 client."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(s3={"addressing_style": "path"}),
        )


@contextlib.contextmanager
def ministack(folder: Path) -> Iterator[Store]:
    """Run ministack's S3 and STS on a free loopback port until the block ends.

    :param folder: gets its log; also its home.
    """

    def command(port: int) -> tuple[Sequence[str | Path], dict[str, str]]:
        environment = {
            "GATEWAY_PORT": str(port),
            # It listens on all addresses unless it is told.
            "BIND_HOST": LOOPBACK,
            "SERVICES": "s3,sts",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            # It would end the containers of an earlier run.
            "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
            "TMPDIR": str(folder),
        }
        return [installed_program("ministack")], environment

    with _serving("ministack", folder, command, "/_ministack/health") as store:
        yield store


@contextlib.contextmanager
def localbucket(folder: Path) -> Iterator[Store]:
    """Run localbucket on a free loopback port until the block ends.

    :param folder: gets its log and its data; also its home.
    """

    def command(port: int) -> tuple[Sequence[str | Path], dict[str, str]]:
        data = folder / "data"
        data.mkdir(exist_ok=True)
        return [sys.executable, "-m", "localbucket", "--port", str(port), data], {}

    with _serving("localbucket", folder, command, "/") as store:
        yield store


@contextlib.contextmanager
def _serving(
    name: str,
    folder: Path,
    command_of: Callable[[int], tuple[Sequence[str | Path], dict[str, str]]],
    path: str,
) -> Iterator[Store]:
    for attempt in range(1, _START_ATTEMPTS + 1):
        (port,) = free_ports(1)
        command, environment = command_of(port)
        url = f"http://{LOOPBACK}:{port}"
        with contextlib.ExitStack() as stack:
            child = stack.enter_context(
                running(
                    name,
                    command,
                    environment=child_environment(folder, environment),
                    log_path=folder / f"{name}.log",
                )
            )
            try:
                child.wait_until(lambda: answers(f"{url}{path}"), timeout_seconds=_READY_SECONDS)  # noqa: B023 - called here
            except StackError:
                # Somebody else may have taken the port between the choice and the start.
                if attempt == _START_ATTEMPTS:
                    raise
                continue
            yield Store(name, url)
            return
