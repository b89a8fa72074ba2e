"""Is the wait over? What is waited for, and what was seen; knows neither Airflow nor sockets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from airflow_provider.earthengine.catalog.image_query import read_availability


@dataclass(frozen=True)
class Wait:
    """What is waited for.

    :param collection: the image collection, for messages.
    :param min_images: so many images at least.
    :param quiet_seconds: so long they have to stay what they are; 0: they only have to be there.
    """

    collection: str
    min_images: int
    quiet_seconds: float = 0.0

    @property
    def action(self) -> str:
        """What a question is for, to go behind "Earth Engine could not"."""
        return f"look for images of {self.collection}"


@dataclass(frozen=True)
class Sighting:
    """Which images there were, and since when they have been these.

    :param image_count: how many.
    :param latest_update: when the newest of them was ingested, in ISO 8601; None: there is none.
    :param since: when they were seen first, in seconds since 1970.
    """

    image_count: int
    latest_update: str | None
    since: float

    def is_like(self, other: Sighting | None) -> bool:
        """Return whether nothing changed between the two."""
        return other is not None and replace(other, since=self.since) == self

    def after(self, earlier: Sighting | None) -> Sighting:
        """Return this one with the time of the earlier one, if nothing changed between them."""
        if earlier is None or not self.is_like(earlier):
            return self
        return replace(self, since=min(earlier.since, self.since))

    def ends(self, wait: Wait, now: float) -> bool:
        """Return whether that is what is waited for."""
        return self.image_count >= wait.min_images and self.quiet_at(wait) <= now

    def quiet_at(self, wait: Wait) -> float:
        """Return when the images have been quiet for long enough, in seconds since 1970."""
        return self.since + wait.quiet_seconds

    def told(self, wait: Wait) -> str:
        """Return the words for it."""
        found = f"{self.image_count} of at least {wait.min_images} images of {wait.collection}"
        if self.image_count < wait.min_images or not wait.quiet_seconds:
            return found
        return f"{found}, to be unchanged for {wait.quiet_seconds:g} s"


def read_sighting(answer: Any, now: float) -> Sighting:
    """Return what the answer to ``ImageQuery.availability`` shows.

    :raises ServiceUnavailableError: it is no such answer.
    """
    found = read_availability(answer)
    latest = found.latest_update
    return Sighting(found.count, latest.isoformat() if latest else None, now)
