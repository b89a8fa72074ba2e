"""The region of a download: the usual forms of GeoJSON -> what ``ee.data.getDownloadId`` takes.

Only Earth Engine knows whether the region intersects the image.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.download.fields.asset_id import find_asset_id
from airflow_provider.earthengine.download.fields.region_area import Area, check_degrees
from airflow_provider.earthengine.download.fields.region_crs import WGS84, read_crs
from airflow_provider.earthengine.download.fields.values import read_json, read_number, shown
from airflow_provider.earthengine.exceptions import DownloadParamsError

Region = dict[str, Any] | list[Any] | str
"""A GeoJSON geometry, ``[west, south, east, north]`` in degrees, a ring of ``[x, y]`` pairs, or the
asset id of a table whose features are the region."""

Show = Callable[[Any], str]
"""How a value appears in an error."""

_FORMS = (
    "a GeoJSON Polygon or MultiPolygon, a feature of one, [west, south, east, north], "
    "a ring of [longitude, latitude] pairs, a path or s3:// URI of a GeoJSON file, "
    "or the asset id of a table"
)
_DEPTH_OF_POSITIONS = {"Polygon": 1, "MultiPolygon": 2}
# Further members of a geometry that Earth Engine's client reads, and their defaults in a download.
# It ignores the first one there; the second one changes which side is inside. Source:
# https://github.com/google/earthengine-api, ``python/ee/geometry.py`` and ``ee/image.py``, 1.7.50.
_MEMBERS = {"geodesic": False, "evenOdd": True}
_FILE = re.compile(r"s3://.+|[./~].*|.+\.(?:geo)?json", re.IGNORECASE | re.DOTALL)


def is_region_file(value: Any) -> bool:
    """Return whether the region is the name of a GeoJSON file, which has yet to be read."""
    return isinstance(value, str) and bool(_FILE.fullmatch(value.strip()))


def read_region_file(name: str, content: bytes) -> Region:
    """Return the region in a GeoJSON file; errors quote nothing of its content.

    :raises DownloadParamsError: if the content is not JSON.
    """
    try:
        value = json.loads(content)
        if isinstance(value, str):
            raise ValueError  # A table is named in the field itself, not in a file.
        return read_region(value, _kind_of)
    except DownloadParamsError as error:
        raise _wrong(f"The region file {shown(name)} cannot be used: {error.message}") from None
    except (ValueError, RecursionError):
        raise _wrong(f"The region file {shown(name)} is not GeoJSON.") from None


def read_region(value: Any, show: Show = shown) -> Region:
    """Return the checked region, with finite numbers; JSON text is parsed.

    :param show: how a value appears in an error.
    :raises DownloadParamsError: if it is in none of the forms that Earth Engine accepts.
    """
    form = read_region_form(value, show)
    if isinstance(form, Area):
        settled = form.settle()
        depth = _DEPTH_OF_POSITIONS[settled["type"]]
        return {**settled, "coordinates": _read_positions(settled["coordinates"], depth, show)}
    if isinstance(form, list) and isinstance(form[0], list):
        Area("Polygon", ([[*form, form[0]]],)).settle()
    return form


def check_region(value: Any) -> Area | list[Any] | str:
    """Return the region as far as it can be read while a DAG file is parsed.

    :raises DownloadParamsError: if it is not a file, and in none of the other forms.
    """
    return str(value) if is_region_file(value) else read_region_form(value)


def read_region_form(value: Any, show: Show = shown) -> Area | list[Any] | str:
    """Return the region as far as it can be read without a geometry library.

    :raises DownloadParamsError: if it is in none of the forms that Earth Engine accepts.
    """
    value = read_json("region", value)
    _check_byte_count(value)
    if isinstance(value, Mapping):
        area = _read_geojson(value, show)
        if area.crs in (None, WGS84):
            check_degrees(area.polygons)
        return area
    table = find_asset_id(value)
    if table and "/" in table:
        return table
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _read_list(list(value), show)
    raise _wrong(f"region is {show(value)}; write {_FORMS}.")


def _check_byte_count(value: Any) -> None:
    byte_count = len(json.dumps(value, default=list))
    if byte_count > limits.MAX_PAYLOAD_BYTE_COUNT:
        raise _wrong(
            f"region is {byte_count:,} bytes of GeoJSON, but a request to Earth Engine has at most "
            f"{limits.MAX_PAYLOAD_BYTE_COUNT:,}; simplify it, or upload it as a table and pass the "
            "table's id."
        )


def _read_geojson(value: Mapping[str, Any], show: Show) -> Area:
    kind = value.get("type")
    if kind == "FeatureCollection":
        area = _read_features(value.get("features"), show)
    elif kind == "Feature" and isinstance(value.get("geometry"), Mapping):
        area = _read_geojson(value["geometry"], show)
    elif kind in ("Polygon", "MultiPolygon"):
        area = _read_geometry(kind, value, show)
    else:
        without = " without a geometry" if kind == "Feature" else ""
        raise _wrong(f"region is GeoJSON of type {show(kind)}{without}; write {_FORMS}.")
    if "crs" not in value:
        return area
    return replace(area, crs=_only_crs({read_crs(value["crs"], show), area.crs} - {None}))


def _read_geometry(kind: str, value: Mapping[str, Any], show: Show) -> Area:
    for member, meant in _MEMBERS.items():
        if value.get(member, meant) is not meant:
            raise _wrong(
                f"region has the member {member!r} with the value {show(value[member])}, but a "
                "download uses straight edges and the even-odd rule; leave it out."
            )
    positions = _read_positions(value.get("coordinates"), _DEPTH_OF_POSITIONS[kind], show)
    return Area(kind, tuple(positions) if kind == "MultiPolygon" else (positions,))


def _read_features(features: Any, show: Show) -> Area:
    """Return the area of all features that have a geometry."""
    if not isinstance(features, list | tuple) or not features:
        raise _wrong("region is a FeatureCollection without features; add at least one.")
    if not all(isinstance(feature, Mapping) for feature in features):
        raise _wrong(f"region holds {show(features)} where features belong.")
    areas = [_read_geojson(each, show) for each in features if not _is_empty(each)]
    if not areas:
        raise _wrong(
            f"region is a FeatureCollection, and none of {len(features):,} features has a geometry."
        )
    if len(areas) == 1:
        return areas[0]
    names = {area.crs for area in areas}
    # If only some features name a crs, the others have the default.
    crs = None if names == {None} else _only_crs({name or WGS84 for name in names})
    polygons = tuple(polygon for area in areas for polygon in area.polygons)
    return Area("MultiPolygon", polygons, crs, is_union=True)


def _is_empty(feature: Mapping[str, Any]) -> bool:
    """Return whether a feature's geometry is null or, as RFC 7946 allows, has no coordinates."""
    geometry = feature.get("geometry")
    if feature.get("type") != "Feature" or "geometry" not in feature:
        return False
    return geometry is None or (isinstance(geometry, Mapping) and geometry.get("coordinates") == [])


def _only_crs(names: set[str | None]) -> str:
    if len(names) > 1:
        raise _wrong(
            f"region uses {' and '.join(sorted(map(str, names)))}; transform its features to one "
            "crs."
        )
    return str(names.pop())


def _read_list(value: list[Any], show: Show) -> list[Any]:
    if len(value) == 4 and not any(isinstance(item, list | tuple) for item in value):
        return _read_box(value, show)
    ring = _read_positions(value, 0, show)
    if len(ring) < 3:
        raise _wrong(f"region is a ring of {len(ring)} points; an area needs at least 3.")
    check_degrees([[ring]])
    return ring


def _read_box(value: list[Any], show: Show) -> list[Any]:
    """Return west, south, east, north, with east beyond 180 if the box crosses 180 degrees.

    ``ee.Geometry.BBox`` does the same. Source: https://github.com/google/earthengine-api,
    ``python/ee/geometry.py``, release 1.7.50.
    """
    west, south, east, north = (_read_coordinate(item, show) for item in value)
    order = "the order is west, south, east, north in degrees"
    if west > east and south < north and west <= 180 and east >= -180:
        if east + 360 - west > 180:
            raise _wrong(
                f"region is {show(value)}, with west greater than east; {order}, and a box that "
                f"crosses 180 degrees of longitude would be {east + 360 - west:g} degrees wide."
            )
        east += 360
    if not (west < east and south < north):
        raise _wrong(f"region is {show(value)}; {order}.")
    check_degrees([[[[west, south], [east, north]]]])
    return [west, south, east, north]


def _read_positions(value: Any, depth: int, show: Show) -> list[Any]:
    """Return nested positions ``[x, y]``; each list of positions is inside ``depth`` lists."""
    if not isinstance(value, list | tuple) or not value:
        raise _wrong(f"region holds {show(value)} where coordinates belong; write {_FORMS}.")
    if depth:
        return [_read_positions(item, depth - 1, show) for item in value]
    for item in value:
        if not isinstance(item, list | tuple) or len(item) not in (2, 3):
            raise _wrong(f"region holds {show(item)} where an [x, y] pair belongs; write {_FORMS}.")
    return [[_read_coordinate(x, show), _read_coordinate(y, show)] for x, y, *_ in value]


def _read_coordinate(value: Any, show: Show) -> float:
    try:
        return read_number("region", value)
    except DownloadParamsError:
        if show is shown:
            raise
        raise _wrong(f"region holds {show(value)} where a finite number belongs.") from None


def _kind_of(value: Any) -> str:
    """Return the kind of a value that must not be shown."""
    return f"a {type(value).__name__}"


def _wrong(message: str) -> DownloadParamsError:
    return DownloadParamsError(message, field="region")
