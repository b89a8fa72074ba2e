"""This package's errors -> what Airflow does with the task: fail it for good, skip or retry it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, conf

from airflow_provider.earthengine.download.worker_limits import find_refusal
from airflow_provider.earthengine.exceptions import (
    DownloadParamsError,
    EmptyImageError,
    PermanentError,
    PlanError,
    TransientError,
)


@contextmanager
def failing_for_good(
    *, skips_empty: Callable[[EmptyImageError], bool] = lambda _: False
) -> Iterator[None]:
    """Fail the task without a retry if a retry cannot help; other errors pass through.

    What the worker lacks becomes a :class:`ScratchError`.

    :param skips_empty: whether to skip the task, rather than fail it, for such an error.
    """
    try:
        yield
    except PermanentError as error:
        skips = isinstance(error, EmptyImageError) and skips_empty(error)
        outcome = AirflowSkipException if skips else AirflowFailException
        raise outcome(f"{type(error).__name__}: {error}") from error
    except Exception as error:
        # Memory, files and threads run out anywhere, also in code of Airflow's.
        refusal = None if isinstance(error, TransientError) else find_refusal(error)
        if refusal is None:
            raise
        raise refusal from None


def check_map_length(count: int) -> None:
    """Raise, before Airflow does, if a task cannot be expanded over that many downloads.

    :raises DownloadParamsError: if there are too many; names the setting.
    """
    most = _max_map_length()
    if count > most:
        raise DownloadParamsError(
            f"There are {count:,} downloads, but Airflow expands a task over at most {most:,}, "
            "[core] max_map_length (AIRFLOW__CORE__MAX_MAP_LENGTH); raise it, or use a shorter "
            "window, a smaller region, by='date', or a limit.",
            count=count,
        )


def check_section_count(count: int, requests: int) -> None:
    """Raise, before anything is sent, if a task cannot be expanded over that many sections.

    :param requests: the most of one section.
    :raises PlanError: if there are too many; names the setting.
    """
    most = _max_map_length()
    if count > most:
        raise PlanError(
            f"The download takes {count:,} sections of at most {requests:,} requests, but Airflow "
            f"expands a task over at most {most:,}, [core] max_map_length; raise section_requests.",
            count=count,
        )


def _max_map_length() -> int:
    most: int = conf.getint("core", "max_map_length", fallback=1024)
    return most
