"""Where a download's rasters are written: arrays in scratch, COGs on their way to the bucket."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Self

from airflow_provider.earthengine.download.bucket.multipart import PartSender, PartUpload
from airflow_provider.earthengine.download.fetch.rasters import FetchedRasters
from airflow_provider.earthengine.download.fields.layout import COG, ZIP
from airflow_provider.earthengine.download.fields.params import NPY
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.plan.requests import Download
from airflow_provider.earthengine.download.publish.files import (
    COG_MEDIA_TYPE,
    CogFile,
    LocalFile,
    as_served,
    zip_of,
)
from airflow_provider.earthengine.download.publish.object_metadata import metadata_of
from airflow_provider.earthengine.download.publish.record import Target
from airflow_provider.earthengine.download.raster.block_canvas import CogForm
from airflow_provider.earthengine.download.raster.canvas import Canvas, NpyCanvas
from airflow_provider.earthengine.download.raster.cog_canvas import CogCanvas, copy_to_canvas
from airflow_provider.earthengine.download.raster.facts import RasterFacts


class Canvases:
    """The canvases of one download. At the end it removes what is left of them in scratch, and
    drops the uploads that nobody took.

    :param check: raises when the download was cancelled, for those who wait.
    """

    def __init__(
        self, target: Target, scratch: Path, form: CogForm, check: Callable[[], None]
    ) -> None:
        self._target = target
        self._scratch = scratch
        self._form = form
        self._open = ExitStack()
        self._sender = self._open.enter_context(closing(PartSender(check)))
        self._uploads: dict[Path, PartUpload] = {}
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def open(self, download: Download, plan: RasterPlan, grid: PixelGrid) -> Canvas:
        """Return a new canvas for a raster of the download."""
        if download.params.file_format == NPY:
            return self._open.enter_context(closing(NpyCanvas(self._new_path(), plan, grid)))
        return self.open_cog(plan, grid)

    def open_cog(self, plan: RasterPlan, grid: PixelGrid) -> CogCanvas:
        """Return a new COG, whose parts are sent to the target."""
        path = self._new_path()
        path.mkdir()
        key = self._target.destination.key(plan.suffix)
        upload = PartUpload(
            self._sender, self._target.bucket, key, COG_MEDIA_TYPE, metadata_of(self._target)
        )
        self._uploads[path] = self._open.enter_context(closing(upload))
        canvas = CogCanvas(path, plan, grid, self._form, upload)
        return self._open.enter_context(closing(canvas))

    def _new_path(self) -> Path:
        self._count += 1
        return self._scratch / f"canvas-{self._count}"

    def finish(self, canvas: Canvas, raster: RasterFacts) -> LocalFile:
        """Return the file of a canvas that all of a raster was written on."""
        canvas.finish()
        if not isinstance(canvas, CogCanvas):
            return as_served(raster, NPY)
        return CogFile(
            raster.plan.suffix,
            canvas.path,
            canvas.sent.byte_count,
            canvas.sent.sha256,
            COG_MEDIA_TYPE,
            (raster,),
            self._uploads[canvas.path],
            canvas,
        )


def assemble_files(fetched: FetchedRasters, canvases: Canvases) -> tuple[LocalFile, ...]:
    """Return the files in the order of the bands: the zip itself, or one file per raster."""
    download, body = fetched.download, fetched.body
    if download.layout == ZIP and body is not None:
        return (zip_of(body, fetched.rasters),)
    if body is None:
        return tuple(
            canvases.finish(canvas, raster)
            for canvas, raster in zip(fetched.canvases, fetched.rasters, strict=True)
        )
    if download.layout == COG:
        return tuple(_cog_of(raster, canvases) for raster in fetched.rasters)
    return tuple(as_served(raster, download.params.file_format) for raster in fetched.rasters)


def _cog_of(raster: RasterFacts, canvases: Canvases) -> LocalFile:
    """Return the COG of a GeoTIFF that came whole."""
    grid: Any = raster.grid  # Each GeoTIFF has one.
    canvas = canvases.open_cog(raster.plan, grid)
    copy_to_canvas(raster, canvas)
    raster.path.unlink()
    return canvases.finish(canvas, raster.as_cog())
