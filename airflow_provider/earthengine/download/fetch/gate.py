"""How many requests may be in flight at once: more while all succeed, half after a refusal.

Additive increase, multiplicative decrease, as in TCP: Earth Engine's quota is shared with everyone
else in the project, and only its answers show what is left of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_provider.earthengine.exceptions import QuotaExceededError

START = 4
# How long a waiting thread may take to notice that the download was cancelled.
_GLANCE_SECONDS = 0.5


class RequestGate:
    """Places for requests, shared by the threads of one download.

    :param most: the maximum at once.
    :param check: called while a thread waits; raises if the download was cancelled.
    """

    def __init__(self, most: int, check: Callable[[], None] = lambda: None) -> None:
        self._most = most
        self._check = check
        self._changed = threading.Condition()
        self._limit = float(min(START, most))
        self._has_been_refused = False
        self._shrinks = 0
        self._busy = 0

    @property
    def limit(self) -> int:
        """The current number of places."""
        return int(self._limit)

    @property
    def busy(self) -> int:
        """The number of places in use."""
        return self._busy

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place; a ``QuotaExceededError`` in the block reduces their number."""
        shrinks = self._take()
        try:
            yield
        except QuotaExceededError:
            self._shrink(shrinks)
            raise
        else:
            self._grow()
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _take(self) -> int:
        with self._changed:
            while self._busy >= self.limit:
                self._check()
                self._changed.wait(_GLANCE_SECONDS)
            self._busy += 1
            return self._shrinks

    def _grow(self) -> None:
        with self._changed:
            # Until the first refusal the quota is unknown, so the limit doubles each round.
            step = 1 / self._limit if self._has_been_refused else 1.0
            self._limit = min(float(self._most), self._limit + step)

    def _shrink(self, shrinks: int) -> None:
        with self._changed:
            self._has_been_refused = True
            # Requests that were in flight together are refused together; count that once.
            if shrinks == self._shrinks:
                self._shrinks += 1
                self._limit = max(1.0, self._limit / 2)
