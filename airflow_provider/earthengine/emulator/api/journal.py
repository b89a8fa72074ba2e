"""The requests that the emulator answered, for tests that assert what a client sent.

Anyone who has a download id can fetch its pixels, so the journal never holds it in full.
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

    :param operation: for example ``thumbnails.create``; ``unserved`` for a path that the emulator
        does not know.
    :param status: HTTP status of the answer; 0 if the connection was reset instead.
    :param fault: the kind of the armed fault that happened to it.
    :param workload_tag: the caller's tag in the query, if any.
    :param assets: the ids of the assets that it read, or asked for in vain, in alphabetical order.
    :param profile: the id of the profile in the answer, if one was asked for.
    """

    method: str
    path: str
    operation: str
    status: int
    fault: str | None = None
    workload_tag: str | None = None
    assets: tuple[str, ...] = ()
    profile: str | None = None


class Journal:
    """The requests, in the order of their answers; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[LoggedRequest] = []
        self._under_way = 0
        self._most_at_once = 0

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a request as in flight from its arrival to its answer."""
        with self._lock:
            self._under_way += 1
            self._most_at_once = max(self._most_at_once, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def most_at_once(self) -> int:
        """Return the largest number of requests in flight at the same time."""
        with self._lock:
            return self._most_at_once

    def record(self, request: LoggedRequest) -> None:
        """Add one answered request; download ids in its path are shortened."""
        path = _CAPABILITY.sub(r"\1\2...", request.path)
        with self._lock:
            self._requests.append(replace(request, path=path))

    def requests(self, asset_id: str | None = None) -> list[LoggedRequest]:
        """Return the requests answered so far.

        :param asset_id: only those that read this asset; None for all.
        """
        with self._lock:
            requests = list(self._requests)
        return [each for each in requests if asset_id is None or asset_id in each.assets]

    def counts(self, asset_id: str | None = None) -> dict[str, int]:
        """Return the number of requests per operation.

        :param asset_id: only of those that read this asset; None for all.
        """
        return dict(Counter(request.operation for request in self.requests(asset_id)))

    def clear(self) -> None:
        """Forget the requests answered so far."""
        with self._lock:
            self._requests.clear()
            self._most_at_once = self._under_way

    def as_json(self, asset_id: str | None = None) -> dict[str, Any]:
        """Return counts and requests as the admin route shows them."""
        return {
            "counts": self.counts(asset_id),
            "most_at_once": self.most_at_once(),
            "requests": [_as_json(request) for request in self.requests(asset_id)],
        }


def _as_json(request: LoggedRequest) -> dict[str, Any]:
    fields = asdict(request)
    if request.profile is None:
        del fields["profile"]
    return fields
