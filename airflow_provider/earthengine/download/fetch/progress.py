"""The progress of a download of many tiles, logged in one line every few seconds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider.earthengine.download.fetch.gate import RequestGate

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 5.0
_MEBIBYTE = 1 << 20


class Progress:
    """Count tiles, bytes and retries of one download, for all its threads.

    :param what: the download's name in the log.
    :param tile_count: the planned number of tiles.
    """

    def __init__(self, what: str, tile_count: int, gate: RequestGate) -> None:
        self._what = what
        self._gate = gate
        self._lock = threading.Lock()
        self._started = self._logged = time.monotonic()
        self._tile_count = tile_count
        self._done = self._byte_count = self._retries = 0

    @property
    def done(self) -> int:
        """The number of complete tiles."""
        return self._done

    @property
    def tile_count(self) -> int:
        """The number of tiles, as planned or cut since."""
        return self._tile_count

    def count_bytes(self, byte_count: int) -> None:
        """Count bytes that arrived."""
        with self._lock:
            self._byte_count += byte_count

    def count_retry(self) -> None:
        """Count a request that is sent again."""
        with self._lock:
            self._retries += 1

    def count_tile(self) -> None:
        """Count a tile that is complete."""
        with self._lock:
            self._done += 1

    def count_cut(self, pieces: int) -> None:
        """Count a tile that is replaced by pieces."""
        with self._lock:
            self._tile_count += pieces - 1

    def report(self, tell: Callable[[Mapping[str, Any]], None] = lambda _: None) -> None:
        """Log the progress and tell it, at most every ``PROGRESS_SECONDS``."""
        now = time.monotonic()
        if now - self._logged >= PROGRESS_SECONDS:
            self._logged = now
            log.info("%s", self)
            tell(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the progress as plain values."""
        return {
            "tiles_done": self._done,
            "tiles": self._tile_count,
            "byte_count": self._byte_count,
            "seconds": round(time.monotonic() - self._started, 1),
        }

    def __str__(self) -> str:
        """Return the progress in one line."""
        seconds = max(time.monotonic() - self._started, 1e-3)
        left = self._tile_count - self._done
        eta = f"{left * seconds / self._done:.0f} s left" if self._done else "time left unknown"
        return (
            f"{self._what}: {self._done} of {self._tile_count} tiles, "
            f"{self._byte_count / _MEBIBYTE:,.1f} MiB at "
            f"{self._byte_count / _MEBIBYTE / seconds:,.1f} MiB/s, {eta}; "
            f"{self._gate.busy} of {self._gate.limit} requests in flight, {self._retries} retries"
        )
