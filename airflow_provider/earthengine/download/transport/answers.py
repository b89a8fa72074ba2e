"""An answer of Earth Engine: HTTP status, reason and text -> one error of the tree.

:mod:`retry` decides whether to try again, from the class of the error alone.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider.earthengine.download.foreign import ForeignValueError
from airflow_provider.earthengine.download.transport.redaction import scrub
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    AssetNotFoundError,
    ComputationTooLargeError,
    EarthEngineProviderError,
    QuotaExceededError,
    RequestRejectedError,
    RequestTooLargeError,
    ServiceUnavailableError,
)

_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})

# Texts matter only where Earth Engine answers 400 for something that is not the caller's mistake.
# Source: https://developers.google.com/earth-engine/guides/debugging, read 2025-08.
_RATE_TEXT = re.compile(r"too many concurrent aggregations", re.IGNORECASE)
_INTERNAL_TEXT = re.compile(r"internal error", re.IGNORECASE)
# A request for fewer pixels may succeed after these.
_COMPUTATION_TEXT = re.compile(
    r"user memory limit exceeded|computation timed out|output of image computation is too large",
    re.IGNORECASE,
)
# Source: https://github.com/google/Xee/issues/50, read 2025-08; for the sides, error texts in
# public notes of cubexpress and others.
_SIZE_TEXT = re.compile(
    r"request size \((?P<byte_count>[0-9]{1,18}) bytes\).*?(?P<max_byte_count>[0-9]{1,18}) bytes"
    r"|grid dimensions \([0-9]+x[0-9]+\).*?(?P<max_side>[0-9]{1,18})",
    re.IGNORECASE,
)
_NOT_FOUND_TEXT = re.compile(r"\bnot found\b", re.IGNORECASE)


@contextmanager
def reading_answer(about: str) -> Iterator[None]:
    """Translate a wrong value in an answer: Earth Engine does not give such answers.

    :param about: the subject of the request, to follow "Earth Engine's answer about".
    :raises ServiceUnavailableError: if the block finds a wrong value.
    """
    try:
        yield
    except ForeignValueError as error:
        raise ServiceUnavailableError(
            f"Earth Engine's answer about {about} cannot be understood ({error}); if this "
            "persists, check endpoint_url in the connection's extra, and proxies."
        ) from None


def error_for_answer(
    *,
    action: str,
    status: int,
    message: str = "",
    reason: str = "",
    retry_after_seconds: float | None = None,
) -> EarthEngineProviderError:
    """Return the error for an answer of Earth Engine. Status and reason take precedence over text.

    :param action: what was tried, to follow "Earth Engine could not", for example
        "create a download id for X".
    :param status: the HTTP status.
    :param message: the server's text; secrets are removed here.
    :param reason: the machine-readable reason of a Google error, if any.
    :param retry_after_seconds: the value of the Retry-After header, if any.
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
            f"{head}: the connection's credentials are invalid or lack permission.",
            **facts,
        )
    if status == 404 or (status == 400 and _NOT_FOUND_TEXT.search(message)):
        return AssetNotFoundError(
            f"{head}: it does not exist, or the credentials have no access to it.", **facts
        )
    return _refusal(head, message, facts)


def _refusal(head: str, message: str, facts: dict[str, Any]) -> EarthEngineProviderError:
    """Return the error for a request that Earth Engine understood, and did not want.

    :param head: the first words of the error.
    """
    if _COMPUTATION_TEXT.search(message):
        return ComputationTooLargeError(
            f"{head}: it takes more memory or time than one request is allowed.", **facts
        )
    if size := _SIZE_TEXT.search(message):
        facts |= {key: int(number) for key, number in size.groupdict().items() if number}
        return RequestTooLargeError(f"{head}: it exceeds the size limit of a request.", **facts)
    return RequestRejectedError(f"{head}: the request was refused.", **facts)


def retry_after_seconds(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which may hold seconds or a date."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def read_google_error(content: bytes | str) -> tuple[str, str]:
    """Return message and reason of an error body; "" for what is missing.

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
    reasons = [_text(place.get("reason")) for place in places if isinstance(place, dict)]
    return _text(error.get("message")), next(filter(None, reasons), "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
