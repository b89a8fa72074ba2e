"""What was asked of the emulator, for tests that assert how often a client asked.

A download id lets anybody who reads it fetch pixels, so it never enters the journal in full.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

_CAPABILITY = re.compile(r"(/thumbnails/)([^/:]{0,6})[^/:]*")


@dataclass(frozen=True)
class LoggedRequest:
    """One answered request.

    :param operation: what was asked, for example ``thumbnails.create``; ``unserved`` for a path
        that the emulator does not know.
    :param status: HTTP status of the answer; 0 where the connection was reset instead.
    :param fault: the kind of the armed fault that happened to it.
    :param workload_tag: what the caller calls its work in the query, if anything.
    """

    method: str
    path: str
    operation: str
    status: int
    fault: str | None = None
    workload_tag: str | None = None


class Journal:
    """The requests in the order they were answered; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[LoggedRequest] = []
        self._under_way = 0
        self._most_at_once = 0

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Counts a request from its arrival to its answer."""
        with self._lock:
            self._under_way += 1
            self._most_at_once = max(self._most_at_once, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def most_at_once(self) -> int:
        """Returns how many requests were under way at the same time, at most."""
        with self._lock:
            return self._most_at_once

    def record(self, request: LoggedRequest) -> None:
        """Adds one answered request; the ids of downloads in its path are cut short."""
        path = _CAPABILITY.sub(r"\1\2...", request.path)
        with self._lock:
            self._requests.append(replace(request, path=path))

    def requests(self) -> list[LoggedRequest]:
        """Returns what was answered so far."""
        with self._lock:
            return list(self._requests)

    def counts(self) -> dict[str, int]:
        """Returns the number of requests per operation."""
        return dict(Counter(request.operation for request in self.requests()))

    def clear(self) -> None:
        """Forgets what was answered so far."""
        with self._lock:
            self._requests.clear()
            self._most_at_once = self._under_way

    def as_json(self) -> dict[str, Any]:
        """Returns counts and requests as the admin route shows them."""
        return {
            "counts": self.counts(),
            "most_at_once": self.most_at_once(),
            "requests": [asdict(request) for request in self.requests()],
        }
