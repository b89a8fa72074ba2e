"""A process that makes one attempt at a download and may kill itself on the way.

``python -m tests.download_attempt FIELDS [OPERATION NUMBER]``: FIELDS are the operator's as JSON;
the process kills itself (-9) before the NUMBERth (from 1) S3 request of that operation. It prints
the returned URIs as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from tests.airflow_task import task_context


def kill_before(operation: str, number: int) -> None:
    """Have every S3 client of this process count the operation, and kill the process in time."""
    make_client = S3Hook.get_conn
    seen: list[str] = []

    def count(**_: Any) -> None:
        seen.append(operation)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def get_conn(hook: S3Hook) -> Any:
        client: Any = make_client(hook)
        client.meta.events.register(f"before-call.s3.{operation}", count)
        return client

    S3Hook.get_conn = get_conn  # type: ignore[method-assign]  # the program ends with this process


def main(arguments: list[str]) -> None:
    fields = json.loads(arguments[0])
    if len(arguments) > 1:
        kill_before(arguments[1], int(arguments[2]))
    operator = EarthEngineToS3Operator(task_id="download", **fields)
    uris = operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
    sys.stdout.write(f"{json.dumps(uris)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
