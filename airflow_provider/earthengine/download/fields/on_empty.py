"""What to do when a download finds nothing: the fields ``on_empty`` and ``recheck_days``.

Nothing is either no pixels at all, or pixels of which not one is valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.download.fields.values import (
    read_number,
    read_words,
    shown,
)
from airflow_provider.earthengine.exceptions import (
    AllMaskedError,
    DownloadParamsError,
    EmptyImageError,
)

FAIL, SKIP, MARK, PUBLISH = "fail", "skip", "mark", "publish"
NO_PIXELS, ALL_MASKED = "no_pixels", "all_masked"

_ON_EMPTY = {NO_PIXELS: (FAIL, SKIP, MARK), ALL_MASKED: (PUBLISH, FAIL, SKIP, MARK)}


@dataclass(frozen=True)
class OnEmpty:
    """What to do for each kind of nothing.

    :param no_pixels: "fail", "skip" or "mark": if there are no bands, or no pixels in the region.
    :param all_masked: "publish" or one of these: if there are pixels, none of them valid.
    """

    no_pixels: str = FAIL
    all_masked: str = PUBLISH

    def of(self, nothing: str) -> str:
        """Return what to do for one kind: "no_pixels" or "all_masked"."""
        return self.all_masked if nothing == ALL_MASKED else self.no_pixels

    def skips(self, error: EmptyImageError) -> bool:
        """Return whether to skip the task for this error."""
        return self.of(kind_of(error)) in (SKIP, MARK)


def kind_of(error: EmptyImageError) -> str:
    """Return the kind of nothing that the error means."""
    return ALL_MASKED if isinstance(error, AllMaskedError) else NO_PIXELS


def read_on_empty(value: Any) -> OnEmpty:
    """Return what to do for each kind of nothing.

    :param value: one word, for ``no_pixels``; or a dict with a word for each kind, or its JSON.
    :raises DownloadParamsError: if the value is anything else.
    """
    return OnEmpty(**read_words("on_empty", value, _ON_EMPTY))


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
