"""Verified rasters -> the requested files, with their digests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rasterio

from airflow_provider.earthengine.download.bucket.multipart import digest_file
from airflow_provider.earthengine.download.fetch.rasters import FetchedRasters
from airflow_provider.earthengine.download.fields.layout import COG, ZIP
from airflow_provider.earthengine.download.fields.params import (
    NPY,
)
from airflow_provider.earthengine.download.raster.canvas import copy_to_canvas
from airflow_provider.earthengine.download.raster.cog import Watch, write_cog
from airflow_provider.earthengine.download.raster.facts import RasterFacts
from airflow_provider.earthengine.download.transport.connections import Cancellation

# A larger COG takes seconds to write, so it is uploaded while it is written.
_GROWING_BYTE_COUNT = 128 << 20

GEOTIFF_MEDIA_TYPE = "image/tiff; application=geotiff"
COG_MEDIA_TYPE = f"{GEOTIFF_MEDIA_TYPE}; profile=cloud-optimized"
NPY_MEDIA_TYPE = "application/vnd.npy"
ZIP_MEDIA_TYPE = "application/zip"


@dataclass(frozen=True)
class LocalFile:
    """One file to publish.

    :param suffix: what follows the base name in its object's key, for example ".B3.tif".
    :param sha256: of the file, hexadecimal.
    :param rasters: the rasters that it holds.
    """

    suffix: str
    path: Path
    byte_count: int
    sha256: str
    media_type: str
    rasters: tuple[RasterFacts, ...]


@dataclass(frozen=True)
class GrowingFile:
    """One file that is published while it is written.

    :param byte_count: an upper bound.
    :param write: writes the file and returns its path; calls back with the path while writing.
    """

    suffix: str
    byte_count: int
    media_type: str
    rasters: tuple[RasterFacts, ...]
    write: Callable[[Watch], Path]


def assemble_files(
    fetched: FetchedRasters,
    tags: Mapping[str, str],
    compression: str,
    cancellation: Cancellation,
) -> tuple[LocalFile | GrowingFile, ...]:
    """Return the files in the order of the bands: the zip itself, or one file per raster.

    :param tags: of GeoTIFFs written here.
    :param compression: of COGs.
    """
    download, body = fetched.download, fetched.body
    if download.layout == ZIP and body is not None:
        return (
            LocalFile(
                ".zip",
                body.path,
                body.byte_count,
                digest_file(body.path),
                ZIP_MEDIA_TYPE,
                fetched.rasters,
            ),
        )
    if download.layout == COG:
        return tuple(
            _cog_of(raster, fetched, partial(write_cog, compression, cancellation), tags)
            for raster in fetched.rasters
        )
    return tuple(_as_served(raster, download.params.file_format) for raster in fetched.rasters)


def _as_served(raster: RasterFacts, file_format: str) -> LocalFile:
    if file_format == NPY:
        return _local_file(raster, raster.path, NPY_MEDIA_TYPE)
    if raster.plan.nodata is not None:
        write_nodata(raster.path, raster.plan.nodata)
    return _local_file(raster, raster.path, GEOTIFF_MEDIA_TYPE)


def _cog_of(
    raster: RasterFacts,
    fetched: FetchedRasters,
    write_cog: Callable[[Path, Path, str, Watch], None],
    tags: Mapping[str, str],
) -> LocalFile | GrowingFile:
    """Return the COG of a raster: already written, or growing if it is large."""

    def write(watch: Watch) -> Path:
        canvas = raster.path
        if fetched.body is not None:
            canvas = raster.path.with_suffix(".canvas")
            copy_to_canvas(raster, canvas, tags)
            raster.path.unlink()
        path = canvas.with_suffix(".cog.tif")
        write_cog(canvas, path, raster.bands[0].dtype, watch)
        canvas.unlink()
        return path

    cog = raster.as_cog()
    if raster.plan.byte_count < _GROWING_BYTE_COUNT:
        return _local_file(cog, write(lambda _: None), COG_MEDIA_TYPE)
    # Data that does not compress grows a little, and overviews add a third.
    most = raster.plan.byte_count * 3 // 2
    return GrowingFile(raster.plan.suffix, most, COG_MEDIA_TYPE, (cog,), write)


def _local_file(raster: RasterFacts, path: Path, media_type: str) -> LocalFile:
    byte_count = path.stat().st_size
    return LocalFile(
        raster.plan.suffix, path, byte_count, digest_file(path), media_type, (raster,)
    )  # fmt: skip


def write_nodata(path: Path, nodata: float) -> None:
    """Write the nodata tag into a GeoTIFF; its pixels do not change."""
    with rasterio.open(path, "r+", driver="GTiff") as dataset:
        dataset.nodata = nodata
