"""Prefixes that contain parts of an image's time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider.earthengine.download.fields.values import read_key_prefix, shown
from airflow_provider.earthengine.exceptions import DownloadParamsError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIRECTIVE = re.compile(r"%(.?)")
_DIRECTIVES = "YmdjH%"


@dataclass(frozen=True)
class PrefixPattern:
    """A prefix that may contain parts of the image's time: %Y, %m, %d, %j, %H; %% is %."""

    text: str

    def at(self, moment: datetime | None) -> str:
        """Return the prefix of an image.

        :raises DownloadParamsError: if it needs a time and the image has none.
        """
        if moment is None and self.fixed != self.text:
            raise DownloadParamsError(
                f"s3_prefix is {shown(self.text)}, but an image has no system:time_start; write a "
                "prefix without a date.",
                field="s3_prefix",
            )
        moment = moment or _EPOCH
        return _DIRECTIVE.sub(
            lambda found: "%" if found[1] == "%" else moment.strftime(found[0]), self.text
        )

    @property
    def fixed(self) -> str:
        """The folders that are the same for all images."""
        head, percent, _ = self.text.partition("%")
        return head.rpartition("/")[0] if percent else self.text


def read_prefix_pattern(value: Any) -> PrefixPattern:
    """Return the pattern.

    :raises DownloadParamsError: if it holds an unknown directive.
    """
    text = read_key_prefix("s3_prefix", value)
    for found in _DIRECTIVE.finditer(text):
        if not found[1] or found[1] not in _DIRECTIVES:
            raise DownloadParamsError(
                f"s3_prefix is {shown(value)}, but {found[0]!r} is not one of %Y, %m, %d, %j, %H; "
                "write %% for a percent sign.",
                field="s3_prefix",
            )
    return PrefixPattern(text)
