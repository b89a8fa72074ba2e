"""A plan -> verified rasters, whichever way: one request, or tile after tile.

A single request can turn out to be too large for Earth Engine; its pixels are then fetched as tiles
instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from airflow_provider.earthengine.download.fetch.body import BodyRequest, FetchedBody, fetch_body
from airflow_provider.earthengine.download.fetch.fetching import Fetching
from airflow_provider.earthengine.download.fetch.tiles import fetch_tiles, quarters_of
from airflow_provider.earthengine.download.fields.image import prepare_request
from airflow_provider.earthengine.download.fields.layout import AS_SERVED, ZIP
from airflow_provider.earthengine.download.fields.params import NPY
from airflow_provider.earthengine.download.plan.clipping import clip_to_region
from airflow_provider.earthengine.download.plan.cutting import cut_tile
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.plan.requests import Download
from airflow_provider.earthengine.download.plan.tiles import Tile, TileBudget
from airflow_provider.earthengine.download.raster.canvas import Canvas
from airflow_provider.earthengine.download.raster.facts import RasterFacts
from airflow_provider.earthengine.download.raster.integrity import check_body
from airflow_provider.earthengine.download.raster.verify import verify_body
from airflow_provider.earthengine.download.usage import Usage
from airflow_provider.earthengine.exceptions import (
    ComputationTooLargeError,
    RequestTooLargeError,
)

log = logging.getLogger(__name__)


OpenCanvas = Callable[[Download, RasterPlan, PixelGrid], Canvas]


@dataclass(frozen=True)
class FetchedRasters:
    """What was fetched, in the order asked for.

    :param download: as it was done, which may be in more requests than planned.
    :param rasters: the facts of what was fetched.
    :param canvases: of each raster that came in tiles, to be finished.
    :param body: what the rasters came in; None for tiles.
    """

    download: Download
    rasters: tuple[RasterFacts, ...]
    canvases: tuple[Canvas, ...] = ()
    body: FetchedBody | None = None

    @property
    def is_all_masked(self) -> bool:
        """Whether it is known that not one pixel is valid."""
        return all(raster.is_all_masked for raster in self.rasters)


def fetch_rasters(
    fetching: Fetching, download: Download, open_canvas: OpenCanvas
) -> FetchedRasters:
    """Return the rasters, verified: in a body on disk, or on canvases.

    :param open_canvas: makes canvases, which stay its maker's.
    """
    if not download.tiles:
        try:
            return _fetch_whole(fetching, download)
        except (ComputationTooLargeError, RequestTooLargeError) as error:
            tiles = _in_tiles(fetching, download, error)
            log.warning("%s Fetching it in %d tiles instead.", error, len(tiles))
            download = replace(download, tiles=tiles)
    canvases = tuple(_open(open_canvas, download, plan) for plan in download.rasters)
    image = clip_to_region(fetching.image, download.params)
    fetch_tiles(replace(fetching, image=image), download, canvases)
    return FetchedRasters(download, tuple(canvas.describe() for canvas in canvases), canvases)


def _open(open_canvas: OpenCanvas, download: Download, plan: RasterPlan) -> Canvas:
    grid: Any = plan.grid  # There are tiles, so there is one.
    return open_canvas(download, plan, grid)


def _fetch_whole(fetching: Fetching, download: Download) -> FetchedRasters:
    params = download.params
    request = BodyRequest(
        params={**prepare_request(params), "image": fetching.image},
        what=fetching.what,
        path=fetching.scratch / "body",
        max_byte_count=download.max_body_byte_count,
        check=partial(
            check_body,
            file_format=params.file_format,
            max_byte_count=download.max_body_byte_count,
        ),
    )
    body = fetch_body(
        fetching.client,
        request,
        fetching.policy,
        fetching.cancellation,
        fetching.limits.attempt_seconds,
        fetching.meter,
    )
    fetching.meter.count(Usage(tiles=1))
    log.info("Fetched %s bytes in %.1f s", f"{body.byte_count:,}", body.seconds)
    rasters = verify_body(body.path, download, fetching.scratch)
    return FetchedRasters(download, rasters, body=body)


def _in_tiles(
    fetching: Fetching, download: Download, error: ComputationTooLargeError | RequestTooLargeError
) -> tuple[Tile, ...]:
    """Return the tiles that replace a single request that was too large.

    :raises ComputationTooLargeError: if the layout stores the answer itself, or the bands have no
        common pixels.
    """
    has_own_files = download.params.file_format != NPY and download.layout in (AS_SERVED, ZIP)
    if has_own_files or not download.groups:
        raise error
    tiles: list[Tile] = []
    for index, group in enumerate(download.groups):
        whole = Tile(index, 0, len(group.bands), 0, 0, group.grid.width, group.grid.height)
        if isinstance(error, ComputationTooLargeError):
            tiles += quarters_of(whole, error)
        else:
            budget = TileBudget.within(fetching.limits).lowered(whole, group, error)
            tiles += cut_tile(whole, group, budget)
    fetching.limits.check_request_count(len(tiles))
    return tuple(tiles)
