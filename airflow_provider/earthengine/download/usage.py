"""What a download has taken so far: requests, refusals, bytes and tiles.

All is counted where it is sent or received; nothing is estimated.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_provider.earthengine.exceptions import QuotaExceededError

MOST_PROFILES = 1_000
"""So many ids are kept: all of them are in the item."""


@dataclass(frozen=True)
class Usage:
    """Counts of one process, for one download.

    :param requests: those sent to Earth Engine, each try of each; not those for tokens.
    :param refusals: those that Earth Engine refused because of a quota.
    :param byte_count: the bytes of pixels that arrived, as they were sent, those of failed tries
        included.
    :param tiles: the tiles that were fetched; a download in one request is one.
    :param kept_tiles: the tiles that an earlier try had kept in the bucket.
    :param profiles: the ids of Earth Engine's profiles, as they came, at most ``MOST_PROFILES``.
    """

    requests: int = 0
    refusals: int = 0
    byte_count: int = 0
    tiles: int = 0
    kept_tiles: int = 0
    profiles: tuple[str, ...] = ()

    def __add__(self, other: Usage) -> Usage:
        """Return what both took together."""
        counts = {name: getattr(self, name) + getattr(other, name) for name in COUNTS}
        return Usage(**counts, profiles=(self.profiles + other.profiles)[:MOST_PROFILES])

    def since(self, earlier: Usage) -> Usage:
        """Return what was counted after ``earlier``."""
        counts = {name: getattr(self, name) - getattr(earlier, name) for name in COUNTS}
        return Usage(**counts, profiles=self.profiles[len(earlier.profiles) :])

    def to_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in COUNTS}


COUNTS = ("requests", "refusals", "byte_count", "tiles", "kept_tiles")
"""The fields that are numbers."""


class Meter:
    """Counts for all threads of one download.

    Whether Earth Engine is asked for profiles is known only once the fields are read.
    """

    def __init__(self) -> None:
        self.asks_profiles = False
        self._lock = threading.Lock()
        self._usage = Usage()

    @property
    def usage(self) -> Usage:
        """What was counted so far."""
        with self._lock:
            return self._usage

    def count(self, counted: Usage) -> None:
        """Add to the counts."""
        with self._lock:
            self._usage += counted

    @contextmanager
    def counting_refusals(self) -> Iterator[None]:
        """Count a refusal if the block raises ``QuotaExceededError``."""
        try:
            yield
        except QuotaExceededError:
            self.count(Usage(refusals=1))
            raise
