"""The region of a download: GeoJSON in its usual clothes -> what ``ee.data.getDownloadId`` takes.

Only the form is checked here; whether the region meets the image is Earth Engine's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider.earthengine.download.values import read_json, read_number, shown
from airflow_provider.earthengine.exceptions import DownloadParamsError

Region = dict[str, Any] | list[Any]
"""A GeoJSON geometry, ``[west, south, east, north]`` in degrees, or a ring of ``[x, y]`` pairs."""

_DEPTH_OF_POSITIONS = {"Polygon": 1, "MultiPolygon": 2}
_FORMS = (
    "a GeoJSON Polygon or MultiPolygon, a feature of one, [west, south, east, north], "
    "or a ring of [longitude, latitude] pairs"
)


def read_region(value: Any) -> Region:
    """Return the region checked, its numbers finite; JSON text is parsed.

    :raises DownloadParamsError: when it is none of the forms that Earth Engine takes.
    """
    value = read_json("region", value)
    if isinstance(value, Mapping):
        return _read_geojson(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _read_list(list(value))
    raise DownloadParamsError(f"region is {shown(value)}; write {_FORMS}.", field="region")


def _read_geojson(value: Mapping[str, Any]) -> dict[str, Any]:
    if value.get("type") == "Feature" and isinstance(value.get("geometry"), Mapping):
        return _read_geojson(value["geometry"])
    if value.get("type") == "FeatureCollection":
        features = value.get("features") or []
        if len(features) == 1:
            return _read_geojson(features[0])
        raise DownloadParamsError(
            f"region is a FeatureCollection of {len(features)} features; give one feature, "
            "or one MultiPolygon of them all.",
            field="region",
        )
    depth = _DEPTH_OF_POSITIONS.get(str(value.get("type")))
    if depth is None:
        raise DownloadParamsError(
            f"region is GeoJSON of type {shown(value.get('type'))}; write {_FORMS}.",
            field="region",
        )
    coordinates = _read_positions(value.get("coordinates"), depth)
    return {"type": value["type"], "coordinates": coordinates}


def _read_list(value: list[Any]) -> list[Any]:
    if len(value) == 4 and not any(isinstance(item, list | tuple) for item in value):
        west, south, east, north = (read_number("region", item) for item in value)
        if not (west < east and south < north):
            raise DownloadParamsError(
                f"region is {shown(value)}; the order is west, south, east, north in degrees.",
                field="region",
            )
        return [west, south, east, north]
    ring = _read_positions(value, 0)
    if len(ring) < 3:
        raise DownloadParamsError(
            f"region is a ring of {len(ring)} points; an area needs at least 3.", field="region"
        )
    return ring


def _read_positions(value: Any, depth: int) -> list[Any]:
    """Return nested positions ``[x, y]``; ``depth`` lists stand around each list of positions."""
    if not isinstance(value, list | tuple) or not value:
        raise DownloadParamsError(
            f"region holds {shown(value)} where coordinates belong; write {_FORMS}.",
            field="region",
        )
    if depth:
        return [_read_positions(item, depth - 1) for item in value]
    for item in value:
        if not isinstance(item, list | tuple) or len(item) not in (2, 3):
            raise DownloadParamsError(
                f"region holds {shown(item)} where an [x, y] pair belongs; write {_FORMS}.",
                field="region",
            )
    return [[read_number("region", x), read_number("region", y)] for x, y, *_ in value]
