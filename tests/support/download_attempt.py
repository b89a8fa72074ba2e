"""A process that makes one attempt at a download and may kill itself on the way.

``python -m tests.support.download_attempt FIELDS [MOMENT NUMBER]``: FIELDS are the operator's as
JSON; the process kills itself (-9) at the NUMBERth (from 1) such MOMENT: ``UploadPart`` is before
an S3 request of that operation, ``after-PutObject`` once it was answered. It prints the
returned URIs as JSON. SIGTERM does what it does in a task of Airflow: it calls the
operator's ``on_kill``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from airflow_provider.earthengine.transfers.section_tasks import (
    FetchSectionOperator,
    PlanSectionsOperator,
    PublishSectionsOperator,
)
from tests.support.airflow_task import task_context

# Asking the store whether it honours conditions is no part of the download.
_PROBE = ".conditional-write"


def signal_at(operation: str, number: int, kind: signal.Signals = signal.SIGKILL) -> None:
    """Have every S3 client of this process count the requests, and send it a signal in time.

    :param operation: of S3, or "*" for any; "after-" before it: once the request was answered.
    """
    make_client = S3Hook.get_client_type
    name = operation.removeprefix("after-")
    event = "after-call" if name != operation else "before-call"
    keys: list[str] = []
    seen: list[str] = []

    def remember(params: Mapping[str, Any], **_: Any) -> None:
        keys.append(params.get("Key", ""))

    def count(**_: Any) -> None:
        if _PROBE not in keys[-1]:
            seen.append(keys[-1])
        if len(seen) == number:
            os.kill(os.getpid(), kind)

    def get_client_type(hook: S3Hook, *args: Any, **kwargs: Any) -> Any:
        client: Any = make_client(hook, *args, **kwargs)
        client.meta.events.register(f"provide-client-params.s3.{name}", remember)
        client.meta.events.register(f"{event}.s3.{name}", count)
        return client

    # The program ends with this process.
    S3Hook.get_client_type = get_client_type  # type: ignore[method-assign]


OPERATORS = {
    "download": EarthEngineToS3Operator,
    "plan": PlanSectionsOperator,
    "fetch": FetchSectionOperator,
    "publish": PublishSectionsOperator,
}


def make_attempt(fields: Mapping[str, Any], context: Mapping[str, Any]) -> list[Any]:
    """Return what the operator returns; SIGTERM meanwhile stops it, as Airflow does.

    :param fields: the operator's, and which one it is, under ``operator``.
    """
    task = fields.get("operator", "download")
    own = {name: value for name, value in fields.items() if name != "operator"}
    operator = OPERATORS[task](task_id=task, **own)
    signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    returned: list[Any] = operator.execute(context)  # type: ignore[arg-type]  # a stand-in
    return returned


def main(arguments: list[str]) -> None:
    fields = json.loads(arguments[0])
    if len(arguments) > 1:
        signal_at(arguments[1], int(arguments[2]))
    sys.stdout.write(f"{json.dumps(make_attempt(fields, task_context()))}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
