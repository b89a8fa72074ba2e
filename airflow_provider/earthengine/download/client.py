"""What downloads ask of an Earth Engine session; the hook is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class EarthEngineClient(Protocol):
    """What fetching asks of an Earth Engine session."""

    def get_download_id(self, params: Mapping[str, Any]) -> DownloadId:
        """Return a new download id for the parameters, ``image`` among them."""

    def make_download_url(self, download_id: DownloadId) -> str:
        """Return where the pixels are. A capability: it must not be logged or stored."""


class ValueComputer(Protocol):
    """What describing an image asks of an Earth Engine session."""

    def compute_value(self, value: Any) -> Any:
        """Return the value of an ``ee`` object as plain JSON data."""


class Session(ValueComputer, Protocol):
    """A session that is opened on request: ``ee`` objects cannot be made before."""

    def get_conn(self) -> Any:
        """Open the session; return the module ``ee``."""


@dataclass(frozen=True)
class DownloadId:
    """What Earth Engine gives for a download. A capability: whoever has it gets the pixels."""

    docid: str = field(repr=False)
    token: str = field(default="", repr=False)
