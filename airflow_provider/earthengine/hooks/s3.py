"""Airflow's AWS connection -> an S3 client for the download code, and the objects it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.download.transport.redaction import scrub
from airflow_provider.earthengine.exceptions import (
    ConnectionConfigError,
    DownloadParamsError,
    EarthEngineProviderError,
)

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.bucket.bucket import Bucket


def open_client(aws_conn_id: str, check: Callable[[], None] | None = None) -> Any:
    """Return an S3 client with the connection's endpoint, role and options; the caller closes it.

    :param check: called before each request; raises if no more requests may be sent.
    """
    from airflow_provider.earthengine.download.bucket.client_config import CLIENT_CONFIG
    from airflow_provider.earthengine.download.bucket.conditional_writes import PROBE_NAME
    from airflow_provider.earthengine.hooks.named_s3 import NamedS3Hook

    with explaining_connection(aws_conn_id):
        hook = NamedS3Hook(aws_conn_id=aws_conn_id)
        client: Any = hook.get_client_type(
            region_name=hook.region_name, config=CLIENT_CONFIG.merge(hook.config)
        )

    def refuse(model: Any, params: Any, **_: Any) -> None:
        # What was begun is still undone: uploads are aborted, and the probe is removed.
        removes_probe = model.name == "DeleteObject" and PROBE_NAME in params["url_path"]
        if check is not None and model.name != "AbortMultipartUpload" and not removes_probe:
            check()

    client.meta.events.register("before-call.s3", refuse)
    client.meta.events.register("before-call.s3", _sign_checksum_alone)
    return client


def _sign_checksum_alone(params: Any, context: dict[str, Any], **_: Any) -> None:
    """Keep the client from a second sha256 of a body, for the signature.

    The signed headers hold the first, and the store compares it. Over https, the client does so by
    itself.
    """
    if "x-amz-checksum-sha256" in params["headers"]:
        from botocore.config import Config

        options: Any = {"payload_signing_enabled": False, **(context["client_config"].s3 or {})}
        context["client_config"] = context["client_config"].merge(Config(s3=options))


@contextmanager
def explaining_connection(aws_conn_id: str) -> Iterator[None]:
    """Turn what an AWS connection that cannot be used ends in into our errors."""
    from airflow_provider.earthengine.download.bucket.errors import translated_errors

    name = f"the AWS connection {aws_conn_id}"
    try:
        with translated_errors("", "use", name):
            yield
    # The client raises its plain ones for an endpoint or an option that is none.
    except (ValueError, TypeError, NotImplementedError) as error:
        if isinstance(error, EarthEngineProviderError):
            raise
        reason = scrub(" ".join(str(error).split()))
        raise ConnectionConfigError(
            f"Could not use {name} ({reason.rstrip('.')}); correct its extra."
        ) from None


def open_bucket(aws_conn_id: str, name: str) -> Bucket:
    """Return the bucket; the caller closes it."""
    from airflow_provider.earthengine.download.bucket.bucket import Bucket

    return Bucket(open_client(aws_conn_id), name)


def read_uri(client: Any, uri: str, most: int) -> bytes:
    """Return the content of ``s3://bucket/key``, and close the client.

    :param most: reads at most so many bytes.
    :raises DownloadParamsError: if the object does not exist.
    """
    from airflow_provider.earthengine.download.bucket.bucket import Bucket

    name, _, key = uri[len("s3://") :].partition("/")
    if not name or not key:
        raise DownloadParamsError(f"{uri} names no object; write s3://bucket/key.")
    with closing(Bucket(client, name)) as bucket:
        read = bucket.read_object(key, most)
    if read is None:
        raise DownloadParamsError(f"{uri} does not exist; check the URI.")
    return read[0]
