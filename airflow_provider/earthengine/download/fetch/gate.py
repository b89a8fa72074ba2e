"""How many requests may be under way at once: more while all goes well, half when it does not.

Additive increase, multiplicative decrease, as TCP does it: Earth Engine's quota is shared with
everybody else in the project, and only its answers tell what is left of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_provider.earthengine.exceptions import QuotaExceededError

START = 4
# How long a thread that waits for a place may not see that the download was cancelled.
_GLANCE_SECONDS = 0.5


class RequestGate:
    """Places for requests, shared by the threads of one download.

    :param most: never more at once.
    :param check: raises when the download was cancelled, for those who wait.
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
        """How many places there are now."""
        return int(self._limit)

    @property
    def busy(self) -> int:
        """How many of them are taken."""
        return self._busy

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place; what the request raises tells whether there should be fewer."""
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
            # Until the first refusal nobody knows what the quota is: it doubles each round.
            step = 1 / self._limit if self._has_been_refused else 1.0
            self._limit = min(float(self._most), self._limit + step)

    def _shrink(self, shrinks: int) -> None:
        with self._changed:
            self._has_been_refused = True
            # Requests that were under way together are refused together, and that counts once.
            if shrinks == self._shrinks:
                self._shrinks += 1
                self._limit = max(1.0, self._limit / 2)
