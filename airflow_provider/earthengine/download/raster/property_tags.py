"""An image's properties -> GeoTIFF tags, from which they can be read back exactly.

GDAL takes a tag as one text NAME=VALUE. The first "=" or ":" ends the name, so that all properties
``system:...`` become one tag, ``system``; names that differ only in case become one; spaces around
a value, control characters and empty texts are lost. So one tag holds all properties as JSON, and
those that GDAL stores unchanged also have a tag each.
Source: ``CPLParseNameValue``, https://gdal.org/en/stable/api/cpl.html, read 2026-11, and measured
with GDAL 3.10.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

PROPERTIES_TAG = "EARTHENGINE_PROPERTIES"

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_PLAIN_LENGTH = 1000
# TIFFTAG_... are fields of TIFF itself, and AREA_OR_POINT=Point moves the raster by half a pixel.
# Source: https://gdal.org/en/stable/drivers/raster/gtiff.html#metadata, read 2026-11.
_MEANT_FOR_GDAL = re.compile(r"TIFFTAG_.*|AREA_OR_POINT", re.IGNORECASE)
# Parameters of rasterio's update_tags, which takes tags by keyword.
_MEANT_FOR_RASTERIO = frozenset({"ns", "bidx", "self"})


def encode_properties(properties: Mapping[str, Any]) -> dict[str, str]:
    """Return tags that GDAL stores unchanged, by name.

    ``json.loads(tags["EARTHENGINE_PROPERTIES"])`` is the inverse. The JSON is ASCII, whatever the
    properties hold. Floats that are not finite are written as Python does: NaN, Infinity.

    :param properties: as Earth Engine returns them: names and JSON values.
    """
    if not properties:
        return {}
    spellings = Counter(name.upper() for name in (*properties, PROPERTIES_TAG))
    plain = {
        name: str(value)
        for name, value in properties.items()
        if spellings[name.upper()] == 1 and _has_plain_name(name) and _is_plain(value)
    }
    return {**plain, PROPERTIES_TAG: json.dumps(dict(properties))}


def _has_plain_name(name: str) -> bool:
    return bool(
        _PLAIN_NAME.fullmatch(name)
        and not _MEANT_FOR_GDAL.fullmatch(name)
        and name not in _MEANT_FOR_RASTERIO
    )


def _is_plain(value: Any) -> bool:
    """Return whether the value is a number, or text that GDAL stores unchanged."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    text = str(value)
    return 0 < len(text) <= _PLAIN_LENGTH and text.isprintable() and text == text.strip()
