"""Earth Engine -> disk: create an id, make its URL, GET the body, streamed and retried.

The body is not interpreted here, except by the check that the caller passes: a body that fails it
is fetched again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import requests

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.download.client import DownloadId, EarthEngineClient
from airflow_provider.earthengine.download.fetch.body_errors import (
    raise_for_answer,
    translated_errors,
)
from airflow_provider.earthengine.download.fetch.gate import RequestGate
from airflow_provider.earthengine.download.transport.bounded_content import decoded
from airflow_provider.earthengine.download.transport.connections import (
    Cancellation,
    InterruptibleAdapter,
    open_session,
)
from airflow_provider.earthengine.download.transport.profiles import ASKING, read_profiles
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.download.usage import Meter, Usage
from airflow_provider.earthengine.exceptions import (
    DownloadIdExpiredError,
    RasterMismatchError,
)
from airflow_provider.earthengine.one_line import one_line

log = logging.getLogger(__name__)

T = TypeVar("T")

CHUNK_BYTE_COUNT = 1 << 20
CONNECT_SECONDS = 10.0
# Earth Engine computes the pixels before the first byte, and answers with an error if it gives up.
READ_SECONDS = limits.MAX_REQUEST_SECONDS + 30.0
# Once the body has started, the pixels are computed: a silence then is a lost connection.
BODY_SILENCE_SECONDS = 60.0
PROGRESS_SECONDS = 5.0


@dataclass(frozen=True)
class FetchedBody:
    """A body on disk, complete and checked.

    :param attempts: the number of GET requests.
    :param seconds: that its requests took, also those that failed; waits do not count.
    """

    path: Path
    byte_count: int
    attempts: int
    seconds: float


@dataclass(frozen=True)
class BodyRequest:
    """One body to fetch.

    :param params: for ``get_download_id``, including ``image``.
    :param what: its name in logs and errors.
    :param path: where the body goes; it appears there only once it is complete and checked.
    :param max_byte_count: a longer body is not what was requested.
    :param check: raises TruncatedBodyError if the body cannot be decoded; it runs without holding a
        place in the gate.
    """

    params: Mapping[str, Any]
    what: str
    path: Path
    max_byte_count: int
    check: Callable[[Path], None]


class BodyFetcher:
    """Fetch bodies, one after the other, over connections that are kept open.

    Several fetchers can work concurrently, each in its own thread.

    :param client: retries its own requests, or leaves them to ``policy``.
    :param policy: for each request.
    :param cancellation: ends requests in flight at any time.
    :param gate: limits concurrent requests; None: there are no others.
    :param attempt_seconds: the longest that a body may be computed; None: until Earth Engine gives
        up.
    :param count: called with the number of bytes that arrive; None: log the progress instead.
    :param meter: counts requests for pixels and what arrives.
    """

    def __init__(
        self,
        client: EarthEngineClient,
        policy: RetryPolicy,
        cancellation: Cancellation,
        *,
        gate: RequestGate | None = None,
        attempt_seconds: float | None = None,
        count: Callable[[int], None] | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._client = client
        self._policy = policy
        self._cancellation = cancellation
        self._gate = gate
        self._silence_seconds = min(READ_SECONDS, attempt_seconds or READ_SECONDS)
        self._count = count
        self._meter = meter or Meter()
        self._adapter = InterruptibleAdapter()
        self._session = open_session(self._adapter)
        cancellation.call_when_cancelled(self._adapter.interrupt)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def fetch(self, request: BodyRequest) -> FetchedBody:
        """Return the body on disk.

        :raises TransientError: if it still fails after all tries.
        :raises PermanentError: if Earth Engine refuses it.
        """
        attempts = 0
        asked_seconds = 0.0

        def in_gate(operation: Callable[[], T]) -> T:
            nonlocal asked_seconds
            self._cancellation.check()
            with self._gate.place() if self._gate else nullcontext():
                started = time.monotonic()
                try:
                    return operation()
                finally:
                    asked_seconds += time.monotonic() - started

        def create() -> DownloadId:
            return self._client.get_download_id(request.params)

        def get() -> int:
            nonlocal attempts
            attempts += 1
            return self._get_body(self._client.make_download_url(download_id), request)

        def get_checked() -> int:
            byte_count = in_gate(get)
            request.check(_part_of(request.path))
            return byte_count

        download_id = self._policy.run(lambda: in_gate(create))
        try:
            byte_count = self._policy.run(get_checked)
        except DownloadIdExpiredError:
            log.warning("The download id of %s has expired; requesting a new one.", request.what)
            download_id = self._policy.run(lambda: in_gate(create))
            byte_count = self._policy.run(get_checked)
        _part_of(request.path).replace(request.path)
        return FetchedBody(request.path, byte_count, attempts, asked_seconds)

    def _get_body(self, url: str, request: BodyRequest) -> int:
        self._meter.count(Usage(requests=1))
        with (
            self._meter.counting_refusals(),
            translated_errors(request.what),
            self._session.get(
                url,
                stream=True,
                headers=ASKING if self._meter.asks_profiles else None,
                timeout=(CONNECT_SECONDS, self._silence_seconds),
                allow_redirects=False,
            ) as response,
        ):
            if self._meter.asks_profiles:
                self._meter.count(Usage(profiles=read_profiles(response.headers)))
            self._adapter.limit_silence(BODY_SILENCE_SECONDS)
            if response.status_code != 200:
                raise_for_answer(response, request.what)
            return _write_body(response, request, self._count, self._count_received)

    def _count_received(self, byte_count: int) -> None:
        self._meter.count(Usage(byte_count=byte_count))


def fetch_body(
    client: EarthEngineClient,
    request: BodyRequest,
    policy: RetryPolicy | None = None,
    cancellation: Cancellation | None = None,
    attempt_seconds: float | None = None,
    meter: Meter | None = None,
) -> FetchedBody:
    """Return one body on disk; see :class:`BodyFetcher`.

    :param policy: for the GET, and for what the client does not retry itself.
    """
    cancellation = cancellation or Cancellation()
    policy = policy or RetryPolicy(sleep=cancellation.sleep)
    with BodyFetcher(
        client, policy, cancellation, attempt_seconds=attempt_seconds, meter=meter
    ) as fetcher:
        return fetcher.fetch(request)


def _part_of(path: Path) -> Path:
    """Return the path of a body until it is complete and checked."""
    return path.with_name(f"{path.name}.part")


def _write_body(
    response: requests.Response,
    request: BodyRequest,
    count: Callable[[int], None] | None,
    count_received: Callable[[int], None],
) -> int:
    byte_count = 0
    announced = response.headers.get("Content-Length", "")
    next_progress = time.monotonic() + PROGRESS_SECONDS
    with _part_of(request.path).open("wb") as file:
        for chunk in decoded(response, CHUNK_BYTE_COUNT, count_received):
            byte_count += len(chunk)
            if byte_count > request.max_byte_count:
                raise RasterMismatchError(
                    f"The body of {request.what} exceeds {request.max_byte_count:,} bytes, the "
                    "most that its pixels can take.",
                    field="byte_count",
                    wanted=request.max_byte_count,
                    got=byte_count,
                )
            file.write(chunk)
            if count is not None:
                count(len(chunk))
            elif time.monotonic() >= next_progress:
                next_progress = time.monotonic() + PROGRESS_SECONDS
                log.info(
                    "%s: %s of %s bytes",
                    request.what,
                    f"{byte_count:,}",
                    one_line(announced) or "unknown",
                )
    return byte_count
