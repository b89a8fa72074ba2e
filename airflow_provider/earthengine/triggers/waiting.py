"""Is the wait over? What is waited for, and what was seen of it; knows neither Airflow nor sockets.

An answer of Earth Engine is a list with one entry per image. Whatever an entry holds, the images
are unchanged as long as the entries are.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider.earthengine.exceptions import ServiceUnavailableError


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

    :param count: how many.
    :param digest: of the answer; equal for equal images, in whatever order.
    :param since: when they were seen first, in seconds since 1970.
    """

    count: int
    digest: str
    since: float

    def after(self, earlier: Sighting | None) -> Sighting:
        """Return this one with the time of the earlier one, if nothing changed between them."""
        if earlier is None or earlier.digest != self.digest:
            return self
        return replace(self, since=min(earlier.since, self.since))

    def ends(self, wait: Wait, now: float) -> bool:
        """Return whether that is what is waited for."""
        return self.count >= wait.min_images and self.quiet_at(wait) <= now

    def quiet_at(self, wait: Wait) -> float:
        """Return when the images have been quiet for long enough, in seconds since 1970."""
        return self.since + wait.quiet_seconds

    def told(self, wait: Wait) -> str:
        """Return the words for it."""
        found = f"{self.count} of at least {wait.min_images} images of {wait.collection}"
        if self.count < wait.min_images or not wait.quiet_seconds:
            return found
        return f"{found}, not yet unchanged for {wait.quiet_seconds:g} s"


def read_sighting(answer: Any, now: float) -> Sighting:
    """Return what an answer of Earth Engine shows.

    :raises ServiceUnavailableError: it is no list.
    """
    if not isinstance(answer, list):
        raise ServiceUnavailableError(
            f"Earth Engine answered {type(answer).__name__} where a list of images was asked for."
        )
    entries = sorted(json.dumps(entry, sort_keys=True) for entry in answer)
    digest = hashlib.sha256("\n".join(entries).encode()).hexdigest()
    return Sighting(len(answer), digest, now)
