"""The features of a table asset: a GeoJSON file next to its description."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider.earthengine.emulator.catalog.described_files import Place
from airflow_provider.earthengine.emulator.strict_json import Description
from airflow_provider.earthengine.emulator.values.elements import Feature
from airflow_provider.earthengine.emulator.values.geojson import read_geojson


def read_features(description: Description, place: Place) -> tuple[tuple[Feature, ...], int]:
    """Return the features of the file that the field ``file`` names, and the file's size."""
    name, path = place.take_file(description)
    try:
        content = path.read_bytes()
        document = json.loads(content.decode())
        features = tuple(
            _read_feature(item, number) for number, item in enumerate(document["features"])
        )
    except OSError as error:
        raise description.error("file", f"{name} cannot be read: {error}") from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        problem = f"{name} is not a GeoJSON feature collection of simple geometries: {error!r}"
        raise description.error("file", problem) from None
    return features, len(content)


def _read_feature(item: dict[str, Any], number: int) -> Feature:
    geometry = item["geometry"]
    properties = {"system:index": f"{number:020x}"} | (item.get("properties") or {})
    index = str(properties["system:index"])
    return Feature(None if geometry is None else read_geojson(geometry), properties, index)
