"""Verified rasters -> the requested files, with their digests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import rasterio

from airflow_provider.earthengine.download.bucket.multipart import PartUpload, digest_file
from airflow_provider.earthengine.download.fields.params import NPY
from airflow_provider.earthengine.download.raster.facts import RasterFacts

GEOTIFF_MEDIA_TYPE = "image/tiff; application=geotiff"
COG_MEDIA_TYPE = f"{GEOTIFF_MEDIA_TYPE}; profile=cloud-optimized"
NPY_MEDIA_TYPE = "application/vnd.npy"
ZIP_MEDIA_TYPE = "application/zip"


@dataclass(frozen=True)
class LocalFile:
    """One file to publish.

    :param suffix: what follows the base name in its object's key, for example ".B3.tif".
    :param sha256: of the file, hexadecimal.
    :param rasters: what it holds.
    :param send: sends all of it.
    :param upload: where all of it was sent already; None for nowhere.
    """

    suffix: str
    byte_count: int
    sha256: str
    media_type: str
    rasters: tuple[RasterFacts, ...]
    send: Callable[[PartUpload], None]
    upload: PartUpload | None = None


def zip_of(body: Path, rasters: tuple[RasterFacts, ...]) -> LocalFile:
    """Return Earth Engine's zip as it is."""
    return _local_file(".zip", body, ZIP_MEDIA_TYPE, rasters)


def as_served(raster: RasterFacts, file_format: str) -> LocalFile:
    """Return a raster as Earth Engine sent it, but for a nodata tag of the user's."""
    media_type = NPY_MEDIA_TYPE
    if file_format != NPY:
        media_type = GEOTIFF_MEDIA_TYPE
        if raster.plan.nodata is not None:
            write_nodata(raster.path, raster.plan.nodata)
    return _local_file(raster.plan.suffix, raster.path, media_type, (raster,))


def _local_file(
    suffix: str, path: Path, media_type: str, rasters: tuple[RasterFacts, ...]
) -> LocalFile:
    return LocalFile(
        suffix,
        path.stat().st_size,
        digest_file(path),
        media_type,
        rasters,
        send=lambda upload: upload.send_file(path),
    )


def write_nodata(path: Path, nodata: float) -> None:
    """Write the nodata tag into a GeoTIFF; its pixels do not change."""
    with rasterio.open(path, "r+", driver="GTiff") as dataset:
        dataset.nodata = nodata
