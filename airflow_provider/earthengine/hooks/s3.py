"""Airflow's AWS connection -> an S3 client for the download code, and the objects it reads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.exceptions import DownloadParamsError

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.bucket.bucket import Bucket


def open_client(aws_conn_id: str, check: Callable[[], None] | None = None) -> Any:
    """Return an S3 client with the connection's endpoint, role and options; the caller closes it.

    :param check: called before each request; raises if no more requests may be sent.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from airflow_provider.earthengine.download.bucket.bucket import CLIENT_CONFIG

    hook = S3Hook(aws_conn_id=aws_conn_id)
    client: Any = hook.get_client_type(
        region_name=hook.region_name, config=CLIENT_CONFIG.merge(hook.config)
    )

    def refuse(model: Any, **_: Any) -> None:
        # Uploads that were started are still aborted.
        if check is not None and model.name != "AbortMultipartUpload":
            check()

    client.meta.events.register("before-call.s3", refuse)
    return client


def open_bucket(aws_conn_id: str, name: str) -> Bucket:
    """Return the bucket; the caller closes it."""
    from airflow_provider.earthengine.download.bucket.bucket import Bucket

    return Bucket(open_client(aws_conn_id), name)


def read_uri(client: Any, uri: str) -> bytes:
    """Return the content of ``s3://bucket/key``, and close the client.

    :raises DownloadParamsError: if the object does not exist.
    """
    from airflow_provider.earthengine.download.bucket.bucket import Bucket

    name, _, key = uri.removeprefix("s3://").partition("/")
    with closing(Bucket(client, name)) as bucket:
        read = bucket.read_object(key)
    if read is None:
        raise DownloadParamsError(f"{uri} does not exist; check the URI.")
    return read[0]
