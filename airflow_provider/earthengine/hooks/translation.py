"""Everything that the Earth Engine client raises -> this package's errors. Nothing is retried here.

The client raises eight families of exceptions, and the one of its own carries no status.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider.earthengine.download.retry import (
    error_for_answer,
    retry_after_seconds,
    scrub,
)
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    ConnectionConfigError,
    EarthEngineProviderError,
    FetchTimeoutError,
    PermanentError,
    ServiceUnavailableError,
)
from airflow_provider.earthengine.hooks.transport import answers_in_this_thread


@contextmanager
def translated(action: str, *, refused: type[PermanentError]) -> Iterator[None]:
    """Let only errors of this package out of the block.

    :param action: what the block tries, to go behind "Earth Engine could not".
    :param refused: what it means when the client refuses by itself, before any request.
    """
    answers = answers_in_this_thread()
    try:
        yield
    except EarthEngineProviderError:
        raise
    except Exception as error:  # noqa: BLE001 - nothing is kept back: all is raised, translated
        was_answered = answers_in_this_thread() > answers
        # "from None": the causes quote URLs, keys and whole requests.
        raise _translate(error, action, refused, was_answered=was_answered) from None


def _translate(
    error: Exception, action: str, refused: type[PermanentError], *, was_answered: bool
) -> EarthEngineProviderError:
    import ee
    from google.auth.exceptions import GoogleAuthError
    from googleapiclient.errors import Error as GoogleApiError
    from googleapiclient.errors import HttpError, UnknownApiNameOrVersion

    # An EEException that comes from an answer has that answer as its context; one that the client
    # raises by itself may have a stranger there, which the caller was handling.
    answer: BaseException | None = error
    while was_answered and isinstance(answer, ee.EEException):
        answer = answer.__context__
    if isinstance(answer, HttpError):
        return _translate_answer(answer, action)
    if isinstance(error, UnknownApiNameOrVersion):
        return ConnectionConfigError(
            f"Earth Engine could not {action}: the endpoint does not know Earth Engine's API "
            "(HTTP 404); check endpoint_url in the connection's extra.",
            status=404,
        )
    if isinstance(error, GoogleAuthError):
        return _translate_auth_error(error, action)
    if isinstance(error, TimeoutError):
        return FetchTimeoutError(f"Earth Engine could not {action}: no answer in time.")
    if isinstance(error, OSError):
        reason = scrub(str(error))
        return ServiceUnavailableError(
            f"Earth Engine could not {action}: the connection failed ({reason})."
        )
    if was_answered or isinstance(error, GoogleApiError):
        return ServiceUnavailableError(
            f"Earth Engine could not {action}: the answer is not one of Earth Engine's; if that "
            "stays so, check endpoint_url in the connection's extra, and proxies."
        )
    reason = scrub(str(error)) or type(error).__name__
    return refused(f"The Earth Engine client could not {action}: {reason}")


def _translate_answer(error: Any, action: str) -> EarthEngineProviderError:
    message, reason = _read_google_error(error.content)
    return error_for_answer(
        action=action,
        status=int(error.resp.status),
        message=message or str(error.resp.reason or ""),
        reason=reason,
        retry_after_seconds=retry_after_seconds(error.resp.get("retry-after")),
    )


def _read_google_error(content: bytes) -> tuple[str, str]:
    """Return message and reason of an error body; empty texts for what is not there.

    Source: https://cloud.google.com/apis/design/errors#http_mapping ("details", ErrorInfo), and the
    older ``errors[].reason``, https://cloud.google.com/storage/docs/json_api/v1/status-codes; both
    read 2025-08.
    """
    try:
        body = json.loads(content)
    except ValueError:
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


def _translate_auth_error(error: Any, action: str) -> EarthEngineProviderError:
    from google.auth import exceptions

    text = scrub(str(error.args[0])) if error.args else ""
    head = f"Earth Engine could not {action}"
    if isinstance(error, exceptions.InvalidOperation):
        return AccessDeniedError(
            f"{head}: it wants credentials, and the connection is anonymous; give it a service "
            "account's key, or another auth.",
            status=401,
        )
    if error.retryable or isinstance(error, exceptions.TransportError | exceptions.TimeoutError):
        return ServiceUnavailableError(
            f"{head}: the token endpoint failed, or could not be reached.", server_text=text
        )
    return AccessDeniedError(
        f"{head}: the token endpoint did not accept the credentials; create a new key, or log in "
        "again, and check this machine's clock.",
        server_text=text,
    )
