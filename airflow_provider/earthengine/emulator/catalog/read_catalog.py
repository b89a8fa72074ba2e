"""A directory of JSON descriptions -> a catalog.

The emulator's README describes the format. Every mistake is a
:class:`~airflow_provider.earthengine.emulator.strict_json.CatalogError` at start.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import rasterio
from rasterio.crs import CRS
from rasterio.errors import RasterioError

from airflow_provider.earthengine.emulator.access.identities import (
    ACCOUNTS_FILE,
    Identities,
    read_identities,
)
from airflow_provider.earthengine.emulator.catalog.catalog import Asset, Catalog
from airflow_provider.earthengine.emulator.catalog.described_files import Place
from airflow_provider.earthengine.emulator.catalog.formulas import (
    FormulaBand,
    make_band,
    read_formula_bands,
    take_crs,
    take_is_sampled,
)
from airflow_provider.earthengine.emulator.catalog.landscape import Scene
from airflow_provider.earthengine.emulator.catalog.series import Series, read_series
from airflow_provider.earthengine.emulator.catalog.stored_pixels import NOISE_BITS, FileRaster
from airflow_provider.earthengine.emulator.catalog.tables import read_features
from airflow_provider.earthengine.emulator.strict_json import CatalogError, Description
from airflow_provider.earthengine.emulator.values.elements import (
    FEATURES,
    FOOTPRINT,
    IMAGES,
    Collection,
    outline_of,
)
from airflow_provider.earthengine.emulator.values.images import Band, Image, PixelType
from airflow_provider.earthengine.emulator.values.projections import Projection

# Added to the seed of a reprocessed image, so that every pixel differs.
REPROCESSED = 10_000


def read_catalog(directory: Path) -> Catalog:
    """Return the catalog of a directory and its subdirectories.

    :raises CatalogError: if a description is wrong; names the file and the first wrong field.
    """
    if not directory.is_dir():
        raise CatalogError(f"{directory}: is not a directory")
    assets: dict[str, Asset] = {}
    identities = Identities()
    for path in _descriptions_in(directory):
        description = Description.read(path)
        if path.name == ACCOUNTS_FILE:
            identities = identities.joined(read_identities(description))
            continue
        asset = read_asset(description, Place(path.parent, directory))
        if asset.id in assets:
            raise CatalogError(f"{path}: id: {asset.id!r} is described twice")
        assets[asset.id] = asset
    return Catalog(assets, identities, directory)


def _descriptions_in(directory: Path) -> list[Path]:
    """Return the descriptions, in order. A folder that cannot be read is not an empty one."""

    def refuse(error: OSError) -> None:
        raise CatalogError(f"{error.filename}: cannot be read: {error.strerror}")

    return sorted(
        Path(folder, name)
        for folder, _, names in os.walk(directory, onerror=refuse)
        for name in names
        if name.endswith(".json")
    )


def read_asset(description: Description, place: Place) -> Asset:
    """Return a described asset.

    :param place: where the files that it names are.
    """
    asset_id = description.take_text("id")
    kind = description.take_text("kind")
    if kind not in _READERS:
        kinds = ", ".join(repr(known) for known in _READERS)
        raise description.error("kind", f"must be one of {kinds}, not {kind!r}")
    version = description.take_integer("version", 0, 1)
    properties = description.take_object("properties", {})
    readers = description.take_texts("readers", None)
    asset = _READERS[kind](description, place, asset_id, version, properties, readers)
    description.finish()
    return asset


def _read_file_image(
    description: Description,
    place: Place,
    asset_id: str,
    version: int,
    properties: dict[str, Any],
    readers: tuple[str, ...] | None,
) -> Asset:
    bands: list[Band] = []
    paths: set[Path] = set()
    for fields in description.take_objects("bands"):
        band, path = _read_file_band(fields, place)
        if band.id in {known.id for known in bands}:
            raise fields.error("id", f"the band {band.id!r} is described twice")
        fields.finish()
        bands.append(band)
        paths.add(path)
    byte_count = sum(path.stat().st_size for path in paths)
    known = _known_of(bands, byte_count) | properties | _index_of(asset_id)
    return Asset(Image(tuple(bands), known, asset_id, version), readers, byte_count=byte_count)


def _read_formula_image(
    description: Description,
    place: Place,
    asset_id: str,
    version: int,
    properties: dict[str, Any],
    readers: tuple[str, ...] | None,
) -> Asset:
    scene = Scene(day_of_year=_day_of_year(properties))
    bands = tuple(band.make(scene) for band in read_formula_bands(description))
    byte_count = _byte_count(bands)
    known = _known_of(bands, byte_count) | properties | _index_of(asset_id)
    return Asset(Image(bands, known, asset_id, version), readers, byte_count=byte_count)


def _known_of(bands: Sequence[Band], byte_count: int) -> dict[str, Any]:
    """Return the properties that every image has, described or not.

    Source: images of the real service in public programs and tests, for example of
    GLOBAL_FLOOD_DB/MODIS_EVENTS (2023): a LinearRing, and the size in bytes.
    """
    ring = outline_of(bands)
    outline = {} if ring is None else {FOOTPRINT: {"type": "LinearRing", "coordinates": ring}}
    return {**outline, "system:asset_size": byte_count}


def _byte_count(bands: Sequence[Band]) -> int:
    """Return the bytes of the pixels of bands, uncompressed: what they take without a file."""
    grids = ((band.grid(), band.pixel_type.numpy.itemsize) for band in bands)
    return sum(grid.width * grid.height * size for grid, size in grids if grid is not None)


def _day_of_year(properties: dict[str, Any]) -> int:
    try:
        start = datetime.fromtimestamp(properties["system:time_start"] / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return 1  # No time, or none of a calendar: Earth Engine takes any value here.
    return start.timetuple().tm_yday


def _index_of(asset_id: str) -> dict[str, str]:
    return {"system:index": asset_id.rsplit("/", 1)[-1]}


def _read_collection(
    description: Description,
    place: Place,
    asset_id: str,
    version: int,
    properties: dict[str, Any],
    readers: tuple[str, ...] | None,
) -> Asset:
    bands = read_formula_bands(description)
    series = read_series(description)
    images: list[Asset] = []
    for number in series.numbers():
        image_id = f"{asset_id}/{series.index_of(number)}"
        begin, change = series.visible_from_of(number), series.reprocessed_at.get(number)
        # An asset's version is the time of its ingestion, in microseconds.
        present = round(begin * 1_000_000) if begin else version
        first = _image_of(series, number, bands, image_id, present)
        byte_count = _byte_count(first.bands)
        if change is None:
            images.append(Asset(first, readers, begin, byte_count=byte_count))
            continue
        images.append(Asset(first, readers, begin, change, byte_count=byte_count))
        later = round(change * 1_000_000)
        second = _image_of(series, number, bands, image_id, later, REPROCESSED)
        images.append(Asset(second, readers, max(begin, change), byte_count=byte_count))
    collection = Collection(IMAGES, (), properties, asset_id, version)
    return Asset(collection, readers, images=tuple(images))


def _image_of(
    series: Series,
    number: int,
    bands: tuple[FormulaBand, ...],
    image_id: str,
    version: int,
    change: int = 0,
) -> Image:
    """Return one image of a collection.

    :param change: the number to add to its seed.
    """
    windows, scene = series.masked_in(number), series.scene_of(number, change)
    made = tuple(
        band.make(scene, windows if windows and band.projection == bands[0].projection else ())
        for band in bands
    )
    known = _known_of(made, _byte_count(made)) | series.properties_of(number)
    return Image(made, known, image_id, version)


def _read_table(
    description: Description,
    place: Place,
    asset_id: str,
    version: int,
    properties: dict[str, Any],
    readers: tuple[str, ...] | None,
) -> Asset:
    features, byte_count = read_features(description, place)
    known = {"system:asset_size": byte_count} | properties
    table = Collection(FEATURES, features, known, asset_id, version)
    return Asset(table, readers, byte_count=byte_count)


def _read_file_band(fields: Description, place: Place) -> tuple[Band, Path]:
    """Return a band of a raster file, and that file."""
    band_id = fields.take_text("id")
    name, path = place.take_file(fields)
    index = fields.take_integer("index", 1, 1)
    crs = take_crs(fields) if fields.has("crs") else None
    try:
        with rasterio.open(path) as dataset:
            if index > dataset.count:
                raise fields.error("index", f"{name} has {dataset.count} bands, not {index}")
            dtype = dataset.dtypes[index - 1]
            transform, size = dataset.transform, (dataset.width, dataset.height)
            code = _epsg_code(dataset.crs.to_wkt()) if dataset.crs else None
            # Of a file that is still being written, the last block is missing.
            _, last_block = list(dataset.block_windows(index))[-1]
            dataset.read(index, window=last_block)
    except RasterioError as error:
        raise fields.error("file", f"{name} cannot be read: {error}") from None
    if dtype not in NOISE_BITS:
        raise fields.error("file", f"{name} holds {dtype}, which is not supported")
    if crs is None:
        if code is None:
            raise fields.error("crs", f"is needed: {name} does not name an EPSG code")
        crs = f"EPSG:{code}"
    raster = FileRaster(path, index, *size, PixelType(dtype).numpy)
    return make_band(band_id, raster, Projection(crs, transform), take_is_sampled(fields)), path


@cache
def _epsg_code(wkt: str) -> int | None:
    """Return the code of exactly this CRS, not of a similar one; searching is slow."""
    code: int | None = CRS.from_wkt(wkt).to_epsg(confidence_threshold=100)
    return code


_Reader = Callable[
    [Description, Place, str, int, dict[str, Any], tuple[str, ...] | None],
    Asset,
]
_READERS: dict[str, _Reader] = {
    "file": _read_file_image,
    "formula": _read_formula_image,
    "collection": _read_collection,
    "table": _read_table,
}
