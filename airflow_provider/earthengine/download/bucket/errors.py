"""Everything that the S3 client raises -> this package's errors.

The client retries by itself; what arrives here is the result of its last try.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from airflow_provider.earthengine.download.transport.redaction import scrub
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    EarthEngineProviderError,
    FetchTimeoutError,
    QuotaExceededError,
    ServiceUnavailableError,
    StoredObjectMismatchError,
)

NOT_FOUND = frozenset({"NoSuchKey", "404"})
# AWS answers 404 if the object of If-Match is gone. Source:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html, read 2026-11.
_CONDITION_FAILED = frozenset({"PreconditionFailed", "412"}) | NOT_FOUND
_CONFLICT = frozenset(
    {"ConditionalRequestConflict", "OperationAborted", "NoSuchUpload", "409"}
)  # fmt: skip
# The bytes were damaged or lost in transit: sending them again may help.
_DAMAGED = frozenset({"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"})
_FAILED = frozenset({"RequestTimeout", "InternalError"})
_DENIED = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken",
     "401", "403"}
)  # fmt: skip


class ConditionFailedError(Exception):
    """The key is not in the state that the write expects. Never leaves this package."""


class UploadConflictError(Exception):
    """Another write was in progress, or the upload is gone: a new upload may succeed."""


def code_of(error: ClientError) -> str:
    """Return S3's code of an error."""
    return str(error.response["Error"].get("Code", ""))


@contextmanager
def translated_errors(
    bucket: str, action: str, uri: str, *signals: type[Exception]
) -> Iterator[None]:
    """Translate every error of the S3 client in the block into one of this package.

    :param action: what the block does, to follow "Could not".
    :param signals: ConditionFailedError or UploadConflictError, if the caller handles it.
    """
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if ConditionFailedError in signals and code in _CONDITION_FAILED:
            raise ConditionFailedError from None
        if UploadConflictError in signals and code in _CONFLICT:
            raise UploadConflictError from None
        raise _error_for_answer(error, bucket, f"{action} {uri}") from None
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise AccessDeniedError(
            f"Could not {action} {uri}: the AWS connection has no credentials ({error}); add them."
        ) from None
    except (ConnectTimeoutError, ReadTimeoutError) as error:
        raise FetchTimeoutError(
            f"Could not {action} {uri}: the object store did not answer in time "
            f"({type(error).__name__})."
        ) from None
    except ResponseParserError:
        raise ServiceUnavailableError(
            f"Could not {action} {uri}: the answer is not an S3 response; if this persists, check "
            "endpoint_url in the AWS connection's extra, and proxies."
        ) from None
    except BotoCoreError as error:
        raise ServiceUnavailableError(
            f"Could not {action} {uri} ({type(error).__name__}).", server_text=scrub(str(error))
        ) from None


def _error_for_answer(error: ClientError, bucket: str, action: str) -> EarthEngineProviderError:
    code, status = code_of(error), error.response["ResponseMetadata"]["HTTPStatusCode"]
    message = f"Could not {action} ({code}, HTTP {status})"
    text = scrub(str(error.response["Error"].get("Message", "")))
    facts: dict[str, Any] = {"server_text": text, "status": status, "code": code}
    if code == "NoSuchBucket":
        return BucketNotFoundError(
            f"{message}: the bucket {bucket} does not exist; create it, or correct s3_bucket.",
            **facts,
        )
    if code in _DENIED:
        return AccessDeniedError(
            f"{message}: the AWS connection's keys are wrong or lack permission; they "
            "need s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject "
            "and s3:AbortMultipartUpload on its objects.",
            **facts,
        )
    if code in ("SlowDown", "TooManyRequests") or status == 429:
        return QuotaExceededError(f"{message}: too many requests.", **facts)
    if code in _CONFLICT:
        return ServiceUnavailableError(f"{message}: another request was in progress.", **facts)
    if code in _DAMAGED:
        return ServiceUnavailableError(f"{message}: it was damaged in transit.", **facts)
    if status >= 500 or code in _FAILED:
        return ServiceUnavailableError(f"{message}: the object store failed.", **facts)
    return StoredObjectMismatchError(f"{message}: the object store refused the request.", **facts)
