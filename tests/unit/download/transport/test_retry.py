import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from airflow_provider.earthengine.download.transport.answers import (
    error_for_answer,
    retry_after_seconds,
)
from airflow_provider.earthengine.download.transport.redaction import SecretsFilter, scrub
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    AssetNotFoundError,
    ComputationTooLargeError,
    DownloadCancelledError,
    DownloadIdExpiredError,
    EarthEngineProviderError,
    FetchTimeoutError,
    ObjectExistsError,
    PermanentError,
    PlanError,
    QuotaExceededError,
    RasterMismatchError,
    RequestRejectedError,
    RequestTooLargeError,
    ServiceUnavailableError,
    StoredObjectMismatchError,
    TransientError,
    TruncatedBodyError,
)

DOUBLING = (1.0, 2.0, 4.0, 8.0, 16.0)
TOO_MANY = "Quota exceeded: Too many concurrent aggregations."
TOO_LARGE = "Total request size (56623104 bytes) must be less than or equal to 50331648 bytes."
TOO_WIDE = "Pixel grid dimensions (103439x55072) must be less than or equal to 32768."
NOT_FOUND = "Image.load: Image asset 'X' not found (does not exist ...)."


@dataclass(frozen=True)
class Row:
    """One answer, and what it leads to under the policy as it is, its jitter at its highest.

    :param waits: seconds before each further try; none where there is none.
    """

    status: int
    cls: type[EarthEngineProviderError]
    reason: str = ""
    message: str = ""
    retry_after: str | None = None
    waits: tuple[float, ...] = ()


TRUTH = [
    Row(429, QuotaExceededError, message="Too Many Requests", waits=DOUBLING),
    Row(429, QuotaExceededError, retry_after="7", waits=(8, 9, 11, 15, 23)),
    Row(429, QuotaExceededError, retry_after="60", waits=(61, 62, 64, 68, 76)),
    # Longer than is slept out in the task: left to Airflow's own retry.
    Row(429, QuotaExceededError, retry_after="61"),
    Row(429, QuotaExceededError, retry_after="soon", waits=DOUBLING),
    Row(403, QuotaExceededError, reason="rateLimitExceeded", waits=DOUBLING),
    Row(403, QuotaExceededError, reason="userRateLimitExceeded", waits=DOUBLING),
    Row(403, QuotaExceededError, reason="RATE_LIMIT_EXCEEDED", waits=DOUBLING),
    Row(400, QuotaExceededError, message=TOO_MANY, waits=DOUBLING),
    Row(500, ServiceUnavailableError, waits=DOUBLING),
    Row(502, ServiceUnavailableError, message="Bad Gateway", waits=DOUBLING),
    Row(503, ServiceUnavailableError, waits=DOUBLING),
    Row(503, ServiceUnavailableError, retry_after="2", waits=(3, 4, 6, 10, 18)),
    Row(503, ServiceUnavailableError, retry_after="3600"),
    Row(504, ServiceUnavailableError, waits=DOUBLING),
    Row(599, ServiceUnavailableError, waits=DOUBLING),
    Row(400, ServiceUnavailableError, message="An internal error has occurred", waits=DOUBLING),
    # The same again cannot help, but less may.
    Row(400, ComputationTooLargeError, message="User memory limit exceeded."),
    Row(400, ComputationTooLargeError, message="Computation timed out."),
    Row(400, RequestTooLargeError, message=TOO_LARGE),
    Row(400, RequestTooLargeError, message=TOO_WIDE),
    Row(401, AccessDeniedError),
    Row(403, AccessDeniedError),
    Row(403, AccessDeniedError, reason="SERVICE_DISABLED"),
    Row(404, AssetNotFoundError),
    Row(400, AssetNotFoundError, message=NOT_FOUND),
    Row(400, RequestRejectedError, message="Invalid value at 'file_format'"),
    Row(400, RequestRejectedError, retry_after="1"),
    Row(302, RequestRejectedError),
    Row(418, RequestRejectedError),
]


@pytest.mark.parametrize("row", TRUTH, ids=str)
def test_an_answer_means_one_error_and_so_many_tries(row: Row) -> None:
    def answer() -> None:
        calls.append(1)
        raise error_for_answer(
            action="do it",
            status=row.status,
            reason=row.reason,
            message=row.message,
            retry_after_seconds=retry_after_seconds(row.retry_after),
        )

    calls: list[int] = []
    waits: list[float] = []
    with pytest.raises(row.cls) as caught:
        policy(waits).run(answer)
    assert type(caught.value) is row.cls
    assert caught.value.facts["status"] == row.status
    assert f"Earth Engine could not do it (HTTP {row.status})" in str(caught.value)
    assert tuple(waits) == row.waits
    assert len(calls) == len(row.waits) + 1


@pytest.mark.parametrize(
    ("cls", "calls"),
    [
        (ServiceUnavailableError, 6),
        (QuotaExceededError, 6),
        (FetchTimeoutError, 6),
        (TruncatedBodyError, 6),
        # Whoever asked for the id gets a new one; the same request cannot succeed.
        (DownloadIdExpiredError, 1),
        (DownloadCancelledError, 1),
        (RasterMismatchError, 1),
        (ObjectExistsError, 1),
        (StoredObjectMismatchError, 1),
        (KeyError, 1),
    ],
)
def test_an_error_is_tried_again_or_not_by_its_class(cls: type[Exception], calls: int) -> None:
    operation = Operation(*[cls("no")] * 9)
    with pytest.raises(cls):
        policy([]).run(operation)
    assert operation.calls == calls


def test_no_try_begins_after_the_time_is_over() -> None:
    waits: list[float] = []
    operation = Operation(*[ServiceUnavailableError("no")] * 9)
    with pytest.raises(ServiceUnavailableError):
        policy(waits, total_seconds=3.5).run(operation)
    # The next wait, 4 s, would end behind the 3.5 s.
    assert waits == [1, 2]


class Operation:
    """Fails with the given errors, one a call, then returns "done"."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def policy(waits: list[float], **changes: float) -> RetryPolicy:
    return RetryPolicy(sleep=waits.append, uniform=lambda low, high: high, **changes)  # type: ignore[arg-type]  # numbers of either kind


def test_a_transient_error_is_tried_again_with_doubling_waits() -> None:
    waits: list[float] = []
    operation = Operation(*[TransientError("no")] * 4)
    assert policy(waits, longest_wait_seconds=4).run(operation) == "done"
    assert (operation.calls, waits) == (5, [1, 2, 4, 4])


def test_what_the_server_asked_to_wait_is_waited_and_jittered() -> None:
    waits: list[float] = []
    operation = Operation(QuotaExceededError("no", retry_after_seconds=7))
    assert policy(waits).run(operation) == "done"
    assert waits == [7 + 1]


def test_a_longer_wait_than_allowed_is_left_to_the_caller() -> None:
    operation = Operation(QuotaExceededError("no", retry_after_seconds=3600))
    with pytest.raises(QuotaExceededError):
        policy([]).run(operation)
    assert operation.calls == 1


@pytest.mark.parametrize(
    "error", [PlanError("no"), PermanentError("no"), ValueError("no"), DownloadIdExpiredError("no")]
)
def test_what_the_same_request_cannot_mend_is_not_tried_again(error: Exception) -> None:
    operation = Operation(error)
    with pytest.raises(type(error)):
        policy([]).run(operation)
    assert operation.calls == 1


def test_the_last_error_is_raised_when_the_tries_are_used_up() -> None:
    operation = Operation(*[ServiceUnavailableError(f"no {number}") for number in range(9)])
    with pytest.raises(ServiceUnavailableError, match="no 2"):
        policy([], attempts=3).run(operation)


def test_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    assert retry_after_seconds("7") == 7
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < (retry_after_seconds(soon) or 0) <= 100
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after_seconds("soon") is None
    assert retry_after_seconds(None) is None


CAPABILITY = "ea7146b7f5c19ac8bffcdd3f55b7a51a-f3ea35f9bce59fc7a631a12884e380fd"


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://earthengine.googleapis.com/v1/projects/p/thumbnails/{CAPABILITY}:getPixels",
        f"/v1/projects/p/videoThumbnails/{CAPABILITY}:getPixels",
        f"Authorization: Bearer ya29.{CAPABILITY}",
        f'{{"access_token": "{CAPABILITY}"}}',
        f"grant_type=x&assertion=eyJ{CAPABILITY}",
    ],
)
def test_a_secret_is_cut_out_of_a_text(text: str) -> None:
    assert CAPABILITY not in scrub(text)
    assert "***" in scrub(text)


def test_a_text_without_secrets_is_left_alone() -> None:
    text = "POST https://earthengine.googleapis.com/v1/projects/p/thumbnails?fields=name 400"
    assert scrub(text) == text


def test_a_record_of_a_library_is_cleaned_before_it_is_written() -> None:
    record = logging.LogRecord(
        "urllib3.connectionpool", logging.DEBUG, "", 0, '"GET %s"',
        (f"/v1/projects/p/thumbnails/{CAPABILITY}:getPixels",), None,
    )  # fmt: skip
    assert SecretsFilter().filter(record)
    assert CAPABILITY not in record.getMessage()
