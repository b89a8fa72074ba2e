"""What a raster is (crs, transform, nodata, names, tags) -> the TIFF tags that say so.

GDAL writes the tags into a GeoTIFF of one pixel in memory, from which they are copied byte for
byte. Turning any crs into GeoTIFF keys takes PROJ's database, and GDAL has its own rules for names,
nodata and metadata. Most readers are GDAL; they find what GDAL itself would have written.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.raster.masked_pixels import nodata_of_cog

# Codes and types of tags.
# Source: TIFF 6.0, https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf, read 2026-11.
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLES_PER_PIXEL = 258, 262, 277
EXTRA_SAMPLES, SAMPLE_FORMAT = 338, 339
_TYPE_BYTE_COUNTS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
# Source: https://gdal.org/en/stable/drivers/raster/gtiff.html, read 2026-11.
GDAL_METADATA, GDAL_NODATA = 42112, 42113

_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
# By common names; bands of ``ee.Image.visualize``, and of Sentinel-2's true-colour image. Source:
# https://developers.google.com/earth-engine/datasets/catalog/COPERNICUS_S2_SR_HARMONIZED (2025-08).
_COLOURS = {
    name: colour
    for names in (
        ("red", "green", "blue"),
        ("vis-red", "vis-green", "vis-blue"),
        ("TCI_R", "TCI_G", "TCI_B"),
    )
    for name, colour in zip(names, _RGB, strict=True)
}

_PIXELS = frozenset({BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLES_PER_PIXEL, EXTRA_SAMPLES, SAMPLE_FORMAT})
# Tags from here on are GeoTIFF's and GDAL's own. Lower ones describe the one pixel, except these.
_FIRST_GEOTIFF_TAG = 33550
_METADATA_END = b"</GDALMetadata>"
_INTERLEAVE_ITEM = b'  <Item name="INTERLEAVE" domain="IMAGE_STRUCTURE">TILE</Item>\n'
_ENTRY_BYTE_COUNT = 12
_INLINE_BYTE_COUNT = 4


@dataclass(frozen=True)
class Tag:
    """One entry of a TIFF directory.

    :param type: TIFF's number of the type.
    :param count: how many values of the type there are.
    :param value: all of them, little-endian.
    """

    code: int
    type: int
    count: int
    value: bytes


@dataclass(frozen=True)
class BandLook:
    """How to read and show the values of a band.

    :param common_name: STAC's, for example "red"; None if none is known.
    :param scale: physical values are the pixels' times this, plus the offset.
    """

    common_name: str | None = None
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class CogDescription:
    """What a COG says of itself.

    :param crs: rasterio's, of the grid; None for none.
    :param dtype: numpy's name of the bands' type.
    :param nodata: of Earth Engine's files, or chosen by the user; None for none.
    :param band_names: one a band, in order.
    :param tags: of the file, as GDAL is to store them.
    :param looks: of bands, by their names.
    """

    grid: PixelGrid
    crs: Any
    dtype: str
    nodata: float | None
    band_names: tuple[str, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    looks: Mapping[str, BandLook] = field(default_factory=dict)


def tags_of(description: CogDescription) -> tuple[Tag, ...]:
    """Return all tags that do not depend on the blocks."""
    with MemoryFile() as file:
        with file.open(**_profile(description)) as dataset:
            dataset.update_tags(**description.tags)
            for index, name in enumerate(description.band_names, start=1):
                dataset.set_band_description(index, name)
            _set_looks(dataset, description)
        tags = _read_tags(bytes(file.getbuffer()))
    kept = (tag for tag in tags if tag.code in _PIXELS or tag.code >= _FIRST_GEOTIFF_TAG)
    if len(description.band_names) == 1:
        return tuple(kept)
    return tuple(_with_interleave(tag) for tag in kept)


def _set_looks(dataset: Any, description: CogDescription) -> None:
    looks = [description.looks.get(name, BandLook()) for name in description.band_names]
    if any(look.scale != 1 or look.offset != 0 for look in looks):
        dataset.scales = [look.scale for look in looks]
        dataset.offsets = [look.offset for look in looks]
    colours = [
        _COLOURS.get(look.common_name or name, ColorInterp.undefined)
        for look, name in zip(looks, description.band_names, strict=True)
    ]
    # A single red band is shown in grey, as any other.
    if all(colours.count(each) == 1 for each in _RGB):
        dataset.colorinterp = colours


def tags_of_overviews(tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
    """Return the tags that overviews repeat: what a pixel is, and which value is nodata."""
    return tuple(tag for tag in tags if tag.code in _PIXELS or tag.code == GDAL_NODATA)


def _profile(description: CogDescription) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "width": 1,
        "height": 1,
        "count": len(description.band_names),
        "dtype": np.dtype(description.dtype).name,
        "crs": description.crs,
        "transform": rasterio.Affine(*description.grid.transform),
        "nodata": nodata_of_cog(description.dtype, description.nodata),
        "interleave": "band",
        # By default GDAL takes the fourth of four uint8 bands for transparency.
        "alpha": "NO",
        "endianness": "LITTLE",
        "bigtiff": "NO",
    }


def _with_interleave(tag: Tag) -> Tag:
    """Add how the bands are interleaved to the metadata, where GDAL 3.11 and newer look for it.

    GDAL's interface does not set this item.
    """
    if tag.code != GDAL_METADATA:
        return tag
    value = tag.value.replace(_METADATA_END, _INTERLEAVE_ITEM + _METADATA_END)
    return replace(tag, count=len(value), value=value)


def _read_tags(content: bytes) -> list[Tag]:
    """Return the entries of a little-endian classic TIFF's first directory."""
    (start,) = struct.unpack_from("<I", content, 4)
    (entry_count,) = struct.unpack_from("<H", content, start)
    tags = []
    for number in range(entry_count):
        place = start + 2 + number * _ENTRY_BYTE_COUNT
        code, type_, count = struct.unpack_from("<HHI", content, place)
        byte_count = count * _TYPE_BYTE_COUNTS[type_]
        place += _ENTRY_BYTE_COUNT - _INLINE_BYTE_COUNT
        if byte_count > _INLINE_BYTE_COUNT:
            (place,) = struct.unpack_from("<I", content, place)
        tags.append(Tag(code, type_, count, content[place : place + byte_count]))
    return tags
