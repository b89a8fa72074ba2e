"""Which assets and service accounts there are: a directory of JSON descriptions, read at start.

The format is described in this folder's README. Every mistake is a
:class:`~airflow_provider.earthengine.emulator.descriptions.CatalogError` at start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import RasterioError

from airflow_provider.earthengine.emulator.descriptions import CatalogError, Description
from airflow_provider.earthengine.emulator.grids import Box, Footprint
from airflow_provider.earthengine.emulator.images import Band, Image, PixelType
from airflow_provider.earthengine.emulator.pixels import NativeRaster, StoredPixels, Window
from airflow_provider.earthengine.emulator.projections import Projection, parse_crs
from airflow_provider.earthengine.emulator.rasters import NOISE_BITS, FileRaster, FormulaRaster
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument

ACCOUNTS_FILE = "service_accounts.json"
PUBLIC_PREFIX = "projects/earthengine-public/assets/"


@dataclass(frozen=True, eq=False)
class Asset:
    """One image asset.

    :param readers: the e-mails that may read it; None if everybody may.
    """

    image: Image
    readers: tuple[str, ...] | None = None

    def is_readable_by(self, caller: str | None) -> bool:
        return self.readers is None or caller in self.readers


@dataclass(frozen=True)
class Catalog:
    """The assets by id, and the public keys (PEM) of service accounts by e-mail."""

    assets: Mapping[str, Asset] = field(default_factory=dict)
    public_keys: Mapping[str, str] = field(default_factory=dict)

    def load_image(self, asset_id: str, caller: str | None) -> Image:
        """Returns an image for a caller, or the one refusal that tells neither case apart.

        The text is the real service's, seen in public error reports; its code 400 is taken from
        the like errors of ``Collection.*``.
        """
        asset = self.assets.get(asset_id.removeprefix(PUBLIC_PREFIX))
        if asset is None or not asset.is_readable_by(caller):
            raise invalid_argument(
                f"Image.load: Image asset '{asset_id}' not found "
                "(does not exist or caller does not have access)."
            )
        return asset.image


def read_catalog(directory: Path) -> Catalog:
    """Returns the catalogue of a directory and the directories in it.

    :raises CatalogError: naming the file and the field of the first mistake.
    """
    if not directory.is_dir():
        raise CatalogError(f"{directory}: is not a directory")
    assets: dict[str, Asset] = {}
    public_keys: dict[str, str] = {}
    for path in sorted(directory.rglob("*.json")):
        description = Description.read(path)
        if path.name == ACCOUNTS_FILE:
            public_keys |= _read_accounts(description)
            continue
        asset = _read_asset(description, path)
        if asset.image.id in assets:
            raise CatalogError(f"{path}: id: {asset.image.id!r} is described twice")
        assets[str(asset.image.id)] = asset
    return Catalog(assets, public_keys)


def _read_accounts(description: Description) -> dict[str, str]:
    keys = {}
    for account in description.take_objects("accounts"):
        email = account.take_text("email")
        keys[email] = account.take_text("public_key")
        if not keys[email].startswith("-----BEGIN PUBLIC KEY-----"):
            raise account.error("public_key", "must be a public key in PEM")
        account.finish()
    description.finish()
    return keys


def _read_asset(description: Description, path: Path) -> Asset:
    asset_id = description.take_text("id")
    kind = description.take_text("kind")
    if kind not in {"file", "formula"}:
        raise description.error("kind", f"must be 'file' or 'formula', not {kind!r}")
    version = description.take_integer("version", 0, 1)
    properties = description.take("properties", {})
    if not isinstance(properties, dict):
        raise description.error("properties", f"must be an object, not {properties!r}")
    readers = description.take_texts("readers", None)
    bands: list[Band] = []
    for number, fields in enumerate(description.take_objects("bands")):
        band_id = fields.take_text("id")
        if band_id in {band.id for band in bands}:
            raise fields.error("id", f"the band {band_id!r} is described twice")
        raster, projection = (
            _read_file(fields, path) if kind == "file" else _read_formula(fields, number)
        )
        fields.finish()
        bands.append(_make_band(band_id, raster, projection))
    description.finish()
    index = {"system:index": asset_id.rsplit("/", 1)[-1]}
    return Asset(Image(tuple(bands), properties | index, asset_id, version), readers)


def _make_band(band_id: str, raster: NativeRaster, projection: Projection) -> Band:
    whole = Footprint(projection, Box(0, 0, raster.width, raster.height))
    pixel_type = PixelType(raster.dtype.name)
    return Band(band_id, pixel_type, projection, whole, StoredPixels(raster, projection))


def _read_file(fields: Description, path: Path) -> tuple[NativeRaster, Projection]:
    """Reads a band of a raster file, which lies beside its description."""
    name = fields.take_text("file")
    index = fields.take_integer("index", 1, 1)
    crs = _take_crs(fields) if fields.has("crs") else None
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
        raise fields.error("file", f"{name} holds {dtype}, which is not served")
    if crs is None:
        if code is None:
            raise fields.error("crs", f"is needed: {name} does not name an EPSG code")
        crs = f"EPSG:{code}"
    raster = FileRaster(path.parent / name, index, *size, PixelType(dtype).numpy)
    return raster, Projection(crs, transform)


@cache
def _epsg_code(wkt: str) -> int | None:
    """Returns the code of exactly this CRS, not of one that is like it; searching is slow."""
    code: int | None = CRS.from_wkt(wkt).to_epsg(confidence_threshold=100)
    return code


def _read_formula(fields: Description, number: int) -> tuple[NativeRaster, Projection]:
    """Reads a band that is computed."""
    dtype = fields.take_text("dtype")
    if dtype not in NOISE_BITS:
        raise fields.error("dtype", f"must be one of {', '.join(NOISE_BITS)}, not {dtype!r}")
    projection = Projection(_take_crs(fields), Affine(*fields.take_numbers("crs_transform", 6)))
    if projection.transform.determinant == 0:
        raise fields.error("crs_transform", "must not flatten pixels to lines")
    size = fields.take_numbers("dimensions", 2)
    if min(size) < 1 or not all(side.is_integer() for side in size):
        raise fields.error("dimensions", f"must be [width, height] in pixels, not {size!r}")
    width, height = (int(side) for side in size)
    bits = PixelType(dtype).numpy.itemsize * 8
    noise_bits = fields.take_integer("noise_bits", 1, NOISE_BITS[dtype])
    if noise_bits >= min(bits, 32):
        raise fields.error("noise_bits", f"must be less than {min(bits, 32)} for {dtype}")
    masked = tuple(_read_window(item) for item in fields.take_objects("masked", []))
    raster = FormulaRaster(number, width, height, PixelType(dtype).numpy, noise_bits, masked)
    return raster, projection


def _read_window(fields: Description) -> Window:
    window = Window(
        fields.take_integer("left", 0),
        fields.take_integer("top", 0),
        fields.take_integer("width", 1),
        fields.take_integer("height", 1),
    )
    fields.finish()
    return window


def _take_crs(fields: Description) -> str:
    crs = fields.take_text("crs")
    try:
        parse_crs(crs)
    except ApiError as error:
        raise fields.error("crs", f"{crs!r}: {error.message}") from None
    return crs
