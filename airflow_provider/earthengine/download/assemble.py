"""Verified rasters -> the files that the user asked for, with their digests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from airflow_provider.earthengine.download.fetch import FetchedBody
from airflow_provider.earthengine.download.nodata import write_nodata
from airflow_provider.earthengine.download.params import NPY
from airflow_provider.earthengine.download.plan import ZIP, Download
from airflow_provider.earthengine.download.verify import RasterFacts

_CHUNK_BYTE_COUNT = 1 << 20

GEOTIFF_MEDIA_TYPE = "image/tiff; application=geotiff"
NPY_MEDIA_TYPE = "application/vnd.npy"
ZIP_MEDIA_TYPE = "application/zip"


@dataclass(frozen=True)
class LocalFile:
    """One file to publish.

    :param suffix: what its object's name has behind the base name, for example ".B3.tif".
    :param sha256: of the file, hexadecimal.
    :param rasters: what it holds.
    """

    suffix: str
    path: Path
    byte_count: int
    sha256: str
    media_type: str
    rasters: tuple[RasterFacts, ...]


def assemble_files(
    download: Download, body: FetchedBody, rasters: tuple[RasterFacts, ...]
) -> tuple[LocalFile, ...]:
    """Return the files in the order of the bands: the zip itself, or each raster as served.

    A GeoTIFF whose masked pixels hold a value of the user's gets that value's nodata tag.
    """
    if download.layout == ZIP:
        return (
            LocalFile(".zip", body.path, body.byte_count, body.sha256, ZIP_MEDIA_TYPE, rasters),
        )
    if download.params.file_format == NPY:
        media_type = NPY_MEDIA_TYPE
    else:
        media_type = GEOTIFF_MEDIA_TYPE
        for raster in rasters:
            if raster.plan.nodata is not None:
                write_nodata(raster.path, raster.plan.nodata)
    return tuple(
        LocalFile(
            raster.plan.suffix,
            raster.path,
            raster.path.stat().st_size,
            digest_file(raster.path),
            media_type,
            (raster,),
        )
        for raster in rasters
    )


def digest_file(path: Path) -> str:
    """Return the file's sha256, hexadecimal, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTE_COUNT):
            digest.update(chunk)
    return digest.hexdigest()
