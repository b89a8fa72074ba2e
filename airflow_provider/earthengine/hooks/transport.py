"""How the Earth Engine client's requests travel: with time limits, and to no other host.

Requests for tokens travel the same way.

The client's own transport has no time limit until ``ee.data.setDeadline`` is called, and that
cannot be called before ``ee.Initialize`` without requests of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NoReturn
from urllib.parse import urlsplit

CONNECT_SECONDS = 10.0
LISTING_SECONDS = 60.0
POOL_CONNECTIONS = 64


def _let_pass() -> None:
    pass


# Called before each request; raises when the work that it is for was stopped.
BEFORE_REQUEST: ContextVar[Callable[[], None]] = ContextVar("before_request", default=_let_pass)


class _Answers(threading.local):
    """The answers that the current thread has had; tells whether an error came after one.

    google-auth's errors say neither that nor the status.

    :param count: how many.
    :param last_status: the HTTP status of the last one; 0 before the first.
    """

    count = 0
    last_status = 0


ANSWERS = _Answers()


class Transport:
    """What ``ee.Initialize(http_transport=...)`` takes: an httplib2-like object, on requests.

    :param endpoint_url: requests that compute there may take ``deadline_seconds``; everything
        else (lists, tokens) is quick or broken, and gets at most :data:`LISTING_SECONDS`.
    :param deadline_seconds: the longest silence while something is computed.
    """

    def __init__(self, endpoint_url: str, deadline_seconds: float) -> None:
        from airflow_provider.earthengine.download.transport.connections import (
            InterruptibleAdapter,
            open_session,
        )

        self._endpoint_url = endpoint_url
        self._deadline_seconds = deadline_seconds
        self._adapter = InterruptibleAdapter(pool_maxsize=POOL_CONNECTIONS)
        self._session = open_session(self._adapter)

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        """Refuse to be copied: google-auth copies a transport to ask a third host behind our back.

        It then sends a service account's token to iamcredentials.googleapis.com from a thread of
        its own, and does without when the transport cannot be copied. Source:
        https://github.com/googleapis/google-auth-library-python, ``google/auth/
        _regional_access_boundary_utils.py``, ``start_refresh``, release 2.62.2.
        """
        raise TypeError("a transport is not copied: its connections belong to one session")

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: Any = None,
        headers: Any = None,
        **_httplib2_options: Any,
    ) -> tuple[Any, bytes]:
        """Return the answer in httplib2's form, whatever its status.

        :raises TimeoutError: no connection, or no answer, in time.
        :raises ConnectionError: the connection was refused, lost, or the body cut.
        """
        import httplib2  # type: ignore[import-untyped]  # ships no annotations
        import requests

        BEFORE_REQUEST.get()()
        try:
            response = self._session.request(
                method,
                uri,
                data=body,
                headers=headers,
                timeout=(min(CONNECT_SECONDS, self._deadline_seconds), self._silence(uri, method)),
                # A redirect could carry the token, or the request, to another host.
                allow_redirects=False,
            )
        except requests.Timeout:
            raise TimeoutError(f"no answer in time from {urlsplit(uri).hostname}") from None
        except requests.RequestException as error:
            reason = _innermost_reason(error)
            if "CERTIFICATE_VERIFY_FAILED" in reason:
                reason += "; REQUESTS_CA_BUNDLE names the file of a private CA"
            raise ConnectionError(f"{urlsplit(uri).hostname}: {reason}") from None
        ANSWERS.count += 1
        ANSWERS.last_status = response.status_code
        answer = httplib2.Response({**response.headers, "status": str(response.status_code)})
        answer.reason = response.reason
        return answer, response.content

    def interrupt(self) -> None:
        """End every request that is under way; safe in a signal handler."""
        self._adapter.interrupt()

    def close(self) -> None:
        self._session.close()

    def _silence(self, uri: str, method: str) -> float:
        if method == "POST" and uri.startswith(f"{self._endpoint_url}/"):
            return self._deadline_seconds
        return min(LISTING_SECONDS, self._deadline_seconds)


def _innermost_reason(error: BaseException) -> str:
    """Return what happened underneath; the outer texts quote the URL."""
    import requests

    for _ in range(10):
        inner = getattr(error, "reason", None) or next(iter(error.args), None)
        inner = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__
        if inner is None:
            break
        error = inner
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return error.strerror or str(error) or type(error).__name__
    return type(error).__name__
