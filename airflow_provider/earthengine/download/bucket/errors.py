"""Everything that the S3 client raises -> this package's errors.

The client retries by itself; what arrives here is the result of its last try.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from airflow_provider.earthengine.download.transport.redaction import scrub
from airflow_provider.earthengine.download.worker_limits import find_refusal
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    ConnectionConfigError,
    DownloadParamsError,
    EarthEngineProviderError,
    FetchTimeoutError,
    PlanError,
    QuotaExceededError,
    ServiceUnavailableError,
    StoredObjectMismatchError,
)

NOT_FOUND = frozenset({"NoSuchKey", "404"})
# AWS answers 404 if the object of If-Match is gone. Source:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html, read 2026-11.
_CONDITION_FAILED = frozenset({"PreconditionFailed", "412"}) | NOT_FOUND
# The last two: the store has lost the upload, or a part of it.
_CONFLICT = frozenset(
    {"ConditionalRequestConflict", "OperationAborted", "409", "NoSuchUpload", "InvalidPart"}
)
# S3's own limit is known in advance; other stores and proxies have lower ones.
_TOO_LARGE = frozenset({"EntityTooLarge", "RequestEntityTooLarge", "413"})
# The bytes were damaged or lost in transit: sending them again may help.
_DAMAGED = frozenset({"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"})
_FAILED = frozenset({"RequestTimeout", "InternalError"})
_ELSEWHERE = frozenset(
    {"PermanentRedirect", "301", "AuthorizationHeaderMalformed",
     "IllegalLocationConstraintException"}
)  # fmt: skip
_DENIED = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken",
     "401", "403"}
)  # fmt: skip
_WHERE_IT_IS = (
    "the bucket is in another region or at another endpoint; correct region_name or endpoint_url "
    "in the AWS connection's extra."
)
_WHAT_IS_NEEDED = (
    "the AWS connection's keys are wrong or lack permission; they need s3:ListBucket on the "
    "bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on its "
    "objects."
)
# Errors that the client raises by itself. Source: https://github.com/boto/botocore,
# ``botocore/exceptions.py``, release 1.44.
_NO_CREDENTIALS = (
    botocore.NoCredentialsError,
    botocore.PartialCredentialsError,
    botocore.NoAuthTokenError,
    botocore.RefreshWithMFAUnsupportedError,
    botocore.SSOError,
)
_NO_FILE = FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError
_TOO_LATE = botocore.ConnectTimeoutError, botocore.ReadTimeoutError
_DAMAGED_ON_THE_WAY = botocore.ChecksumError, botocore.FlexibleChecksumError
_OF_OTHERS = (
    botocore.HTTPClientError,
    botocore.ConnectionError,
    botocore.IncompleteReadError,
    botocore.PaginationError,
    botocore.UnseekableStreamError,
    botocore.CapacityNotAvailableError,
    # Services that issue credentials.
    botocore.CredentialRetrievalError,
    botocore.MetadataRetrievalError,
    botocore.TokenRetrievalError,
)
_OF_PARAMETERS = (
    botocore.ParamValidationError,
    botocore.ValidationError,
    botocore.MissingParametersError,
    botocore.InvalidDNSNameError,
    botocore.InvalidHostLabelError,
    botocore.UnsupportedS3ArnError,
    botocore.UnsupportedOutpostResourceError,
)


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
    except ResponseParserError:
        raise ServiceUnavailableError(
            f"Could not {action} {uri}: the answer is not an S3 response; if this persists, check "
            "endpoint_url in the AWS connection's extra, and proxies."
        ) from None
    except BotoCoreError as error:
        raise find_refusal(error) or _error_of_client(error, f"{action} {uri}") from None


def _error_of_client(error: BotoCoreError, action: str) -> EarthEngineProviderError:
    """Translate an error that the client raises by itself, without an answer.

    Only errors of the network and of other services can pass by themselves.
    """
    text = scrub(" ".join(str(error).split()))
    if isinstance(error, _NO_CREDENTIALS):
        return AccessDeniedError(
            f"Could not {action}: the AWS connection has no credentials ({text.rstrip('.')}); add "
            "them."
        )
    if isinstance(error, _TOO_LATE):
        return FetchTimeoutError(
            f"Could not {action}: the object store did not answer in time ({type(error).__name__})."
        )
    if isinstance(error, botocore.SSLError):
        return _error_of_tls(error, action)
    if isinstance(error, _DAMAGED_ON_THE_WAY):
        return ServiceUnavailableError(
            f"Could not {action} ({type(error).__name__}): it was damaged in transit.",
            server_text=text,
        )
    if isinstance(error, _OF_OTHERS):
        return ServiceUnavailableError(
            f"Could not {action} ({type(error).__name__}).", server_text=text
        )
    if isinstance(error, _OF_PARAMETERS) and not isinstance(error, botocore.InvalidRegionError):
        return DownloadParamsError(
            f"Could not {action}: the S3 client rejects it ({text.rstrip('.')}); correct "
            "s3_bucket, s3_prefix or s3_extra_args."
        )
    return ConnectionConfigError(
        f"Could not {action}: the S3 client rejects its configuration ({text.rstrip('.')}); "
        "correct the AWS connection's extra, the environment or the AWS configuration file."
    )


def _error_of_tls(error: botocore.SSLError, action: str) -> EarthEngineProviderError:
    # The HTTP library reports a missing file as a TLS error, with the cause as its argument.
    causes = getattr(error.kwargs.get("error"), "args", ())
    if any(isinstance(cause, _NO_FILE) for cause in causes):
        return ConnectionConfigError(
            f"Could not {action}: the file of a CA cannot be read; correct verify in the AWS "
            "connection's extra, or AWS_CA_BUNDLE, or put the file on this worker."
        )
    return ServiceUnavailableError(
        f"Could not {action} (SSLError): the certificate is not trusted; for a private CA, set "
        "verify in the AWS connection's extra, or AWS_CA_BUNDLE, to its file.",
        server_text=scrub(" ".join(str(error).split())),
    )


def _error_for_answer(error: ClientError, bucket: str, action: str) -> EarthEngineProviderError:
    code, status = code_of(error), error.response["ResponseMetadata"]["HTTPStatusCode"]
    message = f"Could not {action} ({code}, HTTP {status})"
    text = scrub(str(error.response["Error"].get("Message", "")))
    facts: dict[str, Any] = {"server_text": text, "status": status, "code": code}
    if code in _DENIED and error.operation_name.startswith("AssumeRole"):
        return AccessDeniedError(
            f"{message}: the AWS connection may not assume its role; correct role_arn in its "
            "extra, or the role's trust policy.",
            **facts,
        )
    for codes, kind, meaning in _MEANINGS:
        if code in codes:
            return kind(f"{message}: {meaning.format(bucket=bucket)}", **facts)
    if status == 429:
        return QuotaExceededError(f"{message}: too many requests.", **facts)
    if status >= 500:
        return ServiceUnavailableError(f"{message}: the object store failed.", **facts)
    return StoredObjectMismatchError(f"{message}: the object store refused the request.", **facts)


_MEANINGS: tuple[tuple[frozenset[str], type[EarthEngineProviderError], str], ...] = (
    (
        frozenset({"NoSuchBucket"}),
        BucketNotFoundError,
        "the bucket {bucket} does not exist; create it, or correct s3_bucket.",
    ),
    (
        frozenset({"InvalidBucketName"}),
        DownloadParamsError,
        "{bucket} is not a valid bucket name; correct s3_bucket.",
    ),
    (
        frozenset({"RequestTimeTooSkewed"}),
        ServiceUnavailableError,
        "the clocks of this worker and the object store differ too much; correct the clock.",
    ),
    (_ELSEWHERE, ConnectionConfigError, _WHERE_IT_IS),
    (_DENIED, AccessDeniedError, _WHAT_IS_NEEDED),
    (frozenset({"SlowDown", "TooManyRequests"}), QuotaExceededError, "too many requests."),
    (
        _TOO_LARGE,
        PlanError,
        "it is larger than the store allows; use a coarser scale, fewer bands or a smaller region.",
    ),
    (_CONFLICT, ServiceUnavailableError, "another request was in progress, or a part was lost."),
    (_DAMAGED, ServiceUnavailableError, "it was damaged in transit."),
    (_FAILED, ServiceUnavailableError, "the object store failed."),
)
