"""The region of a download: the usual forms of GeoJSON -> what ``ee.data.getDownloadId`` takes.

Only the form is checked here; only Earth Engine knows whether the region intersects the image.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.download.fields.values import read_json, read_number, shown
from airflow_provider.earthengine.exceptions import DownloadParamsError

Region = dict[str, Any] | list[Any] | str
"""A GeoJSON geometry, ``[west, south, east, north]`` in degrees, a ring of ``[x, y]`` pairs, or the
asset id of a table whose features are the region."""

_DEPTH_OF_POSITIONS = {"Polygon": 1, "MultiPolygon": 2}
_FORMS = (
    "a GeoJSON Polygon or MultiPolygon, a feature of one, [west, south, east, north], "
    "a ring of [longitude, latitude] pairs, a path or s3:// URI of a GeoJSON file, "
    "or the asset id of a table"
)
_FILE = re.compile(r"s3://.+|[./~].*|.+\.(?:geo)?json", re.IGNORECASE | re.DOTALL)
_TABLE_ID = re.compile(r"[\w.+-]+(?:/[\w.+-]+)+")


def is_region_file(value: Any) -> bool:
    """Return whether the region is the name of a GeoJSON file, which has yet to be read."""
    return isinstance(value, str) and bool(_FILE.fullmatch(value.strip()))


def parse_region_file(name: str, content: bytes) -> Any:
    """Return the GeoJSON in a region file.

    :raises DownloadParamsError: if the content is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DownloadParamsError(
            f"The region file {name} is not GeoJSON ({error}).", field="region"
        ) from None


def read_region(value: Any) -> Region:
    """Return the checked region, with finite numbers; JSON text is parsed.

    :raises DownloadParamsError: if it is in none of the forms that Earth Engine accepts.
    """
    value = read_json("region", value)
    _check_byte_count(value)
    if isinstance(value, Mapping):
        return _read_geojson(value)
    if isinstance(value, str) and _TABLE_ID.fullmatch(value.strip()):
        return value.strip()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _read_list(list(value))
    raise _wrong(f"region is {shown(value)}; write {_FORMS}.")


def _check_byte_count(value: Any) -> None:
    byte_count = len(json.dumps(value, default=str))
    if byte_count > limits.MAX_PAYLOAD_BYTE_COUNT:
        raise _wrong(
            f"region is {byte_count:,} bytes of GeoJSON, but a request to Earth Engine has at most "
            f"{limits.MAX_PAYLOAD_BYTE_COUNT:,}; simplify it, or upload it as a table and pass the "
            "table's id."
        )


def _read_geojson(value: Mapping[str, Any]) -> dict[str, Any]:
    kind = value.get("type")
    if kind == "Feature" and isinstance(value.get("geometry"), Mapping):
        return _read_geojson(value["geometry"])
    if kind == "FeatureCollection":
        return _read_features(value.get("features"))
    depth = _DEPTH_OF_POSITIONS.get(str(kind))
    if depth is None:
        raise _wrong(f"region is GeoJSON of type {shown(kind)}; write {_FORMS}.")
    region = {
        "type": str(kind), "coordinates": _read_positions(value.get("coordinates"), depth)
    }  # fmt: skip
    _check_area(region)
    return region


def _read_features(features: Any) -> dict[str, Any]:
    """Return one geometry for all features: their union."""
    if not isinstance(features, list) or not features:
        raise _wrong("region is a FeatureCollection without features; add at least one.")
    if not all(isinstance(feature, Mapping) for feature in features):
        raise _wrong(f"region holds {shown(features)} where features belong.")
    geometries = [_read_geojson(feature) for feature in features]
    if len(geometries) == 1:
        return geometries[0]
    from shapely.geometry import mapping, shape
    from shapely.ops import unary_union

    union = mapping(unary_union([shape(geometry) for geometry in geometries]))
    return _read_geojson(union)


def _read_list(value: list[Any]) -> list[Any]:
    if len(value) == 4 and not any(isinstance(item, list | tuple) for item in value):
        west, south, east, north = (read_number("region", item) for item in value)
        if not (west < east and south < north):
            raise _wrong(
                f"region is {shown(value)}; the order is west, south, east, north in degrees."
            )
        _check_latitudes([south, north])
        return [west, south, east, north]
    ring = _read_positions(value, 0)
    if len(ring) < 3:
        raise _wrong(f"region is a ring of {len(ring)} points; an area needs at least 3.")
    _check_area({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})
    return ring


def _read_positions(value: Any, depth: int) -> list[Any]:
    """Return nested positions ``[x, y]``; each list of positions is inside ``depth`` lists."""
    if not isinstance(value, list | tuple) or not value:
        raise _wrong(f"region holds {shown(value)} where coordinates belong; write {_FORMS}.")
    if depth:
        return [_read_positions(item, depth - 1) for item in value]
    for item in value:
        if not isinstance(item, list | tuple) or len(item) not in (2, 3):
            raise _wrong(
                f"region holds {shown(item)} where an [x, y] pair belongs; write {_FORMS}."
            )
    return [[read_number("region", x), read_number("region", y)] for x, y, *_ in value]


def _check_area(region: Mapping[str, Any]) -> None:
    from shapely.geometry import shape
    from shapely.validation import explain_validity

    try:
        polygon = shape(region)
    except ValueError as error:
        raise _wrong(f"region is not a polygon: {error}.") from None
    _check_latitudes([polygon.bounds[1], polygon.bounds[3]])
    if not polygon.is_valid:
        raise _wrong(
            f"region is a polygon whose edges cross or repeat: {explain_validity(polygon)}."
        )
    if polygon.area == 0:
        raise _wrong("region has no area; write a polygon that encloses one.")


def _check_latitudes(latitudes: Sequence[float]) -> None:
    beyond = [latitude for latitude in latitudes if abs(latitude) > 90]
    if beyond:
        raise _wrong(
            f"region has the latitude {beyond[0]:g}; the order is longitude, latitude, so the two "
            "may be swapped."
        )


def _wrong(message: str) -> DownloadParamsError:
    return DownloadParamsError(message, field="region")
