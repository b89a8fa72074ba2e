"""Whether an item uses STAC's extensions as they are defined, without their schemas' servers.

The definitions are written out here from the extensions' pages, read 2026-11:
https://github.com/stac-extensions, of the releases that the identifiers name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pystac
from pystac.validation import JsonSchemaSTACValidator


def _number(low: float, high: float) -> dict[str, Any]:
    return {"type": "number", "minimum": low, "maximum": high}


_TEXT = {"type": "string", "minLength": 1}
_ABOVE_ZERO = {"type": "number", "exclusiveMinimum": 0}
_COUNT = {"type": "integer", "minimum": 1}
_COMMON_NAMES = {
    "enum": [
        "coastal", "blue", "green", "red", "rededge", "yellow", "pan", "nir", "nir08", "nir09",
        "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12",
    ]
}  # fmt: skip
_EO_BAND = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": False,
    "properties": {
        "name": _TEXT,
        "common_name": _COMMON_NAMES,
        "center_wavelength": _ABOVE_ZERO,
        "full_width_half_max": _ABOVE_ZERO,
        "description": _TEXT,
    },
}
_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "eo/v1.1.0": {
        "eo:cloud_cover": _number(0, 100),
        "eo:snow_cover": _number(0, 100),
        "eo:bands": {"type": "array", "minItems": 1, "items": _EO_BAND},
    },
    "view/v1.0.0": {
        "view:off_nadir": _number(0, 90),
        "view:incidence_angle": _number(0, 90),
        "view:azimuth": _number(0, 360),
        "view:sun_azimuth": _number(0, 360),
        "view:sun_elevation": _number(-90, 90),
    },
    "sat/v1.0.0": {
        "sat:orbit_state": {"enum": ["ascending", "descending", "geostationary"]},
        "sat:relative_orbit": _COUNT,
        "sat:absolute_orbit": _COUNT,
    },
    "processing/v1.1.0": {
        "processing:lineage": {"type": "string"},
        "processing:software": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "file/v2.1.0": {
        "file:size": {"type": "integer", "minimum": 0},
        "file:checksum": {"type": "string", "pattern": "^[a-f0-9]+$"},
    },
    "projection/v2.0.0": {
        "proj:code": {"type": "string"},
        "proj:wkt2": {"type": "string"},
        "proj:shape": {
            "type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2
        },
        "proj:transform": {
            "type": "array", "items": {"type": "number"}, "minItems": 6, "maxItems": 9
        },
    },
    "raster/v2.0.0": {
        "raster:scale": {"type": "number"},
        "raster:offset": {"type": "number"},
    },
}  # fmt: skip
# In ``bands``, STAC 1.1 has the fields of the extensions' newer releases, too.
_OF_CORE_BANDS = {
    "eo:common_name": {
        "enum": [*_COMMON_NAMES["enum"], "rededge071", "rededge075", "rededge078"]
    },
    "eo:center_wavelength": _ABOVE_ZERO,
    "eo:full_width_half_max": _ABOVE_ZERO,
}  # fmt: skip
_OURS = frozenset({"earthengine", "airflow"})


def check_item(item: Mapping[str, Any]) -> None:
    """Raise unless the item satisfies STAC's core and the extensions that it declares.

    Each field with a prefix is one of a declared extension, and each extension is used.
    """
    JsonSchemaSTACValidator().validate_core(dict(item), pystac.STACObjectType.ITEM, "1.1.0")
    declared = [
        uri.removeprefix("https://stac-extensions.github.io/").removesuffix("/schema.json")
        for uri in item["stac_extensions"]
    ]
    assert len(set(declared)) == len(declared)
    fields = {name: rule for each in declared for name, rule in _FIELDS[each].items()}
    used = set()
    for known, name, value in _prefixed(item, fields):
        jsonschema.validate(value, known[name], format_checker=None)
        used.add(name.partition(":")[0])
    assert used == {
        {"projection": "proj"}.get(each.partition("/")[0], each.partition("/")[0])
        for each in declared
    }


def _prefixed(
    item: Mapping[str, Any], fields: Mapping[str, Any]
) -> Iterator[tuple[Mapping[str, Any], str, Any]]:
    """Yield each field with a prefix, with the rules for the place that it is in."""
    places = [(fields, item["properties"])]
    for asset in item["assets"].values():
        places.append((fields, asset))
        places += [({**fields, **_OF_CORE_BANDS}, band) for band in asset.get("bands", ())]
    for rules, place in places:
        for name, value in place.items():
            if ":" in name and name.partition(":")[0] not in _OURS:
                assert name in rules, f"{name} is of no declared extension"
                yield rules, name, value
