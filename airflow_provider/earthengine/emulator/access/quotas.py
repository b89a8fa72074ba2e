"""The quotas of a project: concurrency, rate, and pixels in memory.

The real defaults, adjustable per project, are 40 requests at once and 100 per second.
Source: https://developers.google.com/earth-engine/guides/usage (2025-08).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument

# The real service's text, seen in a public traceback.
TOO_MANY_REQUESTS = (
    "Too Many Requests: Request was rejected because the request rate or concurrency limit was "
    "exceeded."
)


@dataclass(frozen=True)
class Quotas:
    """The limits of a project; None for no limit.

    :param concurrent_requests: how many may be answered at the same time.
    :param requests_per_second: how many may start within any second.
    :param pixels: how many pixels of a band a request may compute; more are refused as exceeding
        memory.
    """

    concurrent_requests: int | None = None
    requests_per_second: int | None = None
    pixels: int | None = None

    def check_pixels(self, pixel_count: int) -> None:
        """Refuse more pixels than the quota allows per request."""
        if self.pixels is not None and pixel_count > self.pixels:
            raise invalid_argument("User memory limit exceeded.")


class Gate:
    """Admit requests as long as the quotas allow; safe to use from any thread.

    :param clock: in seconds, for the rate.
    """

    def __init__(self, quotas: Quotas, clock: Callable[[], float]) -> None:
        self._quotas = quotas
        self._clock = clock
        self._lock = threading.Lock()
        self._inside = 0
        self._beginnings: deque[float] = deque()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold a place for the duration of a request.

        :raises ApiError: 429 if there is none.
        """
        self._enter()
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1

    def _enter(self) -> None:
        now = self._clock()
        quotas = self._quotas
        with self._lock:
            while self._beginnings and self._beginnings[0] <= now - 1:
                self._beginnings.popleft()
            is_full = (
                quotas.concurrent_requests is not None
                and self._inside >= quotas.concurrent_requests
            )
            is_fast = (
                quotas.requests_per_second is not None
                and len(self._beginnings) >= quotas.requests_per_second
            )
            if is_full or is_fast:
                raise ApiError(429, "RESOURCE_EXHAUSTED", TOO_MANY_REQUESTS)
            self._inside += 1
            self._beginnings.append(now)
