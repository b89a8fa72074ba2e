"""The crs of a region's GeoJSON: dropped from the format by RFC 7946, but GDAL still writes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider.earthengine.exceptions import DownloadParamsError

WGS84 = "EPSG:4326"
"""The default crs of GeoJSON: longitude and latitude."""

# OGC's names for longitude and latitude on three datums. Source:
# https://www.opengis.net/def/crs/OGC, read 2026-11.
_OF_OGC = {"CRS84": WGS84, "CRS83": "EPSG:4269", "CRS27": "EPSG:4267"}
_MAX_LENGTH = 20_000
_URN = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:|https?://www\.opengis\.net/def/crs/)(\w+)[:/][^:/]*[:/](\w+)",
    re.IGNORECASE,
)
_CODE = re.compile(r"(EPSG|OGC):(\w+)", re.IGNORECASE)


def read_crs(member: Any, show: Callable[[Any], str]) -> str:
    """Return the crs that a ``crs`` member names.

    Earth Engine's client accepts only a named crs. Which names are valid is up to the service; it
    knows EPSG codes, so their longer forms are shortened to these.

    :param show: how a value appears in an error.
    :raises DownloadParamsError: if the member has another form.
    """
    properties = member.get("properties") if isinstance(member, Mapping) else None
    name = properties.get("name") if isinstance(properties, Mapping) else None
    is_named = isinstance(member, Mapping) and member.get("type") == "name"
    if not is_named or not isinstance(name, str) or not 0 < len(name.strip()) <= _MAX_LENGTH:
        raise DownloadParamsError(
            f"region has the crs member {show(member)}; use a named crs, such as {{'type': 'name', "
            "'properties': {'name': 'EPSG:32610'}}, or leave it out for longitude and latitude.",
            field="region",
        )
    return _short_name(name.strip())


def crs_member(crs: str) -> dict[str, Any]:
    """Return the ``crs`` member for a crs, in the form that Earth Engine's client accepts."""
    return {"type": "name", "properties": {"name": crs}}


def _short_name(name: str) -> str:
    found = _URN.fullmatch(name) or _CODE.fullmatch(name)
    if found is None:
        return _OF_OGC.get(name.upper(), name)
    authority, code = found[1].upper(), found[2].upper()
    if authority == "OGC":
        return _OF_OGC.get(code, name)
    return f"{authority}:{code}"
