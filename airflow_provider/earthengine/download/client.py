"""The interface of an Earth Engine session that downloads need; the hook implements it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class EarthEngineClient(Protocol):
    """An Earth Engine session, as fetching needs it."""

    def get_download_id(self, params: Mapping[str, Any]) -> DownloadId:
        """Return a new download id for the parameters, which include ``image``."""

    def make_download_url(self, download_id: DownloadId) -> str:
        """Return the URL of the pixels. A capability: it must not be logged or stored."""


class ValueComputer(Protocol):
    """An Earth Engine session, as describing an image needs it."""

    def compute_value(self, value: Any) -> Any:
        """Return the value of an ``ee`` object as plain JSON data."""


class Session(ValueComputer, Protocol):
    """A session that is opened on demand: ``ee`` objects cannot be created before."""

    def get_conn(self) -> Any:
        """Open the session; return the module ``ee``."""


@dataclass(frozen=True)
class DownloadId:
    """Earth Engine's id of a download. A capability: anyone who has it can fetch the pixels."""

    docid: str = field(repr=False)
    token: str = field(default="", repr=False)
