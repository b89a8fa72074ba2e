"""Verified rasters -> the files that the user asked for, with their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_provider.earthengine.download.canvas import copy_to_canvas
from airflow_provider.earthengine.download.cog import write_cog
from airflow_provider.earthengine.download.connections import Cancellation
from airflow_provider.earthengine.download.facts import RasterFacts
from airflow_provider.earthengine.download.fetch_rasters import FetchedRasters
from airflow_provider.earthengine.download.layout import COG, ZIP
from airflow_provider.earthengine.download.nodata import write_nodata
from airflow_provider.earthengine.download.params import NPY

_CHUNK_BYTE_COUNT = 1 << 20

GEOTIFF_MEDIA_TYPE = "image/tiff; application=geotiff"
COG_MEDIA_TYPE = f"{GEOTIFF_MEDIA_TYPE}; profile=cloud-optimized"
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
    fetched: FetchedRasters,
    tags: Mapping[str, str],
    compression: str,
    cancellation: Cancellation,
) -> tuple[LocalFile, ...]:
    """Return the files in the order of the bands: the zip itself, or one file a raster.

    :param tags: of GeoTIFFs that are written here.
    :param compression: of COGs.
    """
    download, body = fetched.download, fetched.body
    if download.layout == ZIP and body is not None:
        return (
            LocalFile(
                ".zip", body.path, body.byte_count, body.sha256, ZIP_MEDIA_TYPE, fetched.rasters
            ),
        )
    return tuple(
        _local_file(*_finish(raster, fetched, tags, compression, cancellation), raster)
        for raster in fetched.rasters
    )


def _finish(
    raster: RasterFacts,
    fetched: FetchedRasters,
    tags: Mapping[str, str],
    compression: str,
    cancellation: Cancellation,
) -> tuple[Path, str]:
    """Return the raster's file as it is published, and its media type."""
    if fetched.download.params.file_format == NPY:
        return raster.path, NPY_MEDIA_TYPE
    if fetched.download.layout == COG:
        canvas = raster.path
        if fetched.body is not None:
            canvas = raster.path.with_suffix(".canvas")
            copy_to_canvas(raster, canvas, tags)
            raster.path.unlink()
        cog = canvas.with_suffix(".cog")
        write_cog(canvas, cog, raster.bands[0].dtype, compression, cancellation)
        canvas.unlink()
        return cog, COG_MEDIA_TYPE
    if raster.plan.nodata is not None:
        write_nodata(raster.path, raster.plan.nodata)
    return raster.path, GEOTIFF_MEDIA_TYPE


def _local_file(path: Path, media_type: str, raster: RasterFacts) -> LocalFile:
    byte_count = path.stat().st_size
    return LocalFile(
        raster.plan.suffix, path, byte_count, digest_file(path), media_type, (raster,)
    )  # fmt: skip


def digest_file(path: Path) -> str:
    """Return the file's sha256, hexadecimal, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTE_COUNT):
            digest.update(chunk)
    return digest.hexdigest()
