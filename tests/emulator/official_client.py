"""The unmodified official client, pointed at an emulator, and readings of what it downloads."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ee
import numpy as np
import numpy.typing as npt
import requests
from google.auth.credentials import AnonymousCredentials
from rasterio.io import MemoryFile


class _Current:
    """The URL and project that the client is initialised for; None where nobody knows."""

    place: tuple[str | None, str] | None = None


def ensure_initialised(url: str | None, credentials: Any = None, project: str = "demo") -> None:
    """Initialise the client against a service, unless it is already.

    :param url: None for the real service.
    :param credentials: None to be anonymous.
    """
    if _Current.place != (url, project) or not ee.data.is_initialized():
        reset()
        _initialise(url, credentials or AnonymousCredentials(), project)
        _Current.place = (url, project)


def reset() -> None:
    """Make the client forget whom it talks to."""
    _Current.place = None
    ee.Reset()


def _initialise(url: str | None, credentials: Any, project: str | None) -> None:
    # The client would ask the internet for a list of deprecated assets, without a time limit.
    ee.deprecation.deprecated_assets = {}
    ee.deprecation.deprecated_assets["none"] = None
    ee.Initialize(credentials, url=url, project=project)
    ee.data.setMaxRetries(0)


@contextmanager
def initialised(url: str, credentials: Any = None, project: str | None = "demo") -> Iterator[None]:
    """Keep the client initialised against an emulator for the block.

    :param project: None to leave it to the credentials.
    """
    reset()
    try:
        _initialise(url, credentials or AnonymousCredentials(), project)
        yield
    finally:
        reset()


def get(**params: Any) -> requests.Response:
    """Return the response to a download with these parameters of getDownloadId."""
    url = ee.data.makeDownloadUrl(ee.data.getDownloadId(params))
    return requests.get(url, timeout=30)


def download(**params: Any) -> bytes:
    """Return the body of a download."""
    response = get(**params)
    response.raise_for_status()
    return response.content


def members(archive: bytes) -> dict[str, bytes]:
    """Return a zip's members by name, in their order, each checked by its CRC."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


class Tiff:
    """What rasterio reads of a GeoTIFF."""

    def __init__(self, content: bytes) -> None:
        with MemoryFile(content) as memory, memory.open() as dataset:
            self.bands: npt.NDArray[np.generic] = dataset.read()
            self.transform = tuple(dataset.transform)[:6]
            self.crs = dataset.crs.to_string()
            self.nodata = dataset.nodata
            self.dtypes = dataset.dtypes
            self.descriptions = dataset.descriptions
            self.tags = dataset.tags()


def same_bytes_but_times(archive: bytes) -> bytes:
    """Return a zip whose time stamps are zero, otherwise byte for byte."""
    blank = bytearray(archive)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        place = opened.start_dir
        for member in opened.infolist():
            blank[member.header_offset + 10 : member.header_offset + 14] = bytes(4)
            blank[place + 12 : place + 16] = bytes(4)
            place += 46 + len(member.filename.encode())
    return bytes(blank)
