"""Which conditions does this object store honour? Tested once per endpoint and process.

AWS honours all of them, and so do many stores. A store that ignores one would let two attempts
silently overwrite each other, so this has to be known; and some stores honour only a few.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from airflow_provider.earthengine.download.bucket.objects import NO_ETAG
from airflow_provider.earthengine.download.transport.redaction import scrub

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

PROBE_NAME = ".conditional-write-"
"""The name of the probe starts so."""

_REFUSED = frozenset({"PreconditionFailed", "412"})
_NOT_IMPLEMENTED = frozenset({"NotImplemented", "InvalidArgument", "501"})
_EMPTY_SHA256 = base64.b64encode(hashlib.sha256(b"").digest()).decode()
_NOT_MET: tuple[dict[str, str], ...] = ({"IfNoneMatch": "*"}, {"IfMatch": NO_ETAG})


@dataclass(frozen=True)
class Conditions:
    """Which conditions a store honours.

    :param on_writes: both conditions, on single writes and on completed uploads.
    :param on_deletes: that the object still has a given ETag. Cloudflare R2 honours only the
        others. Source: https://developers.cloudflare.com/r2/api/s3/conditional-operations/, read
        2026-11.
    """

    on_writes: bool = True
    on_deletes: bool = True


_KNOWN: dict[str, Conditions] = {}


def find_conditions(client: S3Client, bucket: str, prefix: str) -> Conditions:
    """Return which conditions the store honours.

    The test writes an empty probe object below ``prefix`` and removes it. AWS is known to honour
    all conditions and is not tested. Source:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html, read 2026-11.

    :raises botocore.exceptions.ClientError: if no object can be written.
    """
    endpoint = client.meta.endpoint_url
    if (urlsplit(endpoint).hostname or "").endswith(".amazonaws.com"):
        return Conditions()
    if endpoint not in _KNOWN:
        _KNOWN[endpoint] = _try(client, bucket, f"{prefix}/" if prefix else "")
        if not _KNOWN[endpoint].on_writes:
            log.warning(
                "The object store at %s does not honour conditional writes: if two attempts run "
                "at once, the last one wins.",
                endpoint,
            )
    return _KNOWN[endpoint]


def _try(client: Any, bucket: str, prefix: str) -> Conditions:
    where = {"Bucket": bucket, "Key": f"{prefix}{PROBE_NAME}{uuid.uuid4().hex}"}
    put = partial(client.put_object, **where, Body=b"", ChecksumSHA256=_EMPTY_SHA256)
    put()
    try:
        on_writes = all(_is_refused(partial(put, **each)) for each in _NOT_MET)
        on_writes = on_writes and all(_is_not_completed(client, where, each) for each in _NOT_MET)
    finally:
        on_deletes = _remove(client, where)
    return Conditions(on_writes, on_deletes)


def _is_refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        if code not in _REFUSED | _NOT_IMPLEMENTED:
            raise
        return code in _REFUSED
    return False


def _is_not_completed(client: Any, where: dict[str, Any], condition: dict[str, str]) -> bool:
    upload_id = client.create_multipart_upload(**where, ChecksumAlgorithm="SHA256")["UploadId"]
    upload = {**where, "UploadId": upload_id}
    try:
        sent = {"PartNumber": 1, "ChecksumSHA256": _EMPTY_SHA256}
        part = {**sent, "ETag": client.upload_part(**upload, **sent, Body=b"")["ETag"]}
        complete = partial(client.complete_multipart_upload, **upload, **condition)
        return _is_refused(partial(complete, MultipartUpload={"Parts": [part]}))
    finally:
        with suppress(ClientError, BotoCoreError):  # It is gone where it was completed.
            client.abort_multipart_upload(**upload)


def _remove(client: Any, where: dict[str, Any]) -> bool:
    """Delete the probe, and return whether a condition on that is honoured.

    Whatever happened before is more than that it stays.
    """
    try:
        is_honoured = _is_refused(partial(client.delete_object, **where, IfMatch=NO_ETAG))
        client.delete_object(**where)
    except (ClientError, BotoCoreError) as error:
        uri = f"s3://{where['Bucket']}/{where['Key']}"
        log.warning("Could not remove the probe %s (%s).", uri, scrub(str(error)))
        return False
    return is_honoured
