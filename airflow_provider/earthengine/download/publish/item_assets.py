"""A stored file -> the asset of the item that describes it: its place, size, grid and bands.

Each band is described three times, because no tool reads all: ``bands`` is STAC 1.1's own, which
rio-tiler and pystac read; ``eo:bands`` is what odc-stac finds bands by, by name and common name.
Measured with odc-stac 0.5.3, rio-tiler 9.4 and pystac 1.15, in 2026-11. odc-stac reads types,
nodata values and units from ``bands``; none of the three reads ``raster:bands``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pystac
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from rasterio.enums import WktVersion

from airflow_provider.earthengine.download.crs import resolve_crs
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.sensors import Sensor
from airflow_provider.earthengine.download.publish.files import LocalFile
from airflow_provider.earthengine.download.publish.record import (
    ETAG,
    SHA256_MULTIHASH,
    StoredObject,
)
from airflow_provider.earthengine.download.publish.typed_properties import EO
from airflow_provider.earthengine.download.raster.facts import BandFacts

RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
_CODE = re.compile(r"[A-Za-z][\w-]*:\w+")
# A degree at the equator of WGS 84, by which Earth Engine states the scale of such a grid. Source:
# https://developers.google.com/earth-engine/apidocs/ee-projection-nominalscale, read 2026-11.
_METRES_PER_DEGREE = math.pi / 180 * 6_378_137
# Of the bands of ``ee.Image.visualize``.
_DISPLAYED = ("vis-red", "vis-green", "vis-blue")


@dataclass(frozen=True)
class BandNames:
    """What is known of the bands of a download but for their pixels.

    :param sensor: that they are of; None if it is not known.
    :param given: what the user says of them, by band id: see :func:`~.record.read_band_records`.
    """

    sensor: Sensor | None
    given: Mapping[str, Mapping[str, Any]]


def add_asset(
    item: pystac.Item, name: str, uri: str, file: LocalFile, stored: StoredObject, names: BandNames
) -> None:
    """Add the asset to the item, and the extensions whose fields it has."""
    bands = [band for raster in file.rasters for band in raster.bands]
    asset = pystac.Asset(uri, media_type=file.media_type, roles=_roles(bands))
    item.add_asset(name, asset)
    recorded = FileExtension.ext(asset, add_if_missing=True)
    recorded.size = stored.byte_count
    recorded.checksum = f"{SHA256_MULTIHASH}{stored.sha256}"
    described = [_describe_band(band, names) for band in bands]
    asset.extra_fields[ETAG] = stored.etag
    asset.extra_fields["bands"] = described
    asset.extra_fields["eo:bands"] = [_describe_for_eo(band) for band in described]
    is_scaled = any(key.startswith("raster:") for band in described for key in band)
    for uri_of_extension in (EO, *([RASTER] if is_scaled else [])):
        if uri_of_extension not in item.stac_extensions:
            item.stac_extensions.append(uri_of_extension)
    grids = {raster.grid for raster in file.rasters}
    grid = grids.pop() if len(grids) == 1 else None
    if grid:
        _describe_grid(asset, grid)


def _roles(bands: list[BandFacts]) -> list[str]:
    return ["data", *(["visual"] if tuple(band.id for band in bands) == _DISPLAYED else [])]


def _describe_grid(asset: pystac.Asset, grid: PixelGrid) -> None:
    projected = ProjectionExtension.ext(asset, add_if_missing=True)
    _describe_crs(projected, grid.crs)
    projected.shape = [grid.height, grid.width]
    projected.transform = list(grid.transform)
    metres = pixel_metres(grid)
    if metres is not None:
        asset.common_metadata.gsd = metres


def pixel_metres(grid: PixelGrid) -> float | None:
    """Return the shorter side of a pixel in metres, nominally; None if PROJ knows no crs."""
    crs = resolve_crs(grid.crs)
    if crs is None:
        return None
    a, b, _, d, e, _ = grid.transform
    unit = _METRES_PER_DEGREE if crs.is_geographic else crs.linear_units_factor[1]
    return float(f"{min(math.hypot(a, d), math.hypot(b, e)) * unit:.9g}")


def _describe_crs(projected: ProjectionExtension[pystac.Asset], name: str) -> None:
    """Record the crs as an EPSG code, as WKT2, or as a code that PROJ does not know.

    Source: https://github.com/stac-extensions/projection#projcode, read 2026-11.
    """
    crs = resolve_crs(name)
    if name.startswith("EPSG:") or (crs is None and _CODE.fullmatch(name)):
        projected.code = name
    elif crs:
        projected.wkt2 = crs.to_wkt(version=WktVersion.WKT2_2019)


def _describe_band(band: BandFacts, names: BandNames) -> dict[str, Any]:
    described: dict[str, Any] = {"name": band.id, "data_type": band.dtype}
    if band.nodata is not None:
        described["nodata"] = json_number(band.nodata)
    described["statistics"] = {
        key: value for key, value in asdict(band.statistics).items() if value is not None
    }
    measured = names.sensor.band(band.id) if names.sensor else None
    if measured:
        described["eo:common_name"] = measured.common_name
        described["eo:center_wavelength"] = measured.center_wavelength
        if measured.full_width_half_max is not None:
            described["eo:full_width_half_max"] = measured.full_width_half_max
    return {**described, **names.given.get(band.id, {})}


def _describe_for_eo(band: Mapping[str, Any]) -> dict[str, Any]:
    """Return a band as the extension had it before STAC 1.1, which knows one red edge only."""
    described = {"name": band["name"]}
    for key, value in band.items():
        if key.startswith("eo:"):
            is_red_edge = isinstance(value, str) and value.startswith("rededge")
            described[key.removeprefix("eo:")] = "rededge" if is_red_edge else value
    return described


def json_number(value: float) -> float | str:
    """Return the number, or its STAC name: "nan", "inf", "-inf"."""
    return value if math.isfinite(value) else str(value)
