"""All tiles of a download -> canvases, by one pool of threads.

Each thread fetches a tile, decodes it, checks that it is the requested piece, and paints it on its
canvas. A tile that Earth Engine cannot compute, or refuses as too large, is fetched in pieces. The
first failure stops all threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.download.crs import name_of_crs, resolve_crs
from airflow_provider.earthengine.download.fetch.body import BodyFetcher, BodyRequest
from airflow_provider.earthengine.download.fetch.fetching import Fetching
from airflow_provider.earthengine.download.fetch.gate import RequestGate
from airflow_provider.earthengine.download.fetch.progress import Progress
from airflow_provider.earthengine.download.fields.params import GEO_TIFF, NPY
from airflow_provider.earthengine.download.plan.cutting import cut_tile
from airflow_provider.earthengine.download.plan.requests import Download, max_body_byte_count
from airflow_provider.earthengine.download.plan.tiles import (
    MAX_SPLIT_DEPTH,
    BandGroup,
    Tile,
    TileBudget,
)
from airflow_provider.earthengine.download.raster.canvas import Canvas
from airflow_provider.earthengine.download.raster.decode import (
    DecodedRaster,
    PixelBuffer,
    decode_body,
)
from airflow_provider.earthengine.download.raster.facts import mismatch
from airflow_provider.earthengine.download.raster.placement import is_named_by
from airflow_provider.earthengine.download.transport.connections import Cancellation
from airflow_provider.earthengine.download.usage import Usage
from airflow_provider.earthengine.exceptions import (
    ComputationTooLargeError,
    FetchTimeoutError,
    RequestTooLargeError,
    TruncatedBodyError,
)

# Decoded tiles take most of the memory, so only this many exist at once, however many requests are
# in flight. They have separate threads, because the C library keeps freed memory per thread.
DECODERS = 2
_GLANCE_SECONDS = 0.5


def fetch_tiles(fetching: Fetching, download: Download, canvases: Sequence[Canvas]) -> None:
    """Paint all tiles of the download.

    :param canvases: one per raster, in the order of the download's rasters.
    :raises TransientError: if a tile still fails after all tries.
    :raises PermanentError: if Earth Engine refuses a tile, or sends something else.
    """
    # A separate cancellation: a tile that fails stops the other tiles, and nothing else.
    cancellation = Cancellation()
    fetching.cancellation.call_when_cancelled(cancellation.cancel)
    fetching.cancellation.check()
    _TileRun(replace(fetching, cancellation=cancellation), download, canvases).run()


class _TileRun:
    def __init__(self, fetching: Fetching, download: Download, canvases: Sequence[Canvas]) -> None:
        self._fetching = fetching
        self._download = download
        self._canvases = canvases
        self._cancellation = fetching.cancellation
        self._budget = TileBudget.within(fetching.limits)
        most = fetching.limits.max_concurrent_requests
        self._gate = RequestGate(most, self._cancellation.check)
        self._progress = Progress(fetching.what, len(download.tiles), self._gate)
        self._decoders = ThreadPoolExecutor(DECODERS, "earthengine-decoder")
        self._own = threading.local()
        self._fetchers = ExitStack()
        self._failures: list[Exception] = []
        self._started = time.monotonic()
        self._format = NPY if download.params.file_format == NPY else GEO_TIFF

    def run(self) -> None:
        """Fetch all tiles."""
        threads = min(self._fetching.limits.max_concurrent_requests, len(self._download.tiles))
        with (
            self._fetchers,
            self._decoders,
            ThreadPoolExecutor(threads, "earthengine-tile") as pool,
        ):
            try:
                self._drain(pool)
            except BaseException:
                self._cancellation.cancel()
                raise

    def _drain(self, pool: ThreadPoolExecutor) -> None:
        waiting: set[Future[tuple[Tile, ...]]] = set()
        tiles: Iterable[Tile] = self._download.tiles
        while tiles or waiting:
            waiting |= {pool.submit(self._bring, tile) for tile in tiles}
            done, waiting = wait(waiting, _GLANCE_SECONDS, FIRST_COMPLETED)
            self._cancellation.check()
            tiles = [piece for future in done for piece in future.result()]
            self._progress.report(self._fetching.report)

    def _bring(self, tile: Tile) -> tuple[Tile, ...]:
        """Paint the tile and return nothing, or return the pieces to fetch instead."""
        self._cancellation.check()
        group = self._download.groups[tile.group]
        path = self._fetching.scratch / f"tile-{tile.name}"
        pieces: Sequence[Tile] = ()
        if not self._budget.holds(tile, group):
            pieces = cut_tile(tile, group, self._budget)
        elif not self._take_from_stage(tile, path):
            pieces = self._fetch(tile, group, path)
        path.unlink(missing_ok=True)
        if pieces:
            self._progress.count_cut(len(pieces))
        else:
            self._progress.count_tile()
        return tuple(pieces)

    def _fetch(self, tile: Tile, group: BandGroup, path: Path) -> Sequence[Tile]:
        self._check_time()
        request = BodyRequest(
            params=self._params_of(tile, group),
            what=f"{self._fetching.what}, tile of {tile}",
            path=path,
            max_byte_count=max_body_byte_count(tile.bands_of(group), [tile.grid_of(group)]),
            check=lambda part: self._decoders.submit(self._paint, part, tile, group).result(),
        )
        try:
            fetched = self._fetcher().fetch(request)
        except ComputationTooLargeError as error:
            return quarters_of(tile, error)
        except RequestTooLargeError as error:
            self._budget = self._budget.lowered(tile, group, error)
            pieces = cut_tile(tile, group, self._budget)
            if len(pieces) == 1:
                raise
            return pieces
        self._raise_failure()
        self._fetching.meter.count(Usage(tiles=1))
        if self._fetching.stage is not None:
            self._fetching.stage.keep(tile, path, fetched.seconds)
        return ()

    def _take_from_stage(self, tile: Tile, path: Path) -> bool:
        """Paint the tile that an earlier attempt kept; return whether there was a valid one."""
        if self._fetching.stage is None or not self._fetching.stage.take(tile, path):
            return False
        try:
            group = self._download.groups[tile.group]
            self._decoders.submit(self._paint, path, tile, group).result()
        except TruncatedBodyError:
            return False
        self._raise_failure()
        self._fetching.meter.count(Usage(kept_tiles=1))
        return True

    def _paint(self, path: Path, tile: Tile, group: BandGroup) -> None:
        """Decode, verify and paint a body; what is no whole file is fetched again.

        :raises TruncatedBodyError: it is no whole file.
        """
        bound = max_body_byte_count(tile.bands_of(group), [tile.grid_of(group)])
        raster = decode_body(path, self._format, bound, self._buffer())
        check_tile(raster, tile, group)
        targets: dict[int, dict[int, int]] = {}
        for position in range(tile.band_count):
            canvas, index = group.places[tile.first_band + position]
            targets.setdefault(canvas, {})[position] = index
        try:
            for canvas, places in targets.items():
                self._canvases[canvas].write(raster, tile.column, tile.row, places)
        except Exception as error:  # noqa: BLE001 - it is raised where the body is done
            # The body is right: to fetch it again would not help a disk or a bucket.
            self._failures.append(error)

    def _raise_failure(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _buffer(self) -> PixelBuffer:
        """Return this thread's buffer."""
        buffer: PixelBuffer | None = getattr(self._own, "buffer", None)
        if buffer is None:
            buffer = self._own.buffer = PixelBuffer()
        return buffer

    def _params_of(self, tile: Tile, group: BandGroup) -> dict[str, Any]:
        grid = tile.grid_of(group)
        return {
            "image": self._fetching.image,
            "bands": [band.id for band in tile.bands_of(group)],
            "crs": grid.crs,
            "crs_transform": list(grid.transform),
            "dimensions": [grid.width, grid.height],
            "format": self._format,
        }

    def _fetcher(self) -> BodyFetcher:
        """Return this thread's fetcher."""
        fetcher: BodyFetcher | None = getattr(self._own, "fetcher", None)
        if fetcher is None:
            fetcher = BodyFetcher(
                self._fetching.client,
                replace(self._fetching.policy, sleep=self._sleep),
                self._cancellation,
                gate=self._gate,
                attempt_seconds=self._fetching.limits.attempt_seconds,
                count=self._progress.count_bytes,
                meter=self._fetching.meter,
            )
            self._own.fetcher = self._fetchers.enter_context(fetcher)
        return fetcher

    def _sleep(self, seconds: float) -> None:
        self._progress.count_retry()
        self._check_time(seconds)
        self._cancellation.sleep(seconds)

    def _check_time(self, seconds: float = 0.0) -> None:
        """Raise if the download's time is up, or would be after waiting for ``seconds``."""
        bound = self._fetching.limits.total_seconds
        if bound is not None and time.monotonic() + seconds - self._started > bound:
            raise FetchTimeoutError(
                f"{self._progress}: not finished within limits['total_seconds'], {bound:g} s; "
                "raise it, or run the task again."
            )


def check_tile(raster: DecodedRaster, tile: Tile, group: BandGroup) -> None:
    """Raise if the raster is not the requested piece.

    :raises RasterMismatchError: if its dimensions, crs, bands or transform differ.
    """
    grid = tile.grid_of(group)
    if (raster.width, raster.height) != (grid.width, grid.height):
        raise mismatch("dimensions", (grid.width, grid.height), (raster.width, raster.height))
    # A crs that PROJ does not know is taken from the first tile; the canvas compares the others.
    is_known = raster.transform is not None and resolve_crs(grid.crs)
    if is_known and not is_named_by(group.grid, grid.crs, raster.crs):
        raise mismatch("crs", grid.crs, name_of_crs(raster.crs) or "none")
    names = raster.array.dtype.names
    wanted = tuple(band.id for band in tile.bands_of(group))
    if raster.band_count != len(wanted) or (names and names != wanted):
        raise mismatch("bands", wanted, names or raster.band_count)
    if raster.transform is not None and not grid.is_close_to(
        replace(grid, transform=raster.transform)
    ):
        raise mismatch("crs_transform", list(grid.transform), list(raster.transform))


def quarters_of(tile: Tile, error: ComputationTooLargeError) -> tuple[Tile, ...]:
    """Return the pieces of a tile that Earth Engine could not compute whole.

    :raises ComputationTooLargeError: if it has been cut ``MAX_SPLIT_DEPTH`` times, or is one pixel.
    """
    if tile.depth >= MAX_SPLIT_DEPTH or tile.width == tile.height == 1:
        raise ComputationTooLargeError(
            f"Earth Engine cannot compute the tile of {tile}, even after it was cut into four "
            f"{tile.depth} times; simplify the image, or use a coarser scale.",
            server_text=error.server_text,
            **error.facts,
        ) from None
    return tile.quarters()
