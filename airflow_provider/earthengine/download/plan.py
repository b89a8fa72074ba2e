"""Which request makes a download, and which rasters come out of it.

Image info and parameters -> :class:`Download`. A download that fits one request is sent with the
user's parameters as they are; larger ones are refused here, with the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.download.grid import PixelGrid
from airflow_provider.earthengine.download.params import (
    NPY,
    ZIPPED_FORMATS,
    ZIPPED_GEO_TIFF_PER_BAND,
    BandParams,
    DownloadParams,
)
from airflow_provider.earthengine.download.values import shown
from airflow_provider.earthengine.exceptions import DownloadParamsError, EmptyImageError, PlanError

if TYPE_CHECKING:
    # It imports rasterio, and DAG files import this module on every parse.
    from airflow_provider.earthengine.download.info import BandInfo, ImageInfo

AS_SERVED = "as_served"
ZIP = "zip"
LAYOUTS = (AS_SERVED, ZIP)

_BYTES_PER_SAMPLE = {
    "uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "uint32": 4, "int32": 4, "float32": 4,
    "float64": 8,
}  # fmt: skip
# What a key may hold without meaning something else in a URI or a path.
_NAMING_BAND_ID = re.compile(r"[\w()+@-][\w.()+@ -]{0,199}")
_BLOCK_SIDE = 256
_HEADER_BYTE_COUNT = 1 << 20


@dataclass(frozen=True)
class GridAsk:
    """What the user said of a raster's grid; None where it is left to Earth Engine.

    :param crs: for example "EPSG:32610".
    :param crs_transform: affine terms a b c d e f that the pixels lie on.
    :param dimensions: (width, height) in pixels.
    """

    crs: str | None = None
    crs_transform: tuple[float, ...] | None = None
    dimensions: tuple[int, ...] | None = None


@dataclass(frozen=True)
class RasterPlan:
    """One raster to come.

    :param suffix: what its object's name has behind the base name, for example ".B3.tif".
    :param bands: its bands, in order, with the dtypes and grids that are predicted.
    :param ask: what must be so; everything else is a prediction.
    :param nodata: the value that was put into masked pixels; None: Earth Engine's own.
    """

    suffix: str
    bands: tuple[BandInfo, ...]
    ask: GridAsk
    nodata: float | None = None

    @property
    def grid(self) -> PixelGrid | None:
        """The predicted grid; None where the bands' grids differ and Earth Engine chooses."""
        grids = {band.grid for band in self.bands}
        return grids.pop() if len(grids) == 1 else None


@dataclass(frozen=True)
class Download:
    """One request, and what is made of its answer.

    :param params: what is sent.
    :param layout: one of :data:`LAYOUTS`.
    :param rasters: what the answer holds, in the order asked for.
    :param byte_count: the size as Earth Engine accounts it, mask bytes included.
    :param max_body_byte_count: no right answer is longer, compressed or not.
    """

    params: DownloadParams
    layout: str
    rasters: tuple[RasterPlan, ...]
    byte_count: int
    max_body_byte_count: int


def read_layout(value: object, params: DownloadParams) -> str:
    """Return the layout, checked against the format.

    :raises DownloadParamsError: for an unknown layout, or a zip of a format that is not zipped.
    """
    if value not in LAYOUTS:
        raise DownloadParamsError(
            f"layout is {shown(value)}; known are {', '.join(LAYOUTS)}.", field="layout"
        )
    if value == ZIP and params.file_format not in ZIPPED_FORMATS:
        raise DownloadParamsError(
            f"layout is 'zip', but Earth Engine does not zip format {params.file_format}; use "
            f"one of {', '.join(sorted(ZIPPED_FORMATS))}.",
            field="layout",
        )
    return str(value)


def item_suffix(params: DownloadParams, layout: str) -> str:
    """Return what the item's name has behind the base name; known before anything is planned."""
    if layout == ZIP:
        return ".zip.json"
    if params.file_format == NPY:
        return ".npy.json"
    return ".bands.json" if params.file_format == ZIPPED_GEO_TIFF_PER_BAND else ".tif.json"


def plan_download(
    info: ImageInfo, params: DownloadParams, layout: str, nodata: float | None = None
) -> Download:
    """Return the one request for the download.

    :param nodata: the value that is in masked pixels already; None: Earth Engine's own.

    :raises PlanError: when no single request may carry it; says the numbers.
    """
    grids = [_bounded_grid(band) for band in info.bands]
    byte_count = _accounted_byte_count(info.bands, grids)
    _check_limits(grids, byte_count)
    return Download(
        params=params,
        layout=layout,
        rasters=_plan_rasters(info, params, nodata),
        byte_count=byte_count,
        max_body_byte_count=_max_body_byte_count(info.bands, grids),
    )


def _plan_rasters(
    info: ImageInfo, params: DownloadParams, nodata: float | None
) -> tuple[RasterPlan, ...]:
    if params.file_format != ZIPPED_GEO_TIFF_PER_BAND:
        suffix = ".npy" if params.file_format == NPY else ".tif"
        return (RasterPlan(suffix, info.bands, _ask_of(params, None), nodata),)
    for band in info.bands:
        _check_band_id(band.id)
    asked = {band.id: band for band in params.bands}
    return tuple(
        RasterPlan(f".{band.id}.tif", (band,), _ask_of(params, asked.get(band.id)), nodata)
        for band in info.bands
    )


def _check_band_id(band_id: str) -> None:
    if not _NAMING_BAND_ID.fullmatch(band_id) or ".." in band_id:
        raise PlanError(
            f"Band {shown(band_id)} would become part of an object's name, and is none; rename it "
            "in the image (letters, digits, . _ - and blanks, at most 200), or take format "
            "GEO_TIFF, which has one file for all bands."
        )


def _ask_of(params: DownloadParams, band: BandParams | None) -> GridAsk:
    asked = params.band(band or BandParams(""))
    dimensions = asked.dimensions if len(asked.dimensions or ()) == 2 else None
    return GridAsk(asked.crs, asked.crs_transform, dimensions)


def _bounded_grid(band: BandInfo) -> PixelGrid:
    if band.grid is None:
        raise PlanError(
            f"Band {band.id} has no bounds, so its size in pixels is unknown; give region with "
            "scale, or crs, crs_transform and dimensions."
        )
    if band.grid.width <= 0 or band.grid.height <= 0:
        raise EmptyImageError(
            f"Band {band.id} is {band.grid.width} x {band.grid.height} px: the region does not "
            "meet the image; if it is written as latitude, longitude, swap them."
        )
    return band.grid


def _accounted_byte_count(bands: Sequence[BandInfo], grids: Sequence[PixelGrid]) -> int:
    return sum(
        grid.width * grid.height * (_BYTES_PER_SAMPLE[band.dtype] + limits.MASK_BYTES_PER_SAMPLE)
        for band, grid in zip(bands, grids, strict=True)
    )


def _check_limits(grids: Sequence[PixelGrid], byte_count: int) -> None:
    largest = max(grids, key=lambda grid: grid.width * grid.height)
    what = f"{len(grids)} bands of at most {largest.width} x {largest.height} px"
    if byte_count > limits.MAX_REQUEST_BYTE_COUNT:
        raise PlanError(
            f"The download is {byte_count:,} bytes as Earth Engine counts them ({what}, one mask "
            f"byte a sample), and one request carries at most {limits.MAX_REQUEST_BYTE_COUNT:,}; "
            "take a smaller region, a coarser scale or fewer bands.",
            byte_count=byte_count,
        )
    side = max(max(grid.width, grid.height) for grid in grids)
    if side > limits.MAX_GRID_SIDE:
        raise PlanError(
            f"The download has a side of {side:,} px ({what}), and one request has at most "
            f"{limits.MAX_GRID_SIDE:,}; take a smaller region or a coarser scale.",
            side=side,
        )
    if len(grids) > limits.MAX_BANDS:
        raise PlanError(
            f"The download has {len(grids):,} bands, and one request has at most "
            f"{limits.MAX_BANDS:,}; name fewer in bands.",
            bands=len(grids),
        )


def _max_body_byte_count(bands: Sequence[BandInfo], grids: Sequence[PixelGrid]) -> int:
    """Bound the body: whole blocks, a hundredth for deflate on noise, and room for headers."""

    def padded(side: int) -> int:
        return -(-side // _BLOCK_SIDE) * _BLOCK_SIDE

    # A file that promotes unlike bands gives each the bytes of the widest, on the finest grid.
    widest = max(_BYTES_PER_SAMPLE[band.dtype] for band in bands)
    pixels = max(padded(grid.width) * padded(grid.height) for grid in grids)
    return pixels * widest * len(bands) * 101 // 100 + _HEADER_BYTE_COUNT * (1 + len(bands))
