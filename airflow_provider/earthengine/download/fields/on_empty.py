"""What to do when a download finds nothing: the fields ``on_empty`` and ``recheck_days``."""

from __future__ import annotations

from typing import Any

from airflow_provider.earthengine.download.fields.values import (
    read_choice,
    read_number,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

FAIL, SKIP, MARK = "fail", "skip", "mark"

_ON_EMPTY = (FAIL, SKIP, MARK)


def read_on_empty(value: Any) -> str:
    """Return "fail", "skip" or "mark".

    :raises DownloadParamsError: if the value is anything else.
    """
    return read_choice("on_empty", value, _ON_EMPTY)


def read_recheck_days(value: Any) -> float:
    """Return the number of days, above zero.

    :raises DownloadParamsError: if it is not above 0 and at most 3650.
    """
    days = read_number("recheck_days", value)
    if not 0 < days <= 3650:
        raise DownloadParamsError(
            f"recheck_days is {shown(value)}; write a number of days above 0 and at most 3650.",
            field="recheck_days",
        )
    return days
