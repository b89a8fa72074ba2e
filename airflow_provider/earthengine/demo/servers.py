"""The demo's servers, and the connections to them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_provider.earthengine.demo.processes import LOOPBACK, StackError, check_free_port
from airflow_provider.earthengine.demo.seaweedfs import SeaweedFS
from airflow_provider.earthengine.emulator.server import Address, serve

CATALOG_FOLDER = Path(__file__).parent / "catalog"
BUCKET = "demo"
# Airflow hides a connection's values in logs, and warns of those that are too short to be hidden.
PROJECT = "earthengine-demo"


@dataclass(frozen=True)
class Ports:
    """The ports on loopback; 0 chooses a free one."""

    emulator: int = 0
    s3: int = 0


@dataclass(frozen=True)
class Servers:
    """The running servers.

    :param emulator_url: Earth Engine's stand-in.
    :param s3_url: the S3 server, with the bucket ``demo``.
    :param aws_connection: the JSON text for AIRFLOW_CONN_AWS_DEFAULT.
    """

    emulator_url: str
    s3_url: str
    aws_connection: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that make both connections those of Airflow."""
        extra = {"project": PROJECT, "endpoint_url": self.emulator_url, "auth": "anonymous"}
        earthengine = json.dumps({"conn_type": "earthengine", "extra": extra})
        return {
            "AIRFLOW_CONN_EARTHENGINE_DEFAULT": earthengine,
            "AIRFLOW_CONN_AWS_DEFAULT": self.aws_connection,
        }

    @property
    def exports(self) -> str:
        """The same as lines for a shell."""
        lines = [f"export {name}={shlex.quote(text)}" for name, text in self.variables.items()]
        return "\n".join(lines) + "\n"


@contextmanager
def running_servers(ports: Ports, data_folder: Path) -> Iterator[Servers]:
    """Run both servers until the block ends.

    :param data_folder: an empty folder for the S3 server; the caller removes it.
    :raises StackError: if one does not start, for example because its port is taken.
    """
    if ports.emulator:
        check_free_port(ports.emulator)
    with ExitStack() as parts:
        try:
            emulator = parts.enter_context(
                serve(CATALOG_FOLDER, PROJECT, address=Address(LOOPBACK, ports.emulator))
            )
        except OSError as error:
            text = f"the emulator cannot listen on port {ports.emulator}: {error.strerror}"
            raise StackError(text) from None
        s3 = parts.enter_context(SeaweedFS(buckets=[BUCKET], folder=data_folder, port=ports.s3))
        yield Servers(emulator.url, s3.endpoint_url, s3.airflow_connection)
