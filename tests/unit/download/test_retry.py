import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from airflow_provider.earthengine.download.retry import (
    RetryPolicy,
    SecretsFilter,
    error_for_answer,
    retry_after_seconds,
    scrub,
)
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    AssetNotFoundError,
    DownloadIdExpiredError,
    EarthEngineProviderError,
    PermanentError,
    PlanError,
    QuotaExceededError,
    RequestRejectedError,
    ServiceUnavailableError,
    TransientError,
)

ANSWERS: list[tuple[int, str, str, type[EarthEngineProviderError]]] = [
    (429, "", "Too Many Requests", QuotaExceededError),
    (403, "rateLimitExceeded", "", QuotaExceededError),
    (403, "userRateLimitExceeded", "", QuotaExceededError),
    (400, "", "Quota exceeded: Too many concurrent aggregations.", QuotaExceededError),
    (500, "", "", ServiceUnavailableError),
    (502, "", "Bad Gateway", ServiceUnavailableError),
    (503, "", "", ServiceUnavailableError),
    (504, "", "", ServiceUnavailableError),
    (400, "", "An internal error has occurred", ServiceUnavailableError),
    (401, "", "", AccessDeniedError),
    (403, "SERVICE_DISABLED", "", AccessDeniedError),
    (404, "", "", AssetNotFoundError),
    (400, "", "Image.load: Image asset 'X' not found (does not exist ...).", AssetNotFoundError),
    (400, "", "Invalid value at 'file_format'", RequestRejectedError),
    (302, "", "", RequestRejectedError),
    (418, "", "", RequestRejectedError),
]


@pytest.mark.parametrize(("status", "reason", "message", "cls"), ANSWERS)
def test_an_answer_means_one_error(
    status: int, reason: str, message: str, cls: type[EarthEngineProviderError]
) -> None:
    error = error_for_answer(action="do it", status=status, reason=reason, message=message)
    assert type(error) is cls
    assert error.facts["status"] == status
    assert f"Earth Engine could not do it (HTTP {status})" in str(error)


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
