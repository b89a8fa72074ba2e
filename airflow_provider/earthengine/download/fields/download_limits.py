"""The operator's ``limits`` -> :class:`DownloadLimits`, and the checks of a plan against them.

Earth Engine's own published limits are in :mod:`airflow_provider.earthengine.limits`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.download.fields.values import (
    read_boolean,
    read_choice,
    read_count,
    read_dict,
    read_key_prefix,
    read_number,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError, PlanError

AUTO, ALWAYS, NEVER = "auto", "always", "never"
_RESUME = (AUTO, ALWAYS, NEVER)
_STAGING_PREFIX = "earthengine-staging"
# A year; sockets and clocks do not count much further.
_MAX_SECONDS = 31_536_000
# Each is a thread of the task.
_MAX_CONCURRENT_REQUESTS = 1_000


@dataclass(frozen=True)
class DownloadLimits:
    """Hard limits, and how large downloads are split and resumed.

    :param max_requests: the most bodies to fetch.
    :param max_byte_count: the largest download to start, in bytes as Earth Engine counts them;
        None: any size.
    :param max_concurrent_requests: the most requests of this task in flight at once.
    :param attempt_seconds: the longest that Earth Engine may compute one body; None: until Earth
        Engine itself gives up.
    :param total_seconds: start no request after this time; None: the task's own timeout applies.
    :param resume: whether to keep verified tiles in the bucket until the download is published,
        so that a retry does not fetch them again: "auto" (of many, those that took long),
        "always", "never".
    :param staging_prefix: where in the bucket to keep them.
    :param tile_byte_count: the most bytes in one request, as Earth Engine counts them; None: Earth
        Engine's own limit.
    :param profile: whether to ask Earth Engine for the profile of each computation.
    """

    max_requests: int = 10_000
    max_byte_count: int | None = None
    max_concurrent_requests: int = 16
    attempt_seconds: float | None = None
    total_seconds: float | None = None
    resume: str = AUTO
    staging_prefix: str = _STAGING_PREFIX
    tile_byte_count: int | None = None
    profile: bool = False

    @property
    def request_byte_count(self) -> int:
        """The most bytes that a single request for the whole download may have."""
        return self.tile_byte_count or limits.MAX_REQUEST_BYTE_COUNT

    def check_apart_from(self, prefix: str) -> None:
        """Raise if staged tiles would be among the results.

        :param prefix: of the results.
        :raises DownloadParamsError: if they would.
        """
        if prefix and f"{self.staging_prefix}/".startswith(f"{prefix}/"):
            raise DownloadParamsError(
                f"limits['staging_prefix'] is {shown(self.staging_prefix)}, inside s3_prefix, "
                "which is for results only; use another prefix.",
                field="limits",
            )

    def check_byte_count(self, byte_count: int) -> None:
        """Raise if the download is too large.

        :raises PlanError: if byte_count exceeds the limit.
        """
        if self.max_byte_count is not None and byte_count > self.max_byte_count:
            raise PlanError(
                f"The download is {byte_count:,} bytes as Earth Engine counts them, but "
                f"limits['max_byte_count'] is {self.max_byte_count:,}; raise it, or use a smaller "
                "region or a coarser scale.",
                byte_count=byte_count,
            )

    def check_request_count(self, request_count: int) -> None:
        """Raise if the download takes too many requests.

        :raises PlanError: if request_count exceeds the limit.
        """
        if request_count > self.max_requests:
            raise PlanError(
                f"The download takes {request_count:,} requests, but limits['max_requests'] is "
                f"{self.max_requests:,}; raise it, or use a smaller region or a coarser scale.",
                request_count=request_count,
            )


_KEYS = tuple(each.name for each in fields(DownloadLimits))
LIMITS = frozenset(_KEYS)
"""The keys that ``limits`` may have."""


def read_download_limits(value: Any) -> DownloadLimits:
    """Return the operator's ``limits``, with defaults for the keys that are left out.

    :param value: a dict, or JSON text of one; None: all defaults.
    :raises DownloadParamsError: if a key is unknown or a value invalid.
    """
    given = read_dict("limits", value)
    for key in given:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, 1)
            hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(_KEYS)}."
            raise DownloadParamsError(
                f"limits has the unknown key {shown(key)}; {hint}", field="limits"
            )
    return DownloadLimits(**{key: _READERS[key](key, each) for key, each in given.items()})


def _read_count(key: str, value: Any) -> int:
    return read_count(f"limits[{key!r}]", value)


def _read_concurrency(key: str, value: Any) -> int:
    return read_count(f"limits[{key!r}]", value, most=_MAX_CONCURRENT_REQUESTS)


def _read_seconds(key: str, value: Any) -> float:
    seconds = read_number(f"limits[{key!r}]", value)
    if not 0 < seconds <= _MAX_SECONDS:
        raise DownloadParamsError(
            f"limits[{key!r}] is {shown(value)}; write a number of seconds above 0, at most "
            f"{_MAX_SECONDS:,}.",
            field="limits",
        )
    return float(seconds)


def _read_tile_byte_count(key: str, value: Any) -> int:
    number = _read_count(key, value)
    if number > limits.MAX_REQUEST_BYTE_COUNT:
        raise DownloadParamsError(
            f"limits[{key!r}] is {number:,}, but Earth Engine allows at most "
            f"{limits.MAX_REQUEST_BYTE_COUNT:,} in one request; lower it, or leave it out.",
            field="limits",
        )
    return number


def _or_none(read: Any) -> Any:
    return lambda key, value: None if value is None else read(key, value)


def _read_resume(key: str, value: Any) -> str:
    return read_choice(f"limits[{key!r}]", value, _RESUME)


def _read_boolean(key: str, value: Any) -> bool:
    return read_boolean(f"limits[{key!r}]", value)


def _read_prefix(key: str, value: Any) -> str:
    return read_key_prefix(f"limits[{key!r}]", value) or _STAGING_PREFIX


_READERS = {
    "max_requests": _read_count,
    "max_byte_count": _or_none(_read_count),
    "max_concurrent_requests": _read_concurrency,
    "attempt_seconds": _or_none(_read_seconds),
    "total_seconds": _or_none(_read_seconds),
    "tile_byte_count": _or_none(_read_tile_byte_count),
    "resume": _read_resume,
    "staging_prefix": _read_prefix,
    "profile": _read_boolean,
}
