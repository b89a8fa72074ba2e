"""How often and for how long transient failures are retried.

This is the only place that decides about retries. It sends nothing itself.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from airflow_provider.earthengine.exceptions import (
    DownloadCancelledError,
    DownloadIdExpiredError,
    ScratchError,
    TransientError,
)

if TYPE_CHECKING:
    from tenacity import RetryCallState

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """How often and for how long transient failures are retried: full jitter, capped.

    :param attempts: the total number of tries, including the first.
    :param first_wait_seconds: the upper bound of the first wait; it doubles from try to try.
    :param longest_wait_seconds: the upper bound of every wait; if Retry-After is longer, the error
        is raised to the caller, whose own retry comes later.
    :param total_seconds: no new try starts later than this after the first one.
    """

    attempts: int = 6
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    total_seconds: float = 900.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    uniform: Callable[[float, float], float] = field(default=random.uniform, repr=False)

    def run(self, operation: Callable[[], T]) -> T:
        """Return the result of ``operation()``; retry while it raises TransientError."""
        import tenacity  # Not at module level: DAG files import this module on every parse.

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._is_worth_another_try),
            stop=tenacity.stop_after_attempt(self.attempts)
            | tenacity.stop_before_delay(self.total_seconds),
            wait=self._wait,
            before_sleep=_log_retry,
            sleep=self.sleep,
            reraise=True,
        )
        return retrying(operation)

    def _is_worth_another_try(self, error: BaseException) -> bool:
        # Repeating a request with an expired id cannot help; the caller requests a new id. And what
        # this worker lacks, another one may have.
        if isinstance(error, DownloadIdExpiredError | DownloadCancelledError | ScratchError):
            return False
        if not isinstance(error, TransientError):
            return False
        return (error.retry_after_seconds or 0) <= self.longest_wait_seconds

    def wait_seconds(self, failures: int, error: BaseException | None) -> float:
        """Return how long to wait before the next try.

        :param failures: the number of consecutive failures, at least 1.
        :param error: the error of the last one.
        """
        # The exponent is bounded, because waiting for days adds up to many failures.
        bound = min(self.longest_wait_seconds, self.first_wait_seconds * 2 ** min(failures - 1, 30))
        asked = error.retry_after_seconds if isinstance(error, TransientError) else None
        # Jitter is added, because clients given the same Retry-After must not retry together.
        return (asked or 0.0) + self.uniform(0.0, bound)

    def _wait(self, state: RetryCallState) -> float:
        return self.wait_seconds(state.attempt_number, _error_of(state))


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _log_retry(state: RetryCallState) -> None:
    seconds = state.next_action.sleep if state.next_action else 0.0
    log.warning(
        "Try %d failed, retrying in %.1f s: %s", state.attempt_number, seconds, _error_of(state)
    )
