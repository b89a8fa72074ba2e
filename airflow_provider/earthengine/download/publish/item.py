"""The STAC Item of a download: what was stored, where it came from, and that it is complete.

It is the commit record: written last, once everything that it names is in the bucket.
Source: https://github.com/radiantearth/stac-spec/blob/v1.1.0/item-spec/item-spec.md, read 2026-11.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pystac
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from rasterio.enums import WktVersion

from airflow_provider.earthengine import __version__
from airflow_provider.earthengine.download.fields.destination import Destination, Identity
from airflow_provider.earthengine.download.fields.image import ImageSource
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.record import RECORD_TIMES
from airflow_provider.earthengine.download.fields.source import KnownSource, update_time
from airflow_provider.earthengine.download.plan.crs import resolve_crs
from airflow_provider.earthengine.download.plan.image_info import ImageInfo
from airflow_provider.earthengine.download.publish.files import LocalFile
from airflow_provider.earthengine.download.publish.footprint import footprint
from airflow_provider.earthengine.download.publish.published_data import TIME_SOURCE
from airflow_provider.earthengine.download.publish.record import (
    ALL_MASKED,
    ETAG,
    FINGERPRINT,
    GENERATION,
    SHA256_MULTIHASH,
    WARNINGS,
    StoredObject,
)
from airflow_provider.earthengine.download.publish.times import choose_times, remarks_on_times
from airflow_provider.earthengine.download.raster.facts import BandFacts, RasterFacts
from airflow_provider.earthengine.one_line import one_line

_CODE = re.compile(r"[A-Za-z][\w-]*:\w+")

log = logging.getLogger(__name__)


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
    :param listed: what a listing reported about it.
    """

    image: ImageSource
    info: ImageInfo
    params: DownloadParams
    record: Mapping[str, str]
    listed: KnownSource = field(default_factory=KnownSource)


def build_item(
    destination: Destination,
    identity: Identity,
    source: Source,
    run: Run,
    files: Sequence[LocalFile],
    stored: Sequence[StoredObject],
) -> bytes:
    """Return the item as JSON.

    :param files: in the order of the bands.
    :param stored: the object of each file.
    """
    rasters = [raster for file in files for raster in file.rasters]
    geometry, bbox = footprint(raster.grid for raster in rasters if raster.grid)
    properties = source.info.properties
    times = choose_times(properties, source.listed, source.record, run.window)
    remarks = remarks_on_times(times, properties, source.record)
    for remark in remarks:
        log.warning("%s", one_line(remark))
    warnings = [
        *source.info.warnings,
        *(warning for raster in rasters for warning in raster.warnings),
        *remarks,
    ]
    item = pystac.Item(
        id=destination.item_id,
        geometry=geometry,
        bbox=bbox,
        properties={
            TIME_SOURCE: times.source,
            **_describe(identity, source, run, warnings),
            **_name_masked(destination, rasters),
        },
        datetime=times.moment,
        start_datetime=times.start,
        end_datetime=times.end,
    )
    item.common_metadata.created = datetime.now(UTC)
    for file, each in zip(files, stored, strict=True):
        name = file.rasters[0].bands[0].id if len(stored) > 1 else "data"
        asset = pystac.Asset(destination.uri(each.key), media_type=file.media_type, roles=["data"])
        item.add_asset(name, asset)
        _describe_asset(asset, file, each)
    content = item.to_dict(include_self_link=False, transform_hrefs=False)
    return json.dumps(content, indent=2, allow_nan=False).encode()


def _describe(
    identity: Identity, source: Source, run: Run, warnings: Sequence[str]
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
        WARNINGS: warnings,
        **{key: text for key, text in source.record.items() if key not in RECORD_TIMES},
        **run.facts,
    }
    return {
        key: value
        for key, value in described.items()
        if value is not None and value not in ([], {})
    }


def _name_masked(destination: Destination, rasters: Sequence[RasterFacts]) -> dict[str, Any]:
    """Return the property that names the rasters without a valid pixel, if there are any."""
    names = [f"{destination.base}{each.plan.suffix}" for each in rasters if each.is_all_masked]
    return {ALL_MASKED: names} if names else {}


def _update_time(source: Source) -> str | None:
    """Return when the asset was ingested, according to its version."""
    if source.image.asset_id is None:
        return None
    moment = update_time(source.info.version)
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _describe_asset(asset: pystac.Asset, file: LocalFile, stored: StoredObject) -> None:
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
        _describe_crs(projected, grid.crs)
        projected.shape = [grid.height, grid.width]
        projected.transform = list(grid.transform)


def _describe_crs(projected: ProjectionExtension[pystac.Asset], name: str) -> None:
    """Record the crs as an EPSG code, as WKT2, or as a code that PROJ does not know.

    Source: https://github.com/stac-extensions/projection#projcode, read 2026-11.
    """
    crs = resolve_crs(name)
    if name.startswith("EPSG:") or (crs is None and _CODE.fullmatch(name)):
        projected.code = name
    elif crs:
        projected.wkt2 = crs.to_wkt(version=WktVersion.WKT2_2019)


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
