"""The ids of downloads: created by one request, valid for two hours, for any holder."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider.earthengine.emulator.api.downloads import Download
from airflow_provider.earthengine.emulator.limits import DOWNLOAD_ID_SECONDS
from airflow_provider.earthengine.emulator.replies import not_found


@dataclass(frozen=True, eq=False)
class _Entry:
    download: Download
    expires_at: float


class ThumbnailStore:
    """Downloads by id; safe to use from any thread.

    :param clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def add(self, download: Download) -> str:
        """Return a new id of the real shape: 32 hexadecimal digits, a dash, 32 more."""
        thumbnail_id = f"{secrets.token_hex(16)}-{secrets.token_hex(16)}"
        now = self._clock()
        with self._lock:
            self._entries = {
                known: entry for known, entry in self._entries.items() if entry.expires_at > now
            }
            self._entries[thumbnail_id] = _Entry(download, now + DOWNLOAD_ID_SECONDS)
        return thumbnail_id

    def forget(self, thumbnail_id: str) -> None:
        """Let an id expire now."""
        with self._lock:
            self._entries.pop(thumbnail_id, None)

    def get(self, thumbnail_id: str) -> Download:
        """Return the download of an id.

        :raises ApiError: 404 for an unknown or expired id; the real text is not known.
        """
        with self._lock:
            entry = self._entries.get(thumbnail_id)
        if entry is None or entry.expires_at <= self._clock():
            raise not_found("Requested entity was not found.")
        return entry.download
