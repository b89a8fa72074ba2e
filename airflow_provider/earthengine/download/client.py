"""The interface of an Earth Engine session that downloads need; the hook implements it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError
from airflow_provider.earthengine.exceptions import ServiceUnavailableError, raise_alone

# Source: https://developers.google.com/earth-engine/reference/rest/v1/projects.thumbnails, read
# 2026-11. A text of another form could not be redacted, nor be part of a URL.
_DOCID = re.compile(r"projects/(?:[\w.:-]+/)+thumbnails/[\w.~-]{8,200}", re.ASCII)


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


def read_download_id(answer: Any) -> DownloadId:
    """Return the download id in what the official client returned.

    :raises ServiceUnavailableError: if there is none.
    """
    try:
        given = Foreign(answer)
        docid, token = given.at("docid"), given.at("token").value
        if not _DOCID.fullmatch(docid.text()):
            docid.refuse("the name of a thumbnail")
        return DownloadId(docid.text(), token if isinstance(token, str) else "")
    except ForeignValueError:
        # Without the answer, or the error that quotes it: it may be a capability.
        raise_alone(
            ServiceUnavailableError(
                "Earth Engine could not create a download id: the answer has none; if this "
                "persists, check endpoint_url in the connection's extra, and proxies."
            )
        )
