"""Which answer means what, how often and how long to wait, and how secrets stay out of texts.

This is the only place that decides whether something is tried again. It sends nothing itself.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    AssetNotFoundError,
    ComputationTooLargeError,
    DownloadCancelledError,
    DownloadIdExpiredError,
    EarthEngineProviderError,
    QuotaExceededError,
    RequestRejectedError,
    RequestTooLargeError,
    ServiceUnavailableError,
    TransientError,
)

if TYPE_CHECKING:
    from tenacity import RetryCallState

log = logging.getLogger(__name__)

T = TypeVar("T")

_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})

# Texts are read only where Earth Engine answers 400 for what is not the caller's mistake.
# Source: https://developers.google.com/earth-engine/guides/debugging, read 2025-08.
_RATE_TEXT = re.compile(r"too many concurrent aggregations", re.IGNORECASE)
_INTERNAL_TEXT = re.compile(r"internal error", re.IGNORECASE)
# Fewer pixels may be computed where these were not.
_COMPUTATION_TEXT = re.compile(
    r"user memory limit exceeded|computation timed out|output of image computation is too large",
    re.IGNORECASE,
)
# Source: https://github.com/google/Xee/issues/50, read 2025-08; and of the sides, error texts in
# public notes of cubexpress and others.
_SIZE_TEXT = re.compile(
    r"request size \((?P<byte_count>\d+) bytes\).*?(?P<max_byte_count>\d+) bytes"
    r"|grid dimensions \(\d+x\d+\).*?(?P<max_side>\d+)",
    re.IGNORECASE,
)
_NOT_FOUND_TEXT = re.compile(r"\bnot found\b", re.IGNORECASE)

_SECRETS = re.compile(
    r"(?P<head>(?:thumbnails|videoThumbnails|filmstripThumbnails|tables)/)[\w%.~-]{8,}"
    r"|(?P<bearer>\bBearer\s+)[\w.~+/=-]+"
    r"|(?P<form>\b(?:access_token|accessToken|refresh_token|subject_token|assertion|client_secret|X-Amz-Signature)"
    r"[\"']?\s*[=:]\s*[\"']?)[\w.~+/%=-]+"
)


def scrub(text: str) -> str:
    """Return the text with download ids, bearer tokens and signatures replaced by ``***``."""
    return _SECRETS.sub(
        lambda match: f"{match['head'] or match['bearer'] or match['form']}***", text
    )


class SecretsFilter(logging.Filter):
    """Cleans log records of libraries that print URLs, above all urllib3 at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record, with its text cleaned."""
        text = record.getMessage()
        cleaned = scrub(text)
        if cleaned != text:
            record.msg, record.args = cleaned, None
        return True


def install_secrets_filter() -> None:
    """Clean what urllib3 and googleapiclient log; calling it again changes nothing."""
    for name in ("urllib3.connectionpool", "googleapiclient.http", "googleapiclient.discovery"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, SecretsFilter) for known in logger.filters):
            logger.addFilter(SecretsFilter())


def error_for_answer(
    *,
    action: str,
    status: int,
    message: str = "",
    reason: str = "",
    retry_after_seconds: float | None = None,
) -> EarthEngineProviderError:
    """Return the error that an answer of Earth Engine means. Status and reason come first.

    :param action: what was tried, to go behind "Earth Engine could not", for example
        "create a download id for X".
    :param status: the HTTP status.
    :param message: the server's text; it is cleaned of secrets here.
    :param reason: the machine-readable reason of a Google error, if any.
    :param retry_after_seconds: what the Retry-After header asked for, if any.
    """
    facts: dict[str, Any] = {
        "server_text": scrub(message),
        "status": status,
        "reason": reason,
        "retry_after_seconds": retry_after_seconds,
    }
    head = f"Earth Engine could not {action} (HTTP {status})"
    if status == 429 or reason in _RATE_REASONS or (status == 400 and _RATE_TEXT.search(message)):
        return QuotaExceededError(f"{head}: too many requests at once or per minute.", **facts)
    if status >= 500 or (status == 400 and _INTERNAL_TEXT.search(message)):
        return ServiceUnavailableError(f"{head}: the service failed.", **facts)
    if status in (401, 403):
        return AccessDeniedError(
            f"{head}: the connection's credentials are not accepted or not allowed to do this.",
            **facts,
        )
    if status == 404 or (status == 400 and _NOT_FOUND_TEXT.search(message)):
        return AssetNotFoundError(
            f"{head}: it does not exist, or these credentials may not see it.", **facts
        )
    if _COMPUTATION_TEXT.search(message):
        return ComputationTooLargeError(
            f"{head}: it takes more memory or time than one request gets.", **facts
        )
    if size := _SIZE_TEXT.search(message):
        facts |= {key: int(number) for key, number in size.groupdict().items() if number}
        return RequestTooLargeError(f"{head}: it is larger than one request may be.", **facts)
    return RequestRejectedError(f"{head}: the request was refused.", **facts)


def retry_after_seconds(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as seconds or as a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def read_google_error(content: bytes | str) -> tuple[str, str]:
    """Return message and reason of an error body; empty texts for what is not there.

    Source: https://cloud.google.com/apis/design/errors#http_mapping ("details", ErrorInfo), and the
    older ``errors[].reason``, https://cloud.google.com/storage/docs/json_api/v1/status-codes; both
    read 2025-08.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return "", ""
    body = body[0] if isinstance(body, list) and body else body
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", ""
    places = [*_list(error.get("details")), *_list(error.get("errors"))]
    reasons = [place["reason"] for place in places if isinstance(place, dict) and "reason" in place]
    return str(error.get("message", "")), str(reasons[0]) if reasons else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently a transient failure is tried again: full jitter, capped.

    :param attempts: tries in all, the first included.
    :param first_wait_seconds: the upper bound of the first wait; it doubles from try to try.
    :param longest_wait_seconds: the upper bound of every wait; a longer Retry-After is not slept
        out here: the error passes to the caller, whose own retry comes later.
    :param total_seconds: no new try begins later than this after the first one.
    """

    attempts: int = 6
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    total_seconds: float = 900.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    uniform: Callable[[float, float], float] = field(default=random.uniform, repr=False)

    def run(self, operation: Callable[[], T]) -> T:
        """Return what ``operation()`` returns; try again while it raises TransientError."""
        import tenacity  # Not at module level: DAG files import this module on every parse.

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._is_worth_another_try),
            stop=tenacity.stop_after_attempt(self.attempts)
            | tenacity.stop_before_delay(self.total_seconds),
            wait=self._wait,
            before_sleep=_log_retry,
            sleep=self.sleep,
            reraise=True,
        )
        return retrying(operation)

    def _is_worth_another_try(self, error: BaseException) -> bool:
        # The same request with an id that is gone cannot help; whoever asked for it gets a new one.
        if isinstance(error, DownloadIdExpiredError | DownloadCancelledError):
            return False
        if not isinstance(error, TransientError):
            return False
        return (error.retry_after_seconds or 0) <= self.longest_wait_seconds

    def wait_seconds(self, failures: int, error: BaseException | None) -> float:
        """Return how long to wait before the next try.

        :param failures: how many tries failed in a row, at least 1.
        :param error: what the last of them met.
        """
        # The exponent is bounded: whoever waits for days fails often.
        bound = min(self.longest_wait_seconds, self.first_wait_seconds * 2 ** min(failures - 1, 30))
        asked = error.retry_after_seconds if isinstance(error, TransientError) else None
        # The jitter is added to what was asked for: clients told the same second must not meet.
        return (asked or 0.0) + self.uniform(0.0, bound)

    def _wait(self, state: RetryCallState) -> float:
        return self.wait_seconds(state.attempt_number, _error_of(state))


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _log_retry(state: RetryCallState) -> None:
    seconds = state.next_action.sleep if state.next_action else 0.0
    log.warning(
        "Try %d failed, next one in %.1f s: %s", state.attempt_number, seconds, _error_of(state)
    )
