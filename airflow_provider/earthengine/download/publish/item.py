"""The STAC Item of a download: what was stored, where it came from, and that it is complete.

It is the commit record: written last, once everything that it names is in the bucket.
Source: https://github.com/radiantearth/stac-spec/blob/v1.1.0/item-spec/item-spec.md, read 2026-11.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pystac
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension

from airflow_provider.earthengine import __version__
from airflow_provider.earthengine.download.fields.destination import Destination, Identity
from airflow_provider.earthengine.download.fields.image import ImageSource
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.source import update_time
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import ImageInfo
from airflow_provider.earthengine.download.publish.files import GrowingFile, LocalFile
from airflow_provider.earthengine.download.publish.record import (
    ETAG,
    FINGERPRINT,
    GENERATION,
    SHA256_MULTIHASH,
    StoredObject,
)
from airflow_provider.earthengine.download.raster.facts import BandFacts, RasterFacts

_WGS84 = "EPSG:4326"


@dataclass(frozen=True)
class Run:
    """Which run requested the download, and for which time.

    :param facts: names and numbers of the run, for example ``{"airflow:dag_id": "daily"}``.
    :param window: start and end of the run's data interval, or None.
    """

    facts: Mapping[str, Any]
    window: tuple[datetime, datetime] | None = None


@dataclass(frozen=True)
class Source:
    """What was downloaded: the program, Earth Engine's description of it, and the parameters.

    :param record: what the user adds, under STAC's names, for example ``license``.
    """

    image: ImageSource
    info: ImageInfo
    params: DownloadParams
    record: Mapping[str, str]


def build_item(
    destination: Destination,
    identity: Identity,
    source: Source,
    run: Run,
    files: Sequence[LocalFile | GrowingFile],
    stored: Sequence[StoredObject],
) -> bytes:
    """Return the item as JSON.

    :param files: in the order of the bands.
    :param stored: the object of each file.
    """
    created = datetime.now(UTC)
    rasters = [raster for file in files for raster in file.rasters]
    geometry, bbox = _footprint([raster.grid for raster in rasters if raster.grid])
    item = pystac.Item(
        id=destination.base,
        geometry=geometry,
        bbox=bbox,
        properties=_describe(identity, source, run, rasters),
        **_times(source.info.properties, run, created),
    )
    item.common_metadata.created = created
    for file, each in zip(files, stored, strict=True):
        name = file.rasters[0].bands[0].id if len(stored) > 1 else "data"
        asset = pystac.Asset(destination.uri(each.key), media_type=file.media_type, roles=["data"])
        item.add_asset(name, asset)
        _describe_asset(asset, file, each)
    content = item.to_dict(include_self_link=False, transform_hrefs=False)
    return json.dumps(content, indent=2, allow_nan=False).encode()


def _describe(
    identity: Identity, source: Source, run: Run, rasters: Sequence[RasterFacts]
) -> dict[str, Any]:
    described = {
        FINGERPRINT: identity.fingerprint,
        GENERATION: identity.generation,
        "earthengine:asset_id": source.image.asset_id,
        "earthengine:asset_version": source.info.version,
        "earthengine:asset_update_time": _update_time(source),
        "earthengine:params": source.params.to_request(),
        "earthengine:properties": _finite(source.info.properties),
        "earthengine:software": {
            "airflow-provider-earthengine": __version__,
            "earthengine-api": version("earthengine-api"),
        },
        "earthengine:warnings": [
            warning for raster in rasters for warning in raster.warnings
        ],
        **source.record,
        **run.facts,
    }  # fmt: skip
    return {
        key: value
        for key, value in described.items()
        if value is not None and value not in ([], {})
    }


def _update_time(source: Source) -> str | None:
    """Return when the asset was ingested, according to its version."""
    if source.image.asset_id is None:
        return None
    moment = update_time(source.info.version)
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _describe_asset(
    asset: pystac.Asset, file: LocalFile | GrowingFile, stored: StoredObject
) -> None:
    recorded = FileExtension.ext(asset, add_if_missing=True)
    recorded.size = stored.byte_count
    recorded.checksum = f"{SHA256_MULTIHASH}{stored.sha256}"
    asset.extra_fields[ETAG] = stored.etag
    asset.extra_fields["bands"] = [
        _describe_band(band) for raster in file.rasters for band in raster.bands
    ]
    grids = {raster.grid for raster in file.rasters}
    grid = grids.pop() if len(grids) == 1 else None
    if grid:
        projected = ProjectionExtension.ext(asset, add_if_missing=True)
        if grid.crs.startswith("EPSG:"):
            projected.code = grid.crs
        elif grid.crs:
            projected.wkt2 = grid.crs
        projected.shape = [grid.height, grid.width]
        projected.transform = list(grid.transform)


def _describe_band(band: BandFacts) -> dict[str, Any]:
    described: dict[str, Any] = {"name": band.id, "data_type": band.dtype}
    if band.nodata is not None:
        described["nodata"] = _json_number(band.nodata)
    described["statistics"] = {
        key: value for key, value in asdict(band.statistics).items() if value is not None
    }
    return described


def _json_number(value: float) -> float | str:
    """Return the number, or its STAC name: "nan", "inf", "-inf"."""
    return value if math.isfinite(value) else str(value)


def _finite(value: Any) -> Any:
    """Return JSON data in which every number can be written as JSON."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return _json_number(value) if isinstance(value, float) else value


def _times(properties: Mapping[str, Any], run: Run, created: datetime) -> dict[str, Any]:
    """Return the image's own time, else the run's window, else the time of the download."""
    start, end = (_time(properties.get(f"system:time_{name}")) for name in ("start", "end"))
    if start and end and end > start:
        return {"datetime": start, "start_datetime": start, "end_datetime": end}
    if start:
        return {"datetime": start}
    if run.window and run.window[1] > run.window[0]:
        return {
            "datetime": None, "start_datetime": run.window[0], "end_datetime": run.window[1]
        }  # fmt: skip
    return {"datetime": run.window[0] if run.window else created}


def _time(milliseconds: Any) -> datetime | None:
    if not isinstance(milliseconds, int | float):
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _footprint(
    grids: Sequence[PixelGrid],
) -> tuple[dict[str, Any] | None, list[float] | None]:
    """Return the outline of the largest grid in longitude and latitude, and its bounds."""
    grids = [grid for grid in grids if grid.crs]
    if not grids:
        return None, None
    largest = max(grids, key=lambda grid: grid.width * grid.height)
    geometry = largest.outline_in(_WGS84)
    if geometry is None:
        return None, None
    geometry = {"type": geometry["type"], "coordinates": _as_lists(geometry["coordinates"])}
    positions = list(_positions(geometry["coordinates"]))
    longitudes, latitudes = zip(*positions, strict=True)
    return geometry, [min(longitudes), min(latitudes), max(longitudes), max(latitudes)]


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _positions(value: Any) -> Any:
    if isinstance(value[0], int | float):
        yield value[:2]
    else:
        for item in value:
            yield from _positions(item)
