"""The features of a table asset: a GeoJSON file next to its description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from airflow_provider.earthengine.emulator.strict_json import Description
from airflow_provider.earthengine.emulator.values.elements import Feature
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.projections import Projection

WGS84 = Projection("EPSG:4326", Affine.identity())


def read_features(description: Description, path: Path) -> tuple[Feature, ...]:
    """Return the features of the file that the field ``file`` names."""
    name = description.take_text("file")
    try:
        document = json.loads((path.parent / name).read_text(encoding="utf-8"))
        return tuple(
            _read_feature(item, number) for number, item in enumerate(document["features"])
        )
    except OSError as error:
        raise description.error("file", f"{name} cannot be read: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        problem = f"{name} is not a GeoJSON feature collection of points and polygons: {error!r}"
        raise description.error("file", problem) from None


def _read_feature(item: dict[str, Any], number: int) -> Feature:
    geometry = item["geometry"]
    properties = {"system:index": f"{number:020x}"} | (item.get("properties") or {})
    index = str(properties["system:index"])
    return Feature(None if geometry is None else _read_geometry(geometry), properties, index)


def _read_geometry(geometry: dict[str, Any]) -> Geometry:
    kind, coordinates = geometry["type"], geometry["coordinates"]
    if kind == "Point":
        polygons = [[[coordinates]]]
    elif kind == "Polygon":
        polygons = [coordinates]
    elif kind == "MultiPolygon":
        polygons = coordinates
    else:
        raise ValueError(f"a geometry of the type {kind!r}")
    rings = [
        (np.array(ring, dtype=np.float64).reshape(-1, 2), owner)
        for owner, polygon in enumerate(polygons)
        for ring in polygon
    ]
    return Geometry(
        kind, tuple(ring for ring, _ in rings), tuple(owner for _, owner in rings), WGS84
    )
