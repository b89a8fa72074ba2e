"""Does this object store honour conditional writes? Tested once per endpoint and process.

AWS does, and so do most stores. A store that ignores the condition would let two attempts silently
overwrite each other, so this has to be known.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from airflow_provider.earthengine.download.transport.redaction import scrub

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

_KNOWN: dict[str, bool] = {}
_REFUSALS = frozenset({"NotImplemented", "InvalidArgument", "501"})


def honours_conditions(client: S3Client, bucket: str, prefix: str) -> bool:
    """Return whether the store refuses a second "write only if absent".

    The test writes an empty probe object below ``prefix`` and removes it. AWS is known to honour
    conditions and is not tested. Source:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html, read 2026-11.

    :raises botocore.exceptions.ClientError: if no object can be written.
    """
    endpoint = client.meta.endpoint_url
    if (urlsplit(endpoint).hostname or "").endswith(".amazonaws.com"):
        return True
    if endpoint not in _KNOWN:
        _KNOWN[endpoint] = _try(client, bucket, f"{prefix}/" if prefix else "")
        if not _KNOWN[endpoint]:
            log.warning(
                "The object store at %s does not honour conditional writes: if two attempts run "
                "at once, the last one wins.",
                endpoint,
            )
    return _KNOWN[endpoint]


def _try(client: S3Client, bucket: str, prefix: str) -> bool:
    key = f"{prefix}.conditional-write-{uuid.uuid4().hex}"
    try:
        for _ in range(2):
            client.put_object(Bucket=bucket, Key=key, Body=b"", IfNoneMatch="*")
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        if code in ("PreconditionFailed", "412"):
            return True
        if code not in _REFUSALS:
            raise
    finally:
        _remove(client, bucket, key)
    return False


def _remove(client: S3Client, bucket: str, key: str) -> None:
    """Delete the probe; a failure is only logged, so that it does not hide an earlier error."""
    try:
        client.delete_object(Bucket=bucket, Key=key)
    except (ClientError, BotoCoreError) as error:
        log.warning("Could not remove the probe s3://%s/%s (%s).", bucket, key, scrub(str(error)))
