"""What a download may take at the most: the operator's ``limits``, read and held against the plan.

Earth Engine's own published limits are in :mod:`airflow_provider.earthengine.limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.download.fields.values import (
    read_json,
    read_key_prefix,
    read_number,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError, PlanError

AUTO, ALWAYS, NEVER = "auto", "always", "never"
_RESUME = (AUTO, ALWAYS, NEVER)
_STAGING_PREFIX = "earthengine-staging"


@dataclass(frozen=True)
class DownloadLimits:
    """Hard stops, and how a download of many requests goes.

    :param max_requests: more bodies than that are not fetched.
    :param max_byte_count: a download that Earth Engine counts as more bytes is not begun; None:
        any size.
    :param max_concurrent_requests: under way at once, for this task.
    :param attempt_seconds: the longest that Earth Engine may compute one body; None: as long as it
        does before it gives up itself.
    :param total_seconds: after so long no request is begun; None: the task's own time-out applies.
    :param resume: whether verified tiles are kept in the bucket until the download is published,
        so that a retry fetches only what is missing: "auto" (when there are many), "always",
        "never".
    :param staging_prefix: where in the bucket they are kept.
    :param tile_byte_count: as Earth Engine counts, the most in one request; None: its own limit,
        and 32 MiB where there are several.
    """

    max_requests: int = 10_000
    max_byte_count: int | None = None
    max_concurrent_requests: int = 16
    attempt_seconds: float | None = None
    total_seconds: float | None = None
    resume: str = AUTO
    staging_prefix: str = _STAGING_PREFIX
    tile_byte_count: int | None = None

    @property
    def request_byte_count(self) -> int:
        """What one request may be that makes the whole download."""
        return self.tile_byte_count or limits.MAX_REQUEST_BYTE_COUNT

    def check_byte_count(self, byte_count: int) -> None:
        """Raise if that is too much.

        :raises PlanError: always then.
        """
        if self.max_byte_count is not None and byte_count > self.max_byte_count:
            raise PlanError(
                f"The download is {byte_count:,} bytes as Earth Engine counts them, and "
                f"limits['max_byte_count'] is {self.max_byte_count:,}; raise it, or take a smaller "
                "region or a coarser scale.",
                byte_count=byte_count,
            )

    def check_request_count(self, request_count: int) -> None:
        """Raise if that is too many.

        :raises PlanError: always then.
        """
        if request_count > self.max_requests:
            raise PlanError(
                f"The download takes {request_count:,} requests, and limits['max_requests'] is "
                f"{self.max_requests:,}; raise it, or take a smaller region or a coarser scale.",
                request_count=request_count,
            )


_KEYS = tuple(each.name for each in fields(DownloadLimits))


def read_download_limits(value: Any) -> DownloadLimits:
    """Return what the operator's ``limits`` say; what they leave out is as by default.

    :param value: a dict, or JSON text of one; None for none.
    :raises DownloadParamsError: for an unknown key, or a value that is none.
    """
    given = read_json("limits", value)
    if given is None:
        return DownloadLimits()
    if not isinstance(given, Mapping):
        raise DownloadParamsError(f"limits is {shown(value)}; write a dict.", field="limits")
    for key in given:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_KEYS)}."
            raise DownloadParamsError(f"limits has {key!r}; {hint}", field="limits")
    return DownloadLimits(**{key: _READERS[key](key, each) for key, each in given.items()})


def _read_count(key: str, value: Any) -> int:
    number = read_number(f"limits[{key!r}]", value)
    if not isinstance(number, int) or number < 1:
        raise DownloadParamsError(
            f"limits[{key!r}] is {shown(value)}; write a whole number above 0.", field="limits"
        )
    return number


def _read_seconds(key: str, value: Any) -> float:
    seconds = read_number(f"limits[{key!r}]", value)
    if seconds <= 0:
        raise DownloadParamsError(
            f"limits[{key!r}] is {shown(value)}; write seconds above 0.", field="limits"
        )
    return float(seconds)


def _read_tile_byte_count(key: str, value: Any) -> int:
    number = _read_count(key, value)
    if number > limits.MAX_REQUEST_BYTE_COUNT:
        raise DownloadParamsError(
            f"limits[{key!r}] is {number:,}, and one request carries at most "
            f"{limits.MAX_REQUEST_BYTE_COUNT:,}; write less, or leave it out.",
            field="limits",
        )
    return number


def _or_none(read: Any) -> Any:
    return lambda key, value: None if value is None else read(key, value)


def _read_resume(_: str, value: Any) -> str:
    if value not in _RESUME:
        raise DownloadParamsError(
            f"limits['resume'] is {shown(value)}; known are {', '.join(_RESUME)}.", field="limits"
        )
    return str(value)


def _read_prefix(key: str, value: Any) -> str:
    return read_key_prefix(f"limits[{key!r}]", value) or _STAGING_PREFIX


_READERS = {
    "max_requests": _read_count,
    "max_byte_count": _or_none(_read_count),
    "max_concurrent_requests": _read_count,
    "attempt_seconds": _or_none(_read_seconds),
    "total_seconds": _or_none(_read_seconds),
    "tile_byte_count": _or_none(_read_tile_byte_count),
    "resume": _read_resume,
    "staging_prefix": _read_prefix,
}
