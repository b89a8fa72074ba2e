"""Image info and parameters -> :class:`Download`: its requests, and the rasters they result in.

A download that fits one request is sent with the user's parameters unchanged; a larger one is cut
into tiles on the grid that Earth Engine reported. Nothing is sent here; illegal requests are
refused here, with the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider.earthengine.download.fields.download_limits import DownloadLimits
from airflow_provider.earthengine.download.fields.layout import AS_SERVED, ZIP
from airflow_provider.earthengine.download.fields.params import (
    NPY,
    ZIPPED_GEO_TIFF_PER_BAND,
    DownloadParams,
)
from airflow_provider.earthengine.download.plan.cutting import cut_group
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.pixel_types import common_dtype
from airflow_provider.earthengine.download.plan.raster_plan import (
    RasterPlan,
    common_grid,
    plan_rasters,
)
from airflow_provider.earthengine.download.plan.tiles import (
    BandGroup,
    Tile,
    TileBudget,
    bytes_per_pixel,
    bytes_per_sample,
)
from airflow_provider.earthengine.exceptions import EmptyImageError, PlanError
from airflow_provider.earthengine.limits import MAX_BANDS, MAX_GRID_SIDE

if TYPE_CHECKING:
    # It imports rasterio, and DAG files import this module on every parse.
    from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo

_BLOCK_SIDE = 256
_HEADER_BYTE_COUNT = 1 << 20
# GDAL counts columns and rows in 32 bits.
_MAX_SIDE = 2**31 - 1


@dataclass(frozen=True)
class Download:
    """The requests, and what their answers are turned into.

    :param params: what is sent if one request is enough.
    :param layout: how the answers are stored.
    :param rasters: the resulting rasters, in the requested order.
    :param byte_count: the size as Earth Engine accounts it, mask bytes included.
    :param max_body_byte_count: of a single request: no correct answer is longer.
    :param groups: the bands that tiles are cut from; empty if no tiles are possible.
    :param tiles: what is sent if one request is not enough.
    """

    params: DownloadParams
    layout: str
    rasters: tuple[RasterPlan, ...]
    byte_count: int
    max_body_byte_count: int
    groups: tuple[BandGroup, ...] = ()
    tiles: tuple[Tile, ...] = ()

    @property
    def request_count(self) -> int:
        """How many bodies are fetched, unless tiles have to be cut further."""
        return len(self.tiles) or 1

    @property
    def raster_byte_count(self) -> int:
        """The bytes of all rasters' values, without mask bytes and before any compression."""
        return sum(raster.byte_count for raster in self.rasters)


def plan_download(
    info: ImageInfo,
    params: DownloadParams,
    layout: str,
    nodata: float | None = None,
    limits: DownloadLimits = DownloadLimits(),  # noqa: B008 - frozen, so it can be shared
) -> Download:
    """Return the requests for the download: one if it fits, else tiles.

    :param nodata: the value already in masked pixels; None: Earth Engine's own.
    :param limits: the user's limits.

    :raises PlanError: if no legal requests exist; gives the numbers.
    """
    grids = [_bounded_grid(band) for band in info.bands]
    byte_count = sum(
        grid.width * grid.height * bytes_per_pixel([band])
        for band, grid in zip(info.bands, grids, strict=True)
    )
    limits.check_byte_count(byte_count)
    refusal = _refusal_of_one_request(grids, byte_count, limits.request_byte_count)
    groups = _group_bands(info, params)
    tiles: tuple[Tile, ...] = ()
    if refusal:
        if layout == ZIP or (layout == AS_SERVED and params.file_format != NPY):
            raise refusal
        tiles = _cut(groups, params, byte_count, limits)
    return Download(
        params=params,
        layout=layout,
        rasters=plan_rasters(info, params, nodata),
        byte_count=byte_count,
        max_body_byte_count=max_body_byte_count(info.bands, grids),
        groups=groups,
        tiles=tiles,
    )


def _group_bands(info: ImageInfo, params: DownloadParams) -> tuple[BandGroup, ...]:
    """Return the bands that tiles are cut from; none if the bands of one file differ in pixels.

    Bands in separate files share a request only if they have the same type: otherwise Earth Engine
    would promote them, and masked pixels would hold another value.
    """
    if params.file_format != ZIPPED_GEO_TIFF_PER_BAND:
        grid = common_grid(info.bands)
        places = tuple((0, index) for index in range(1, len(info.bands) + 1))
        return (BandGroup(info.bands, grid, places),) if grid else ()
    alike: dict[tuple[PixelGrid | None, str], list[int]] = {}
    for index, band in enumerate(info.bands):
        alike.setdefault((band.grid, band.dtype), []).append(index)
    return tuple(
        BandGroup(
            tuple(info.bands[index] for index in indexes),
            grid,
            tuple((index, 1) for index in indexes),
        )
        for (grid, _), indexes in alike.items()
        if grid
    )


def _cut(
    groups: tuple[BandGroup, ...], params: DownloadParams, byte_count: int, limits: DownloadLimits
) -> tuple[Tile, ...]:
    if not groups:
        raise PlanError(
            "The download needs more than one request, but the bands of one file have different "
            "pixel grids; set scale, or crs and crs_transform, or use format "
            "ZIPPED_GEO_TIFF_PER_BAND."
        )
    budget = TileBudget.within(limits)
    # Checked before cutting: a grid can have more tiles than fit in memory.
    limits.check_request_count(byte_count // budget.byte_count)
    tiles = tuple(
        tile for index, group in enumerate(groups) for tile in cut_group(index, group, budget)
    )
    limits.check_request_count(len(tiles))
    slices = {tile.first_band for tile in tiles}
    dtypes = {band.dtype for band in groups[0].bands}
    if params.file_format not in (ZIPPED_GEO_TIFF_PER_BAND, NPY) and len(slices) > 1 < len(dtypes):
        raise PlanError(
            f"The download has {len(groups[0].bands):,} bands of different types in one file, more "
            "than one request allows; request fewer bands, or cast them to one type."
        )
    return tiles


def _bounded_grid(band: BandInfo) -> PixelGrid:
    if band.grid is None:
        raise PlanError(
            f"Band {band.id} has no bounds, so its size in pixels is unknown; set region with "
            "scale, or crs, crs_transform and dimensions."
        )
    if band.grid.is_empty:
        raise EmptyImageError(
            f"Band {band.id} is {band.grid.width} x {band.grid.height} px: the region does not "
            "intersect the image; if it is written as latitude, longitude, swap them."
        )
    if not band.grid.is_placed:
        raise PlanError(
            f"Band {band.id} has the transform {list(band.grid.transform)}, which defines no "
            "pixels; set crs and crs_transform."
        )
    if max(band.grid.width, band.grid.height) > _MAX_SIDE:
        raise PlanError(
            f"Band {band.id} is {band.grid.width:,} x {band.grid.height:,} px, but a raster has at "
            f"most {_MAX_SIDE:,} px per side; use a smaller region or a coarser scale."
        )
    return band.grid


def _refusal_of_one_request(
    grids: Sequence[PixelGrid], byte_count: int, most: int
) -> PlanError | None:
    """Return why a single request is not enough, or None if it is."""
    largest = max(grids, key=lambda grid: grid.width * grid.height)
    what = f"{len(grids)} bands of at most {largest.width} x {largest.height} px"
    advice = "use layout='cog', which supports any size"
    if byte_count > most:
        return PlanError(
            f"The download is {byte_count:,} bytes as Earth Engine counts them ({what}, one mask "
            f"byte per sample), but one request has at most {most:,}; "
            f"{advice}, or use a smaller region, a coarser scale or fewer bands.",
            byte_count=byte_count,
        )
    side = max(max(grid.width, grid.height) for grid in grids)
    if side > MAX_GRID_SIDE:
        return PlanError(
            f"The download has a side of {side:,} px ({what}), but one request has at most "
            f"{MAX_GRID_SIDE:,}; {advice}, or use a smaller region or a coarser scale.",
            side=side,
        )
    if len(grids) > MAX_BANDS:
        return PlanError(
            f"The download has {len(grids):,} bands, but one request has at most "
            f"{MAX_BANDS:,}; {advice}, or request fewer bands.",
            bands=len(grids),
        )
    return None


def max_body_byte_count(bands: Sequence[BandInfo], grids: Sequence[PixelGrid]) -> int:
    """Return a bound on a body: whole blocks, 1% for deflate on noise, and room for headers."""

    def padded(side: int) -> int:
        return -(-side // _BLOCK_SIDE) * _BLOCK_SIDE

    # A file with bands of different types stores all in one that holds them, on the finest grid.
    widest = bytes_per_sample(common_dtype(band.dtype for band in bands))
    pixels = max(padded(grid.width) * padded(grid.height) for grid in grids)
    return pixels * widest * len(bands) * 101 // 100 + _HEADER_BYTE_COUNT * (1 + len(bands))
