"""The STAC Item of a download: what was stored, where it came from, and that it is complete.

It is the commit record: written last, once everything that it names is in the bucket.
Source: https://github.com/radiantearth/stac-spec/blob/v1.1.0/item-spec/item-spec.md, read 2026-11.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pystac

from airflow_provider.earthengine import __version__
from airflow_provider.earthengine.download.fields.collection import StacCollection
from airflow_provider.earthengine.download.fields.destination import Destination, Identity
from airflow_provider.earthengine.download.fields.image import ImageSource
from airflow_provider.earthengine.download.fields.lattice import Lattice
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.record import RECORD_TIMES
from airflow_provider.earthengine.download.fields.region import Region
from airflow_provider.earthengine.download.fields.source import KnownSource, update_time
from airflow_provider.earthengine.download.plan.image_info import ImageInfo
from airflow_provider.earthengine.download.plan.origin import catalogued_sources, sensor_of
from airflow_provider.earthengine.download.plan.sensors import Sensor
from airflow_provider.earthengine.download.publish.files import LocalFile
from airflow_provider.earthengine.download.publish.footprint import footprint
from airflow_provider.earthengine.download.publish.item_assets import (
    BandNames,
    add_asset,
    json_number,
)
from airflow_provider.earthengine.download.publish.item_links import build_links
from airflow_provider.earthengine.download.publish.published_data import TIME_SOURCE
from airflow_provider.earthengine.download.publish.record import (
    ALL_MASKED,
    FINGERPRINT,
    GENERATION,
    WARNINGS,
    StoredObject,
)
from airflow_provider.earthengine.download.publish.recorded_params import (
    record_params,
    region_table,
)
from airflow_provider.earthengine.download.publish.times import (
    DataTimes,
    choose_times,
    remarks_on_times,
)
from airflow_provider.earthengine.download.publish.typed_properties import (
    extensions_of,
    typed_properties,
)
from airflow_provider.earthengine.download.raster.facts import RasterFacts
from airflow_provider.earthengine.one_line import one_line

PROCESSING = "https://stac-extensions.github.io/processing/v1.1.0/schema.json"

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
    :param bands: what the user says of the bands, by their ids, under STAC's names.
    :param lattice: that the pixels were snapped to; None if they were not.
    :param region: that was snapped.
    :param collection: the collection that the item joins.
    """

    image: ImageSource
    info: ImageInfo
    params: DownloadParams
    record: Mapping[str, str]
    listed: KnownSource = field(default_factory=KnownSource)
    bands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lattice: Lattice | None = None
    region: Region | None = None
    collection: StacCollection | None = None

    @property
    def catalogued(self) -> tuple[str, ...]:
        """The ids of what it is made of, as Earth Engine's catalog has them."""
        return catalogued_sources(self.image, self.info, self.listed)

    @property
    def sensor(self) -> Sensor | None:
        """The sensor that all of it is of; None if it is not known."""
        return sensor_of(self.image, self.info, self.listed)


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
    times = choose_times(source.info.properties, source.listed, source.record, run.window)
    warnings = _gather_warnings(source, rasters, times)
    known = typed_properties(source.info.properties, source.sensor)
    item = pystac.Item(
        id=destination.item_id,
        geometry=geometry,
        bbox=bbox,
        properties={
            TIME_SOURCE: times.source,
            **known,
            **_describe(identity, source, run, warnings),
            **_name_masked(destination, rasters),
            **destination.to_item(),
        },
        datetime=times.moment,
        start_datetime=times.start,
        end_datetime=times.end,
        stac_extensions=[PROCESSING, *extensions_of(known)],
        collection=source.collection.id if source.collection else None,
    )
    item.common_metadata.created = datetime.now(UTC)
    _add_assets(item, destination, BandNames(source.sensor, source.bands), files, stored)
    return _to_json(item, build_links(destination, source.catalogued, source.collection))


def _add_assets(
    item: pystac.Item,
    destination: Destination,
    names: BandNames,
    files: Sequence[LocalFile],
    stored: Sequence[StoredObject],
) -> None:
    for file, each in zip(files, stored, strict=True):
        name = file.rasters[0].bands[0].id if len(stored) > 1 else "data"
        add_asset(item, name, destination.uri(each.key), file, each, names)


def _gather_warnings(source: Source, rasters: Sequence[RasterFacts], times: DataTimes) -> list[str]:
    """Return all warnings about a download; those about its times are logged here."""
    remarks = remarks_on_times(times, source.info.properties, source.record)
    for remark in remarks:
        log.warning("%s", one_line(remark))
    return [
        *source.info.warnings,
        *(warning for raster in rasters for warning in raster.warnings),
        *remarks,
    ]


def _to_json(item: pystac.Item, links: list[dict[str, Any]]) -> bytes:
    """Return the item's text, with the least ``gsd`` of its assets."""
    sides = [asset.common_metadata.gsd for asset in item.assets.values()]
    if known := [side for side in sides if side is not None]:
        item.common_metadata.gsd = min(known)
    content = item.to_dict(include_self_link=False, transform_hrefs=False)
    return json.dumps({**content, "links": links}, indent=2, allow_nan=False).encode()


def _describe(
    identity: Identity, source: Source, run: Run, warnings: Sequence[str]
) -> dict[str, Any]:
    described = {
        FINGERPRINT: identity.fingerprint,
        GENERATION: identity.generation,
        "earthengine:asset_id": source.image.asset_id,
        "earthengine:asset_version": source.info.version,
        "earthengine:asset_update_time": _update_time(source),
        "earthengine:params": record_params(source.params, source.region),
        "earthengine:grid": _describe_lattice(source.lattice),
        "earthengine:region_table": region_table(source.params),
        # As one text, because other images' properties of the same names may be of other types.
        "earthengine:properties": _as_text(source.info.properties),
        "processing:lineage": _tell_lineage(source),
        "processing:software": {
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


def _describe_lattice(lattice: Lattice | None) -> dict[str, Any] | None:
    if lattice is None:
        return None
    return {"crs": lattice.crs, "transform": list(lattice.transform)}


def _tell_lineage(source: Source) -> str:
    """Return where the pixels are from, in one sentence."""
    if source.image.asset_id:
        return f"Downloaded from Google Earth Engine: {source.image.asset_id}."
    of = f" from {', '.join(source.catalogued)}" if source.catalogued else ""
    return f"Computed by Google Earth Engine{of}, by the download's expression."


def _name_masked(destination: Destination, rasters: Sequence[RasterFacts]) -> dict[str, Any]:
    """Return the property that names the rasters without a valid pixel, if there are any."""
    names = [destination.name(each.plan.suffix) for each in rasters if each.is_all_masked]
    return {ALL_MASKED: names} if names else {}


def _update_time(source: Source) -> str | None:
    """Return when the asset was ingested, according to its version."""
    if source.image.asset_id is None:
        return None
    moment = update_time(source.info.version)
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _as_text(properties: Mapping[str, Any]) -> str | None:
    text = json.dumps(_finite(properties), allow_nan=False, ensure_ascii=False)
    return text if properties else None


def _finite(value: Any) -> Any:
    """Return JSON data in which every number can be written as JSON."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return json_number(value) if isinstance(value, float) else value
