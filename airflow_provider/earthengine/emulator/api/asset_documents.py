"""Assets as the API shows them: ``assets.get`` and ``assets.listAssets``.

Source: https://developers.google.com/earth-engine/reference/rest/v1/projects.assets (2025-08).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.emulator.catalog.catalog import Asset
from airflow_provider.earthengine.emulator.values.elements import FEATURES, outline_of
from airflow_provider.earthengine.emulator.values.images import Band, Image
from airflow_provider.earthengine.emulator.values.pixels import StoredPixels
from airflow_provider.earthengine.emulator.values.projections import is_wkt

_TYPES = {"Image": "IMAGE", "ImageCollection": "IMAGE_COLLECTION", "FeatureCollection": "TABLE"}
_TIMES = {"startTime": "system:time_start", "endTime": "system:time_end"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PUBLIC = "projects/earthengine-public/assets/"
_LEGACY = "projects/earthengine-legacy/assets/"


def asset_id_of(name: str) -> str:
    """Return the asset id of a resource name."""
    return name.removeprefix(_PUBLIC).removeprefix(_LEGACY)


def asset_name_of(asset_id: str) -> str:
    """Return the resource name of an asset id."""
    if asset_id.startswith("projects/"):
        return asset_id
    return f"{_LEGACY if asset_id.startswith('users/') else _PUBLIC}{asset_id}"


def asset_document(asset: Asset) -> dict[str, Any]:
    """Return an asset as the API shows it."""
    value = asset.value
    document: dict[str, Any] = {
        "type": _TYPES[asset.kind],
        "name": asset_name_of(asset.id),
        "id": asset.id,
        "updateTime": _time(value.version or 0, 1_000_000, "microseconds"),
    }
    if asset.byte_count is not None:
        document["sizeBytes"] = str(asset.byte_count)
    own = {k: v for k, v in value.properties.items() if not k.startswith("system:")}
    if own:
        document["properties"] = own
    if isinstance(value, Image):
        document |= _image_fields(value)
    elif value.kind == FEATURES:
        document["featureCount"] = str(len(value.elements))
    return document


def _time(number: float, per_second: int, precision: str) -> str:
    """Return a time since 1970 as protocol buffers write it."""
    moment = _EPOCH + timedelta(microseconds=number * 1_000_000 / per_second)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def folder_document(folder_id: str) -> dict[str, Any]:
    """Return a folder as the API shows it."""
    return {"type": "FOLDER", "name": asset_name_of(folder_id), "id": folder_id}


def _image_fields(image: Image) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, key in _TIMES.items():
        if key in image.properties:
            fields[name] = _time(image.properties[key], 1000, "milliseconds")
    ring = outline_of(image.bands)
    fields["geometry"] = None if ring is None else {"type": "Polygon", "coordinates": [ring]}
    fields["bands"] = [_band_document(band) for band in image.bands]
    return fields


def _band_document(band: Band) -> dict[str, Any]:
    kind = band.pixel_type
    described = kind.as_json()
    data_type: dict[str, Any] = {"precision": str(described["precision"]).upper()}
    if "min" in described:
        data_type["range"] = {"min": described["min"], "max": described["max"]}
    names = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")
    transform = list(band.projection.transform)[:6]
    grid: dict[str, Any] = {
        "crsWkt" if is_wkt(band.projection.crs) else "crsCode": band.projection.crs,
        "affineTransform": {n: v for n, v in zip(names, transform, strict=True) if v != 0},
    }
    own = band.grid()
    if own is not None:
        grid["dimensions"] = {"width": own.width, "height": own.height}
    is_sampled = isinstance(band.source, StoredPixels) and band.source.is_sampled
    policy = "SAMPLE" if is_sampled else "MEAN"
    return {"id": band.id, "dataType": data_type, "grid": grid, "pyramidingPolicy": policy}
