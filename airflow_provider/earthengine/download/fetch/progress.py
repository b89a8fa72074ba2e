"""How far a download of many tiles is, told every few seconds in one line of the log."""

from __future__ import annotations

import logging
import threading
import time

from airflow_provider.earthengine.download.fetch.gate import RequestGate

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 5.0
_MEBIBYTE = 1 << 20


class Progress:
    """Counts tiles, bytes and retries of one download, for all its threads.

    :param what: the download's name in the log.
    :param tile_count: how many there are to begin with.
    """

    def __init__(self, what: str, tile_count: int, gate: RequestGate) -> None:
        self._what = what
        self._gate = gate
        self._lock = threading.Lock()
        self._started = self._told = time.monotonic()
        self._tile_count = tile_count
        self._done = self._byte_count = self._retries = 0

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
        """Count a tile that is fetched in pieces instead."""
        with self._lock:
            self._tile_count += pieces - 1

    def tell(self) -> None:
        """Log how far it is, if that was not told just now."""
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS:
            self._told = now
            log.info("%s", self)

    def __str__(self) -> str:
        """Return how far it is."""
        seconds = max(time.monotonic() - self._started, 1e-3)
        left = self._tile_count - self._done
        eta = f"{left * seconds / self._done:.0f} s left" if self._done else "time left unknown"
        return (
            f"{self._what}: {self._done} of {self._tile_count} tiles, "
            f"{self._byte_count / _MEBIBYTE:,.1f} MiB at "
            f"{self._byte_count / _MEBIBYTE / seconds:,.1f} MiB/s, {eta}; "
            f"{self._gate.busy} of {self._gate.limit} requests under way, {self._retries} retries"
        )
