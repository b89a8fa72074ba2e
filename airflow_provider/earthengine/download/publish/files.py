"""Verified rasters -> the requested files, with their digests."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import RasterioError

from airflow_provider.earthengine.download.bucket.multipart import PartUpload, digest_file
from airflow_provider.earthengine.download.bucket.objects import OpenUpload
from airflow_provider.earthengine.download.fetch.body import FetchedBody
from airflow_provider.earthengine.download.fields.params import NPY
from airflow_provider.earthengine.download.raster.cog_canvas import CogCanvas
from airflow_provider.earthengine.download.raster.facts import RasterFacts
from airflow_provider.earthengine.download.raster.small_band import read_small_band
from airflow_provider.earthengine.download.worker_limits import find_refusal
from airflow_provider.earthengine.exceptions import SectionsOutdatedError

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
    """

    suffix: str
    path: Path
    byte_count: int
    sha256: str
    media_type: str
    rasters: tuple[RasterFacts, ...]

    def send(self, upload: PartUpload) -> None:
        """Send all of it."""
        upload.send_file(self.path)

    def read_small(self, raster: RasterFacts, band: int) -> npt.NDArray[np.generic] | None:
        """Return the pixels of a band, at most some hundreds a side; None if they are not here.

        :param raster: one of this file's.
        :param band: counts from 0.
        """
        return read_small_band(raster, band)


@dataclass(frozen=True)
class CogFile(LocalFile):
    """A COG whose parts are in an upload already.

    :param upload: nobody has taken it yet.
    :param canvas: what it was written on, which can send it again.
    """

    upload: PartUpload
    canvas: CogCanvas

    def send(self, upload: PartUpload) -> None:
        """Send all of it again."""
        self.canvas.send_again(upload)

    def read_small(self, _: RasterFacts, band: int) -> npt.NDArray[np.generic] | None:
        """Return the pixels of a band in the smallest overview."""
        return self.canvas.read_smallest(band)


@dataclass(frozen=True)
class SharedFile(LocalFile):
    """A file that several tasks have sent in parts; nobody has its digest.

    :param take: sends what is left, and returns the upload with all parts; raises
        UploadConflictError if the upload was completed or aborted.
    :param read_smallest: see :meth:`CogBlocks.read_smallest`.
    """

    take: Callable[[], OpenUpload]
    read_smallest: Callable[[int], npt.NDArray[np.generic] | None]

    def send(self, upload: PartUpload) -> None:
        """Refuse: what was sent is gone with its upload.

        :raises SectionsOutdatedError: always.
        """
        raise self.lost(self.suffix)

    def read_small(self, _: RasterFacts, band: int) -> npt.NDArray[np.generic] | None:
        """Return the pixels of a band in the smallest overview."""
        return self.read_smallest(band)

    def lost(self, name: str) -> SectionsOutdatedError:
        """Return the error for an upload that is gone, and no object came of it.

        :param name: of the file.
        """
        return SectionsOutdatedError(
            f"The upload of {name} was aborted, and the parts of all sections are gone with it; "
            "clear the group's task plan with its downstream tasks, which fetches them again."
        )


def zip_of(body: FetchedBody, rasters: tuple[RasterFacts, ...]) -> LocalFile:
    """Return Earth Engine's zip as it is."""
    return LocalFile(
        ".zip", body.path, body.byte_count, digest_file(body.path), ZIP_MEDIA_TYPE, rasters
    )


def as_served(raster: RasterFacts, file_format: str) -> LocalFile:
    """Return a raster as Earth Engine sent it, but for a nodata tag of the user's."""
    media_type = NPY_MEDIA_TYPE
    if file_format != NPY:
        media_type = GEOTIFF_MEDIA_TYPE
        if raster.plan.nodata is not None:
            write_nodata(raster.path, raster.plan.nodata)
    byte_count = raster.path.stat().st_size
    digest = digest_file(raster.path)
    return LocalFile(raster.plan.suffix, raster.path, byte_count, digest, media_type, (raster,))


def write_nodata(path: Path, nodata: float) -> None:
    """Write the nodata tag into a GeoTIFF; its pixels do not change.

    :raises OSError: if the disk does not take it. GDAL writes the tag while it closes the file, and
        then reports no errors.
    """
    try:
        with rasterio.open(path, "r+", driver="GTiff") as dataset:
            dataset.nodata = nodata
        with rasterio.open(path, driver="GTiff") as dataset:
            is_written = np.array_equal(dataset.nodata, nodata, equal_nan=True)
    except RasterioError as error:
        if (refusal := find_refusal(error)) is not None:
            raise refusal from None
        is_written = False
    if not is_written:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
