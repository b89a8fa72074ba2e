"""Everything that the Earth Engine client raises -> this package's errors. Nothing is retried here.

The client raises eight families of exceptions, and its own carries no status.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider.earthengine.download.transport.answers import (
    error_for_answer,
    read_google_error,
    retry_after_seconds,
)
from airflow_provider.earthengine.download.transport.redaction import scrub
from airflow_provider.earthengine.download.worker_limits import find_refusal
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    ConnectionConfigError,
    EarthEngineProviderError,
    FetchTimeoutError,
    PermanentError,
    ServiceUnavailableError,
    raise_alone,
)
from airflow_provider.earthengine.hooks.transport import ANSWERS

# Source: https://github.com/googleapis/google-auth-library-python,
# ``google/auth/impersonated_credentials.py``, ``_REFRESH_ERROR``, release 2.62.2.
_IMPERSONATION_FAILED = "Unable to acquire impersonated credentials"


@contextmanager
def translated(action: str, *, refused: type[PermanentError]) -> Iterator[None]:
    """Translate every error in the block into one of this package.

    :param action: what the block does, to follow "Earth Engine could not".
    :param refused: the error to raise if the client itself refuses, before any request.
    """
    answers = ANSWERS.count
    try:
        yield
    except EarthEngineProviderError:
        raise
    except Exception as error:  # noqa: BLE001 - every error is translated and raised
        refusal = find_refusal(error)
        if refusal is not None:
            raise_alone(refusal)
        was_answered = ANSWERS.count > answers
        # Without causes: they quote URLs, keys and whole requests.
        raise_alone(_translate(error, action, refused, was_answered=was_answered))


def _translate(
    error: Exception, action: str, refused: type[PermanentError], *, was_answered: bool
) -> EarthEngineProviderError:
    from google.auth.exceptions import GoogleAuthError
    from googleapiclient.errors import Error as GoogleApiError
    from googleapiclient.errors import HttpError, UnknownApiNameOrVersion

    # An EEException for an answer has that answer's error as its context; one that the client
    # raises by itself may have an unrelated context, which the caller was handling.
    answer: BaseException | None = error
    while was_answered and _is_of_client(answer):
        answer = answer.__context__ if answer else None
    if isinstance(answer, HttpError):
        return _translate_answer(answer, action)
    if isinstance(error, UnknownApiNameOrVersion):
        return ConnectionConfigError(
            f"Earth Engine could not {action}: the endpoint does not know Earth Engine's API "
            "(HTTP 404); check endpoint_url in the connection's extra.",
            status=404,
        )
    if isinstance(error, GoogleAuthError):
        return _translate_auth_error(error, action, ANSWERS.last_status if was_answered else None)
    if isinstance(error, TimeoutError):
        return FetchTimeoutError(f"Earth Engine could not {action}: {scrub(str(error))}.")
    if isinstance(error, OSError):
        reason = scrub(str(error))
        return ServiceUnavailableError(
            f"Earth Engine could not {action}: the connection failed ({reason})."
        )
    if was_answered or isinstance(error, GoogleApiError):
        return ServiceUnavailableError(
            f"Earth Engine could not {action}: the answer does not come from Earth Engine; if this "
            "persists, check endpoint_url in the connection's extra, and proxies."
        )
    reason = scrub(str(error)) or type(error).__name__
    return refused(f"The Earth Engine client could not {action}: {reason}")


def _is_of_client(error: BaseException | None) -> bool:
    # Not imported here: the triggerer runs without it, and then no error comes from the client.
    client = sys.modules.get("ee")
    return client is not None and isinstance(error, client.EEException)


def _translate_answer(error: Any, action: str) -> EarthEngineProviderError:
    message, reason = read_google_error(error.content)
    return error_for_answer(
        action=action,
        status=int(error.resp.status),
        message=message or str(error.resp.reason or ""),
        reason=reason,
        retry_after_seconds=retry_after_seconds(error.resp.get("retry-after")),
    )


def _translate_auth_error(error: Any, action: str, status: int | None) -> EarthEngineProviderError:
    """Return the error for a failure to get a token.

    :param status: of the last answer, which came from the token endpoint; None if there was none.
    """
    from google.auth import exceptions

    text = _server_text(error)
    head = f"Earth Engine could not {action}"
    if isinstance(error, exceptions.InvalidOperation):
        return AccessDeniedError(
            f"{head}: it requires credentials, but the connection is anonymous; set a service "
            "account's key, or another auth.",
            status=401,
        )
    is_transport = isinstance(error, exceptions.TransportError | exceptions.TimeoutError)
    is_refusal = status is None or (400 <= status < 500 and status != 429)
    if error.retryable or is_transport or not is_refusal:
        return ServiceUnavailableError(
            f"{head}: the token endpoint failed or could not be reached.", server_text=text
        )
    if status is None:
        return ConnectionConfigError(
            f"{head}: no token can be requested with the credentials ({text.rstrip('.')})."
        )
    if status in (403, 404) and str(error.args[0]).startswith(_IMPERSONATION_FAILED):
        return AccessDeniedError(
            f"{head}: the service account does not exist or cannot be impersonated; grant the "
            "impersonating identity roles/iam.serviceAccountTokenCreator on it (a federated "
            "identity: roles/iam.workloadIdentityUser), and enable iamcredentials.googleapis.com.",
            server_text=text,
        )
    return AccessDeniedError(
        f"{head}: the token endpoint rejected the credentials; create a new key or log in again, "
        "and check this machine's clock.",
        server_text=text,
    )


def _server_text(error: Any) -> str:
    """Return the token endpoint's message, if it has the usual form of such errors."""
    text = str(error.args[0]) if error.args else ""
    body = error.args[1] if len(error.args) > 1 else None
    if text.startswith(_IMPERSONATION_FAILED) and isinstance(body, str | bytes):
        text = read_google_error(body)[0]
    # Do not show a proxy's page, or an echo of the request.
    is_sentence = not text.lstrip().startswith(("<", "{", "[")) and "_token=" not in text
    return scrub(text) if is_sentence else ""
