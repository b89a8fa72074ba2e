"""What each error of the S3 client means: whether waiting may help, and what to correct."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError, ClientError

from airflow_provider.earthengine.download.bucket.errors import translated_errors
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    ConnectionConfigError,
    DownloadParamsError,
    EarthEngineProviderError,
    FetchTimeoutError,
    PermanentError,
    PlanError,
    QuotaExceededError,
    ServiceUnavailableError,
    StoredObjectMismatchError,
    TransientError,
)

# What comes from the network, or from another service. Everything else that the client raises by
# itself it will raise again, however often it is asked.
MAY_PASS = {
    "HTTPClientError", "ConnectionClosedError", "ReadTimeoutError", "ResponseStreamingError",
    "ConnectionError", "EndpointConnectionError", "SSLError", "ConnectTimeoutError",
    "ProxyConnectionError", "IncompleteReadError", "PaginationError", "UnseekableStreamError",
    "CapacityNotAvailableError", "ChecksumError", "FlexibleChecksumError",
    "CredentialRetrievalError", "MetadataRetrievalError", "TokenRetrievalError",
}  # fmt: skip


def kinds(kind: type[BotoCoreError] = BotoCoreError) -> Iterator[type[BotoCoreError]]:
    for each in kind.__subclasses__():
        if each.__module__ == botocore.__name__:
            yield each
            yield from kinds(each)


def make(kind: type[BotoCoreError]) -> BotoCoreError:
    """Return an error of the client with everything that its text names."""
    names = {name for _, name, _, _ in string.Formatter().parse(kind.fmt) if name}
    names |= {"last_response"} if kind is botocore.WaiterError else set()
    return kind(**dict.fromkeys(names, "SOMETHING\nON TWO LINES"))


def translate(error: Exception) -> EarthEngineProviderError:
    with (
        pytest.raises(EarthEngineProviderError) as caught,
        translated_errors("demo", "write", "s3://demo/a.tif"),
    ):
        raise error
    return caught.value


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_what_the_client_refuses_by_itself_is_permanent_and_one_sentence(
    kind: type[BotoCoreError],
) -> None:
    error = translate(make(kind))
    assert isinstance(error, TransientError if kind.__name__ in MAY_PASS else PermanentError)
    assert "s3://demo/a.tif" in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("kind", "meaning", "words"),
    [
        ("ParamValidationError", DownloadParamsError, "correct s3_bucket, s3_prefix"),
        ("UnsupportedS3ArnError", DownloadParamsError, "correct s3_bucket"),
        ("InvalidDNSNameError", DownloadParamsError, "correct s3_bucket"),
        ("InvalidRegionError", ConnectionConfigError, "correct the AWS connection's extra"),
        ("NoRegionError", ConnectionConfigError, "correct the AWS connection's extra"),
        ("ProfileNotFound", ConnectionConfigError, "correct the AWS connection's extra"),
        ("InvalidS3AddressingStyleError", ConnectionConfigError, "the AWS connection's extra"),
        ("UnsupportedS3ConfigurationError", ConnectionConfigError, "the AWS connection's extra"),
        ("EndpointResolutionError", ConnectionConfigError, "the AWS connection's extra"),
        ("NoCredentialsError", AccessDeniedError, "has no credentials"),
        ("PartialCredentialsError", AccessDeniedError, "has no credentials"),
        ("UnauthorizedSSOTokenError", AccessDeniedError, "has no credentials"),
        ("ReadTimeoutError", FetchTimeoutError, "did not answer in time"),
        ("SSLError", ServiceUnavailableError, "set verify in the AWS connection's extra"),
        ("CredentialRetrievalError", ServiceUnavailableError, "Could not write"),
        ("FlexibleChecksumError", ServiceUnavailableError, "damaged in transit"),
    ],
)
def test_each_kind_says_what_to_correct(kind: str, meaning: type[Exception], words: str) -> None:
    error = translate(make(getattr(botocore, kind)))
    assert type(error) is meaning
    assert words in str(error)


@pytest.mark.parametrize(
    ("code", "status", "meaning", "words"),
    [
        ("RequestTimeTooSkewed", 403, ServiceUnavailableError, "clocks of this worker"),
        ("AccessDenied", 403, AccessDeniedError, "they need s3:ListBucket"),
        ("NoSuchBucket", 404, BucketNotFoundError, "the bucket demo does not exist"),
        ("InvalidBucketName", 400, DownloadParamsError, "demo is not a valid bucket name"),
        ("PermanentRedirect", 301, ConnectionConfigError, "correct region_name"),
        ("AuthorizationHeaderMalformed", 400, ConnectionConfigError, "correct region_name"),
        ("SlowDown", 503, QuotaExceededError, "too many requests"),
        ("Strange", 429, QuotaExceededError, "too many requests"),
        ("OperationAborted", 409, ServiceUnavailableError, "another request"),
        ("InvalidPart", 400, ServiceUnavailableError, "a part was lost"),
        ("EntityTooLarge", 400, PlanError, "use a coarser scale"),
        ("413", 413, PlanError, "use a coarser scale"),
        ("BadDigest", 400, ServiceUnavailableError, "damaged in transit"),
        ("RequestTimeout", 400, ServiceUnavailableError, "failed"),
        ("Strange", 503, ServiceUnavailableError, "failed"),
        ("InvalidArgument", 400, StoredObjectMismatchError, "refused the request"),
    ],
)
def test_each_answer_says_what_it_means(
    code: str, status: int, meaning: type[Exception], words: str
) -> None:
    error = translate(answer(code, status, "PutObject"))
    assert type(error) is meaning
    assert words in str(error)
    assert f"({code}, HTTP {status})" in str(error)


def test_a_role_that_may_not_be_assumed_is_told_from_an_object_that_may_not_be_written() -> None:
    error = translate(answer("AccessDenied", 403, "AssumeRole"))
    assert type(error) is AccessDeniedError
    assert "may not assume its role; correct role_arn" in str(error)


def answer(code: str, status: int, operation: str) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "The server's own words."},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, operation)
