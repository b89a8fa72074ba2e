"""A directory of JSON descriptions -> a catalog.

The emulator's README describes the format. Every mistake is a
:class:`~airflow_provider.earthengine.emulator.strict_json.CatalogError` at start.
"""

from __future__ import annotations

from collections.abc import Callable
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
from airflow_provider.earthengine.emulator.catalog.formulas import (
    FormulaBand,
    make_band,
    read_formula_bands,
    take_crs,
    take_is_sampled,
)
from airflow_provider.earthengine.emulator.catalog.series import Series, read_series
from airflow_provider.earthengine.emulator.catalog.stored_pixels import NOISE_BITS, FileRaster
from airflow_provider.earthengine.emulator.catalog.tables import read_features
from airflow_provider.earthengine.emulator.strict_json import CatalogError, Description
from airflow_provider.earthengine.emulator.values.elements import FEATURES, IMAGES, Collection
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
    for path in sorted(directory.rglob("*.json")):
        description = Description.read(path)
        if path.name == ACCOUNTS_FILE:
            identities = identities.joined(read_identities(description))
            continue
        asset = read_asset(description, path)
        if asset.id in assets:
            raise CatalogError(f"{path}: id: {asset.id!r} is described twice")
        assets[asset.id] = asset
    return Catalog(assets, identities, directory)


def read_asset(description: Description, path: Path) -> Asset:
    """Return a described asset.

    :param path: of the description; rasters and features are read from the same directory.
    """
    asset_id = description.take_text("id")
    kind = description.take_text("kind")
    if kind not in _READERS:
        kinds = ", ".join(repr(known) for known in _READERS)
        raise description.error("kind", f"must be one of {kinds}, not {kind!r}")
    version = description.take_integer("version", 0, 1)
    properties = description.take_object("properties", {})
    readers = description.take_texts("readers", None)
    asset = _READERS[kind](description, path, asset_id, version, properties, readers)
    description.finish()
    return asset


def _read_file_image(
    description: Description,
    path: Path,
    asset_id: str,
    version: int,
    properties: dict[str, Any],
    readers: tuple[str, ...] | None,
) -> Asset:
    bands: list[Band] = []
    for fields in description.take_objects("bands"):
        band = _read_file_band(fields, path)
        if band.id in {known.id for known in bands}:
            raise fields.error("id", f"the band {band.id!r} is described twice")
        fields.finish()
        bands.append(band)
    image = Image(tuple(bands), properties | _index_of(asset_id), asset_id, version)
    return Asset(image, readers)


def _read_formula_image(
    description: Description,
    path: Path,
    asset_id: str,
    version: int,
    properties: dict[str, Any],
    readers: tuple[str, ...] | None,
) -> Asset:
    bands = tuple(band.make(0) for band in read_formula_bands(description))
    return Asset(Image(bands, properties | _index_of(asset_id), asset_id, version), readers)


def _index_of(asset_id: str) -> dict[str, str]:
    return {"system:index": asset_id.rsplit("/", 1)[-1]}


def _read_collection(
    description: Description,
    path: Path,
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
        begin, change = series.visible_from.get(number, 0.0), series.reprocessed_at.get(number)
        # An asset's version is the time of its ingestion, in microseconds.
        present = round(begin * 1_000_000) if begin else version
        first = _image_of(series, number, bands, image_id, present)
        if change is None:
            images.append(Asset(first, readers, begin))
            continue
        images.append(Asset(first, readers, begin, change))
        later = round(change * 1_000_000)
        second = _image_of(series, number, bands, image_id, later, REPROCESSED)
        images.append(Asset(second, readers, max(begin, change)))
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
    windows = series.masked_in(number)
    made = tuple(
        band.make(number + 1 + change, windows if band.projection == bands[0].projection else ())
        for band in bands
    )
    return Image(made, series.properties_of(number), image_id, version)


def _read_table(
    description: Description,
    path: Path,
    asset_id: str,
    version: int,
    properties: dict[str, Any],
    readers: tuple[str, ...] | None,
) -> Asset:
    features = read_features(description, path)
    return Asset(Collection(FEATURES, features, properties, asset_id, version), readers)


def _read_file_band(fields: Description, path: Path) -> Band:
    """Read a band of a raster file in the same directory as its description."""
    band_id = fields.take_text("id")
    name = fields.take_text("file")
    index = fields.take_integer("index", 1, 1)
    crs = take_crs(fields) if fields.has("crs") else None
    try:
        with rasterio.open(path.parent / name) as dataset:
            if index > dataset.count:
                raise fields.error("index", f"{name} has {dataset.count} bands, not {index}")
            dtype = dataset.dtypes[index - 1]
            transform, size = dataset.transform, (dataset.width, dataset.height)
            code = _epsg_code(dataset.crs.to_wkt()) if dataset.crs else None
    except RasterioError as error:
        raise fields.error("file", f"{name} cannot be read: {error}") from None
    if dtype not in NOISE_BITS:
        raise fields.error("file", f"{name} holds {dtype}, which is not supported")
    if crs is None:
        if code is None:
            raise fields.error("crs", f"is needed: {name} does not name an EPSG code")
        crs = f"EPSG:{code}"
    raster = FileRaster(path.parent / name, index, *size, PixelType(dtype).numpy)
    return make_band(band_id, raster, Projection(crs, transform), take_is_sampled(fields))


@cache
def _epsg_code(wkt: str) -> int | None:
    """Return the code of exactly this CRS, not of a similar one; searching is slow."""
    code: int | None = CRS.from_wkt(wkt).to_epsg(confidence_threshold=100)
    return code


_Reader = Callable[
    [Description, Path, str, int, dict[str, Any], tuple[str, ...] | None],
    Asset,
]
_READERS: dict[str, _Reader] = {
    "file": _read_file_image,
    "formula": _read_formula_image,
    "collection": _read_collection,
    "table": _read_table,
}
