"""The requests that the emulator answered, for tests that assert what a client sent.

Anyone who has a download id can fetch its pixels, so the journal never holds it in full.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

_CAPABILITY = re.compile(r"(/thumbnails/)([^/:]{0,6})[^/:]*")


@dataclass(frozen=True)
class LoggedRequest:
    """One answered request.

    :param operation: for example ``thumbnails.create``; ``unserved`` for a path that the emulator
        does not know.
    :param status: HTTP status of the answer; 0 if the connection was reset instead, 499 if the
        client left before the answer.
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


@dataclass
class _Page:
    """What was asked between two clearings."""

    requests: list[LoggedRequest] = field(default_factory=list)
    under_way: int = 0
    most_at_once: int = 0


class Journal:
    """The requests, in the order of their answers; safe to use from any thread.

    A request belongs to the page that was open when it arrived: one that is answered after a
    clearing, maybe a minute later and to nobody, is not taken for one of the next test.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._page = _Page()

    @contextmanager
    def under_way(self) -> Iterator[Callable[[LoggedRequest], None]]:
        """Count a request as in flight from its arrival to its answer.

        :returns: the function that records it; download ids in its path are shortened.
        """
        with self._lock:
            page = self._page
            page.under_way += 1
            page.most_at_once = max(page.most_at_once, page.under_way)

        def record(request: LoggedRequest) -> None:
            path = _CAPABILITY.sub(r"\1\2...", request.path)
            with self._lock:
                page.requests.append(replace(request, path=path))

        try:
            yield record
        finally:
            with self._lock:
                page.under_way -= 1

    def most_at_once(self) -> int:
        """Return the largest number of requests in flight at the same time."""
        with self._lock:
            return self._page.most_at_once

    def requests(self, asset_id: str | None = None) -> list[LoggedRequest]:
        """Return the requests answered so far.

        :param asset_id: only those that read this asset; None for all.
        """
        with self._lock:
            requests = list(self._page.requests)
        return [each for each in requests if asset_id is None or asset_id in each.assets]

    def counts(self, asset_id: str | None = None) -> dict[str, int]:
        """Return the number of requests per operation.

        :param asset_id: only of those that read this asset; None for all.
        """
        return dict(Counter(request.operation for request in self.requests(asset_id)))

    def clear(self) -> None:
        """Forget the requests that have arrived so far, also those that are not answered yet."""
        with self._lock:
            self._page = _Page()

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
