"""Is the wait over? What to wait for and what was seen; knows neither Airflow nor sockets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from airflow_provider.earthengine.catalog.image_query import read_availability
from airflow_provider.earthengine.download.fields.values import read_number, shown
from airflow_provider.earthengine.exceptions import DownloadParamsError

# A year; no sensor waits longer.
_MAX_QUIET_SECONDS = 31_536_000


@dataclass(frozen=True)
class Wait:
    """What to wait for.

    :param collection: the image collection, for messages.
    :param min_images: the minimum number of images.
    :param quiet_seconds: how long they must stay unchanged; 0: they only have to exist.
    """

    collection: str
    min_images: int
    quiet_seconds: float = 0.0

    @property
    def action(self) -> str:
        """What a request does, to follow "Earth Engine could not"."""
        return f"look for images of {self.collection}"


@dataclass(frozen=True)
class Sighting:
    """Which images were seen, and since when they have been unchanged.

    :param image_count: how many.
    :param latest_update: when the newest of them was ingested, in ISO 8601; None: there is none.
    :param since: when they were first seen like this, in seconds since 1970.
    """

    image_count: int
    latest_update: str | None
    since: float

    def is_like(self, other: Sighting | None) -> bool:
        """Return whether nothing changed between the two."""
        return other is not None and replace(other, since=self.since) == self

    def after(self, earlier: Sighting | None) -> Sighting:
        """Return this sighting, with the time of the earlier one if nothing changed since then."""
        if earlier is None or not self.is_like(earlier):
            return self
        return replace(self, since=min(earlier.since, self.since))

    def ends(self, wait: Wait, now: float) -> bool:
        """Return whether the wait is over."""
        return self.image_count >= wait.min_images and self.quiet_at(wait) <= now

    def quiet_at(self, wait: Wait) -> float:
        """Return when the images will have been unchanged long enough, in seconds since 1970."""
        return self.since + wait.quiet_seconds

    def describe(self, wait: Wait) -> str:
        """Return a description for logs."""
        found = f"{self.image_count} of at least {wait.min_images} images of {wait.collection}"
        if self.image_count < wait.min_images or not wait.quiet_seconds:
            return found
        return f"{found}, which must stay unchanged for {wait.quiet_seconds:g} s"


def read_quiet_seconds(value: Any) -> float:
    """Return how long the images have to stay what they are; 0.0 where nothing is given.

    :param value: seconds, or a timedelta.
    :raises DownloadParamsError: for anything else.
    """
    if value is None:
        return 0.0
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    number = read_number("quiet_period", seconds)
    if not 0 <= number <= _MAX_QUIET_SECONDS:
        raise DownloadParamsError(
            f"quiet_period is {shown(value)}; write seconds from 0 to {_MAX_QUIET_SECONDS:,}, or a "
            "timedelta.",
            field="quiet_period",
        )
    return float(number)


def read_sighting(answer: Any, now: float) -> Sighting:
    """Return the sighting in an answer to ``ImageQuery.availability``.

    :raises ServiceUnavailableError: if it is not such an answer.
    """
    found = read_availability(answer)
    latest = found.latest_update
    return Sighting(found.count, latest.isoformat() if latest else None, now)
