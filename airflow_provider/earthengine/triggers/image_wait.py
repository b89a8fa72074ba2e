"""The sensor's wait until a collection holds enough images: one request per poll.

It posts an expression that the sensor prepared. Its arguments are those that a deferred task holds
in the metadata database.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Any

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.catalog.waiting import Sighting, Wait, read_sighting
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.exceptions import (
    PermanentError,
    RequestRejectedError,
    TransientError,
)
from airflow_provider.earthengine.hooks.computation import ExpressionClient
from airflow_provider.earthengine.triggers.expression_clients import open_expression_client
from airflow_provider.earthengine.triggers.request_threads import run_request

FOUND, TIMED_OUT, FAILED = "found", "timed_out", "failed"
"""The ``status`` of an event."""

# Incremented when the meaning of a keyword argument changes; see _read_arguments.
VERSION = 1
DEADLINE_SECONDS = limits.MAX_REQUEST_SECONDS + 30.0
# The wait's last request, when its time is up, may take so long; a poll is answered in a second.
_LAST_LOOK_SECONDS = 5.0
# And so long with the wait for a thread, as many waits may end together: enough for 600 of them.
# Airflow itself ends a wait two minutes after its deadline.
_LAST_TURN_SECONDS = 30.0
# Sensors of one DAG start in the same second, and should not keep polling together.
_JITTER = 0.25
_POLICY = RetryPolicy()


log = logging.getLogger(__name__)


class ImageCollectionWait:
    """Ends when a collection holds enough images, optionally unchanged for a while, or time is up.

    The event is a dict: ``status`` ("found", "timed_out", "failed"), ``image_count`` (None if it
    was never seen), ``message``, and ``error``, the name of the exception if it failed.

    All its state is in these arguments. A triggerer that takes over continues where the sensor
    ended: a quiet period continues if the images are still those of ``seen``, else it restarts.

    :param expression: ``ImageQuery.availability()``, serialised to JSON text.
    :param wait: what the sensor waits for: ``collection``, ``min_images``, ``quiet_seconds``.
    :param poll_seconds: the interval between requests, plus or minus a quarter.
    :param deadline: when the wait ends at the latest, in seconds since 1970.
    :param seen: the fields of the Sighting of the sensor's first check; None: there was none.
    :param earthengine_conn_id: the Earth Engine connection.
    :param version: of these arguments.
    :param unknown: arguments of another version of this package.
    """

    def __init__(
        self,
        *,
        expression: str = "",
        wait: dict[str, Any] | None = None,
        poll_seconds: float = 60.0,
        deadline: float = 0.0,
        seen: dict[str, Any] | None = None,
        earthengine_conn_id: str = "earthengine_default",
        version: int = VERSION,
        **unknown: Any,
    ) -> None:
        self.expression = expression
        self.wait = wait
        self.poll_seconds = poll_seconds
        self.deadline = deadline
        self.seen = seen
        self.earthengine_conn_id = earthengine_conn_id
        self.version = version
        self.unknown = unknown

    def arguments(self) -> dict[str, Any]:
        """Return the arguments: no secrets, and about the size of the expression."""
        return {
            "expression": self.expression,
            "wait": self.wait,
            "poll_seconds": self.poll_seconds,
            "deadline": self.deadline,
            "seen": self.seen,
            "earthengine_conn_id": self.earthengine_conn_id,
            "version": self.version,
            **self.unknown,
        }

    async def end(self) -> dict[str, Any]:
        """Return what the event at the end of the wait says."""
        try:
            wait, seen = self._read_arguments()
            client = await open_expression_client(self.earthengine_conn_id)
            return await self._poll(wait, seen, client)
        except PermanentError as error:
            return _event(FAILED, None, str(error), error=type(error).__name__)

    def _read_arguments(self) -> tuple[Wait, Sighting | None]:
        """Return the wait, and what was seen so far.

        :raises RequestRejectedError: if another version of this package wrote them differently.
        """
        problem = f"unknown: {', '.join(sorted(self.unknown))}" if self.unknown else ""
        try:
            if not problem and self.version == VERSION and self.expression and self.deadline:
                return Wait(**(self.wait or {})), Sighting(**self.seen) if self.seen else None
        except TypeError as error:
            problem = str(error)
        raise RequestRejectedError(
            "This wait was started by another version of airflow-provider-earthengine, whose "
            f"arguments this one does not understand ({problem or f'version {self.version}'}); "
            "install the same version on workers and triggerer, and clear the task to start the "
            "wait again."
        )

    async def _poll(
        self, wait: Wait, seen: Sighting | None, client: ExpressionClient
    ) -> dict[str, Any]:
        """Return the event, once the wait is over.

        :raises PermanentError: if retrying will not help.
        """
        failures, failure, pause = 0, "", self._pause(wait, seen)
        while True:
            left = self.deadline - time.time()
            is_last = pause >= left
            await asyncio.sleep(max(0.0, min(pause, left)))
            try:
                answer = await self._ask(client, wait.action, is_last=is_last)
                now = time.time()
                before, seen = seen, read_sighting(answer, now).after(seen)
            except TransientError as error:
                failures, failure = failures + 1, str(error)
                pause = _POLICY.wait_seconds(failures, error)
                log.warning("%d requests in a row have failed, the last with: %s", failures, error)
            else:
                if seen.ends(wait, now):
                    return _event(FOUND, seen, f"Found {seen.describe(wait)}.")
                if not seen.is_like(before):
                    log.info("Found %s", seen.describe(wait))
                failures, failure, pause = 0, "", self._pause(wait, seen)
            if is_last or time.time() >= self.deadline:
                return _event(TIMED_OUT, seen, _timed_out(wait, seen, failure))

    async def _ask(self, client: ExpressionClient, action: str, *, is_last: bool) -> Any:
        """Return the answer to one request, which does not outlive the wait."""
        left = max(self.deadline - time.time(), _LAST_LOOK_SECONDS)
        most = min(left, DEADLINE_SECONDS)

        def send(seconds_left: float) -> Any:
            return client.compute(self.expression, action, min(most, seconds_left))

        within = _LAST_TURN_SECONDS if is_last else most
        return await run_request(self.earthengine_conn_id, action, within, send, client.interrupt)

    def _pause(self, wait: Wait, seen: Sighting | None) -> float:
        """Return the seconds until the next request: a poll, or the end of a quiet period."""
        pause = self.poll_seconds * random.uniform(1 - _JITTER, 1 + _JITTER)
        if seen is None or seen.image_count < wait.min_images:
            return pause
        return min(pause, max(0.0, seen.quiet_at(wait) - time.time()))


def _event(status: str, seen: Sighting | None, message: str, *, error: str = "") -> dict[str, Any]:
    return {
        "status": status,
        "image_count": seen.image_count if seen else None,
        "message": message,
        "error": error,
    }


def _timed_out(wait: Wait, seen: Sighting | None, failure: str) -> str:
    found = (
        f"found {seen.describe(wait)}" if seen else f"no answer about images of {wait.collection}"
    )
    last = f" The last request failed: {failure}" if failure else ""
    return f"The wait timed out: {found}.{last}"
