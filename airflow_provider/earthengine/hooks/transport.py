"""The HTTP transport of the Earth Engine client: with timeouts, and without redirects.

Requests for tokens use it too.

The client's own transport has no timeout until ``ee.data.setDeadline`` is called, which sends
requests of its own if it is called before ``ee.Initialize``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NoReturn
from urllib.parse import urlsplit

from airflow_provider.earthengine.download.foreign import has_many_containers
from airflow_provider.earthengine.download.transport.profiles import ASKING, read_profiles
from airflow_provider.earthengine.download.usage import Meter, Usage
from airflow_provider.earthengine.download.worker_limits import find_refusal
from airflow_provider.earthengine.exceptions import ServiceUnavailableError

CONNECT_SECONDS = 10.0
LISTING_SECONDS = 60.0
MAX_ANSWER_BYTE_COUNT = 32 << 20
"""Ten times the longest known, the list of all functions and the description of 5,000 bands."""
MAX_REFUSAL_BYTE_COUNT = 1 << 20
"""A refusal is cut there: what it means is in its status."""
POOL_CONNECTIONS = 64

_DESCRIPTION = "/$discovery/rest"
_API_PATHS = (_DESCRIPTION, "/v1")
_OK = 200


def _let_pass() -> None:
    pass


# Called before each request; raises if the work was cancelled.
BEFORE_REQUEST: ContextVar[Callable[[], None]] = ContextVar("before_request", default=_let_pass)
# Counts the requests to Earth Engine; None: nobody asks.
METER: ContextVar[Meter | None] = ContextVar("meter", default=None)


class _Answers(threading.local):
    """The answers that the current thread has received, to tell whether an error followed one.

    google-auth's errors contain neither that nor the status.

    :param count: the number of answers.
    :param last_status: the HTTP status of the last one; 0 before the first.
    """

    count = 0
    last_status = 0


ANSWERS = _Answers()


class Transport:
    """An httplib2-like object for ``ee.Initialize(http_transport=...)``, based on requests.

    :param endpoint_url: computations there may take ``deadline_seconds``; everything else (lists,
        tokens) is quick or broken, and may take at most :data:`LISTING_SECONDS`.
    :param deadline_seconds: the longest silence of the server while it computes.
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
        self._described: dict[str, tuple[Any, bytes]] = {}
        self._accepted = self._session.headers["Accept-Encoding"]

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        """Refuse to be copied: google-auth copies transports to silently query a third host.

        It then sends a service account's token to iamcredentials.googleapis.com from another
        thread, and skips that if the transport cannot be copied. Source:
        https://github.com/googleapis/google-auth-library-python, ``google/auth/
        _regional_access_boundary_utils.py``, ``start_refresh``, release 2.62.2.
        """
        raise TypeError("a transport cannot be copied: its connections belong to one session")

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: Any = None,
        headers: Any = None,
        **_httplib2_options: Any,
    ) -> tuple[Any, bytes]:
        """Return the answer in httplib2's form, whatever its status.

        The client asks twice in a row for the API's description, to build its interface with and
        without decoding; the second time it gets the first answer.

        :raises TimeoutError: if there is no connection or no answer in time.
        :raises ConnectionError: if the connection is refused or lost, or the body truncated.
        :raises ServiceUnavailableError: if it is longer than any answer of Earth Engine.
        """
        BEFORE_REQUEST.get()()
        if described := self._described.pop(uri, None):
            return described
        meter = self._meter_for(uri)
        if meter is None:
            response, content = self._send(uri, method, body, headers)
        else:
            meter.count(Usage(requests=1))
            asking = ASKING if meter.asks_profiles else {}
            response, content = self._send(uri, method, body, {**(headers or {}), **asking})
            if asking:
                meter.count(Usage(profiles=read_profiles(response.headers)))
        ANSWERS.count += 1
        ANSWERS.last_status = response.status_code
        answer = _as_httplib2(response)
        if _DESCRIPTION in uri and response.status_code == _OK:
            self._described[uri] = answer, content
        return answer, content

    def _send(self, uri: str, method: str, body: Any, headers: Any) -> tuple[Any, bytes]:
        import requests

        try:
            with self._session.request(
                method,
                uri,
                data=body,
                # Not the client's own Accept-Encoding, which has more than is decoded here.
                headers={**(headers or {}), "accept-encoding": self._accepted},
                timeout=(min(CONNECT_SECONDS, self._deadline_seconds), self._silence(uri, method)),
                # A redirect could carry the token, or the request, to another host.
                allow_redirects=False,
                stream=True,
            ) as response:
                return response, _read_content(response, urlsplit(uri).hostname)
        except requests.Timeout:
            raise TimeoutError(f"no answer in time from {urlsplit(uri).hostname}") from None
        except requests.RequestException as error:
            refusal = find_refusal(error)
            if refusal is not None:
                raise refusal from None
            reason = _innermost_reason(error)
            if "CERTIFICATE_VERIFY_FAILED" in reason:
                reason += "; for a private CA, set REQUESTS_CA_BUNDLE to its file"
            raise ConnectionError(f"{urlsplit(uri).hostname}: {reason}") from None

    def _meter_for(self, uri: str) -> Meter | None:
        """Return who counts a request; None for tokens, which may come from the same host."""
        path = uri.removeprefix(self._endpoint_url)
        is_of_api = path.startswith(_API_PATHS) and "/serviceAccounts/" not in path
        return METER.get() if is_of_api else None

    def interrupt(self) -> None:
        """Interrupt every request in flight; safe in a signal handler."""
        self._adapter.interrupt()

    def close(self) -> None:
        self._session.close()

    def _silence(self, uri: str, method: str) -> float:
        if method == "POST" and uri.startswith(f"{self._endpoint_url}/"):
            return self._deadline_seconds
        return min(LISTING_SECONDS, self._deadline_seconds)


def _as_httplib2(response: Any) -> Any:
    import httplib2  # type: ignore[import-untyped]  # ships no annotations

    answer = httplib2.Response({**response.headers, "status": str(response.status_code)})
    answer.reason = response.reason
    return answer


def _read_content(response: Any, host: str | None) -> bytes:
    """Return the content of an answer, of bounded length.

    :raises ServiceUnavailableError: if it is longer than any answer of Earth Engine.
    """
    from airflow_provider.earthengine.download.transport.bounded_content import read_decoded

    if response.status_code >= 400:
        return read_decoded(response, MAX_REFUSAL_BYTE_COUNT)
    content = read_decoded(response, MAX_ANSWER_BYTE_COUNT + 1)
    if len(content) > MAX_ANSWER_BYTE_COUNT or has_many_containers(content):
        raise ServiceUnavailableError(
            f"The answer of {host} has more than {MAX_ANSWER_BYTE_COUNT:,} bytes or too many "
            "lists and objects, which no answer of Earth Engine has; if this persists, check "
            "endpoint_url in the connection's extra, and proxies."
        )
    return content


def _innermost_reason(error: BaseException) -> str:
    """Return the reason of the innermost error; the outer texts quote the URL."""
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
