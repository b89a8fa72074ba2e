"""What a request for pixels ends in instead of a body -> one error of the tree.

The texts of ``requests`` quote the URL, which is a capability: none of them gets out of here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from airflow_provider.earthengine.download.transport.answers import (
    error_for_answer,
    read_google_error,
    retry_after_seconds,
)
from airflow_provider.earthengine.download.transport.bounded_content import read_decoded
from airflow_provider.earthengine.download.transport.redaction import scrub
from airflow_provider.earthengine.download.worker_limits import find_refusal
from airflow_provider.earthengine.exceptions import (
    AssetNotFoundError,
    DownloadIdExpiredError,
    FetchTimeoutError,
    ServiceUnavailableError,
    TruncatedBodyError,
    raise_alone,
)

_ERROR_BODY_BYTE_COUNT = 1 << 16


def raise_for_answer(response: requests.Response, what: str) -> NoReturn:
    """Raise the error for an answer without pixels.

    :param what: the name of the body in errors.
    :raises DownloadIdExpiredError: if the download id is not known any more.
    """
    content = read_decoded(response, _ERROR_BODY_BYTE_COUNT)
    message, reason = read_google_error(content)
    error = error_for_answer(
        action=f"send the pixels of {what}",
        status=response.status_code,
        message=message or response.reason,
        reason=reason,
        retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After")),
    )
    if response.status_code == 404 and isinstance(error, AssetNotFoundError):
        raise DownloadIdExpiredError(
            f"The download id of {what} has expired in Earth Engine.",
            server_text=error.server_text,
            status=404,
        )
    raise error


@contextmanager
def translated_errors(what: str) -> Iterator[None]:
    """Translate what requests raises into our errors, without the URL in its texts."""
    try:
        yield
    except requests.exceptions.ChunkedEncodingError as error:
        raise_alone(
            TruncatedBodyError(f"The body of {what} ended early.", server_text=scrub(str(error)))
        )
    except (requests.RequestException, HTTPError) as error:
        refusal = find_refusal(error)
        if refusal is not None:
            raise_alone(refusal)
        # requests raises ConnectionError for a read timeout within the body.
        silent = any(isinstance(cause, ReadTimeoutError) for cause in error.args)
        if silent or isinstance(error, requests.Timeout):
            raise_alone(
                FetchTimeoutError(
                    f"Earth Engine did not send {what} in time ({type(error).__name__})."
                )
            )
        raise_alone(
            ServiceUnavailableError(
                f"The connection to Earth Engine was lost while fetching {what} "
                f"({type(error).__name__}).",
                server_text=scrub(str(error)),
            )
        )
