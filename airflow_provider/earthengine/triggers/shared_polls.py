"""Many watchers with the same question -> one request for all of them in each interval.

The first that finds no recent answer asks; the others get its answer, or its error. That needs no
task of its own: a question that nobody asks any more is not asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from airflow_provider.earthengine.download.fields.source import ListedImage
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.exceptions import EarthEngineProviderError, PermanentError

Images = tuple[ListedImage, ...]
Ask = Callable[[], Awaitable[Images]]

# How long an answer is kept for watchers that come later; none asks for an older one.
_KEPT_SECONDS = 3_600.0
# After what waiting will not help: somebody may change the connection, or make the collection.
_PERMANENT_SECONDS = 300.0
_POLICY = RetryPolicy(longest_wait_seconds=300.0)


@dataclass
class _Poll:
    """The last answer to a question, and what became of the requests since.

    :param answered_at: by the monotonic clock, as all times here.
    :param asked_again_at: not before, because the last requests failed.
    """

    images: Images = ()
    answered_at: float = float("-inf")
    error: EarthEngineProviderError | None = None
    failures: int = 0
    asked_again_at: float = float("-inf")
    request: asyncio.Task[Images] | None = None


# An answer is awaited in the loop that asks; a process has more than one only in tests.
_POLLS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Poll]] = WeakKeyDictionary()


async def ask_together(question: Hashable, seconds: float, ask: Ask) -> Images:
    """Return an answer that is at most so old.

    :param question: what is asked; of which watchers with equal ones share the answer.
    :param ask: sends the request.
    :raises EarthEngineProviderError: if the request fails; and again, without a new one, until it
        is worth another try.
    """
    poll = _poll_of(question)
    if time.monotonic() - poll.answered_at <= seconds:
        return poll.images
    if poll.request is None:
        if poll.error is not None and time.monotonic() < poll.asked_again_at:
            raise poll.error.with_traceback(None)
        poll.request = asyncio.create_task(_keep_answer(poll, ask))
        # An error that nobody waits for any more is no error of the event loop's.
        poll.request.add_done_callback(lambda done: done.cancelled() or done.exception())
    # Whoever leaves does not take the answer from the others.
    return await asyncio.shield(poll.request)


async def _keep_answer(poll: _Poll, ask: Ask) -> Images:
    try:
        poll.images = await ask()
    except EarthEngineProviderError as error:
        poll.error, poll.failures = error, poll.failures + 1
        pause = (
            _PERMANENT_SECONDS
            if isinstance(error, PermanentError)
            else _POLICY.wait_seconds(poll.failures, error)
        )
        poll.asked_again_at = time.monotonic() + pause
        raise
    else:
        poll.answered_at, poll.error, poll.failures = time.monotonic(), None, 0
        return poll.images
    finally:
        poll.request = None


def _poll_of(question: Hashable) -> _Poll:
    polls = _POLLS.setdefault(asyncio.get_running_loop(), {})
    oldest = time.monotonic() - _KEPT_SECONDS
    for each in [key for key, poll in polls.items() if _is_idle(poll, oldest)]:
        del polls[each]
    return polls.setdefault(question, _Poll())


def _is_idle(poll: _Poll, oldest: float) -> bool:
    return poll.request is None and max(poll.answered_at, poll.asked_again_at) < oldest
