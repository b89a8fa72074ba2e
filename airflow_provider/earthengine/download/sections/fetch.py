"""One section: its tiles -> its parts of the uploads, its share of the overviews, its record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.objects import OpenUpload
from airflow_provider.earthengine.download.fetch.fetching import Fetching
from airflow_provider.earthengine.download.fetch.tiles import fetch_tiles
from airflow_provider.earthengine.download.plan.clipping import clip_to_region
from airflow_provider.earthengine.download.plan.requests import Download
from airflow_provider.earthengine.download.raster.block_canvas import CogForm
from airflow_provider.earthengine.download.raster.cog_blocks import CogBlocks
from airflow_provider.earthengine.download.raster.section_canvas import SectionCanvas
from airflow_provider.earthengine.download.raster.stretch import Stretch
from airflow_provider.earthengine.download.sections.cut import Section, SectionParts
from airflow_provider.earthengine.download.sections.folder import SectionFolder
from airflow_provider.earthengine.download.sections.record import RasterSection, StagedOverviews
from airflow_provider.earthengine.download.sections.send import padded_byte_count, send_stretch


@dataclass(frozen=True)
class SectionStage:
    """Where a section's results go.

    :param uploads: of each raster of the download.
    """

    bucket: Bucket
    folder: SectionFolder
    uploads: Sequence[OpenUpload]


def fetch_section(
    fetching: Fetching, download: Download, section: Section, form: CogForm, stage: SectionStage
) -> tuple[RasterSection, ...]:
    """Fetch a section, send its parts and stage its overviews; return what its record says.

    :raises UploadConflictError: if an upload was completed or aborted.
    :raises TransientError: if a tile still fails after all tries.
    :raises PermanentError: if Earth Engine refuses a tile, or sends something else.
    """
    with ExitStack() as opened:
        canvases = open_canvases(download, form, fetching.scratch, opened)
        image = clip_to_region(fetching.image, download.params)
        tiles = replace(download, tiles=section.tiles)
        fetch_tiles(replace(fetching, image=image), tiles, canvases)
        return tuple(
            _hand_over(canvases[parts.raster], section, parts, stage, fetching)
            for parts in section.parts
        )


def open_canvases(
    download: Download, form: CogForm, scratch: Path, opened: ExitStack
) -> list[SectionCanvas]:
    """Return a canvas for each raster, in a folder of its own.

    :param opened: closes them.
    """
    canvases = []
    for number, plan in enumerate(download.rasters):
        path = scratch / f"raster-{number}"
        path.mkdir()
        grid: Any = plan.grid  # There are tiles, so there is one.
        canvas = SectionCanvas(path, plan, grid, form)
        canvases.append(opened.enter_context(closing(canvas)))
    return canvases


def _hand_over(
    canvas: SectionCanvas,
    section: Section,
    parts: SectionParts,
    stage: SectionStage,
    fetching: Fetching,
) -> RasterSection:
    blocks = canvas.blocks
    start, stop = blocks_of(blocks, section)
    places, byte_counts = blocks.spool.spans(0, np.arange(start, stop))
    byte_count = padded_byte_count(int(byte_counts.sum()), parts.count)
    stretch = Stretch(blocks.spool.read, b"", places, byte_counts, byte_count)
    upload = stage.uploads[parts.raster]
    sent = send_stretch(
        stage.bucket, upload, parts.first, parts.count, stretch, fetching.cancellation.check
    )
    overviews = _stage_overviews(blocks, section, parts, stage, fetching.scratch)
    canvas.finish()
    return RasterSection(
        parts.raster,
        upload.upload_id,
        canvas.facts(),
        sent,
        tuple(byte_counts.tolist()),
        overviews,
    )


def blocks_of(blocks: CogBlocks, section: Section) -> tuple[int, int]:
    """Return the numbers of a section's first block of full resolution, and of the one behind."""
    across = blocks.layout.levels[0].blocks_across * blocks.layout.band_count
    return section.first_row * across, section.end_row * across


def _stage_overviews(
    blocks: CogBlocks, section: Section, parts: SectionParts, stage: SectionStage, scratch: Path
) -> StagedOverviews:
    """Stage the whole blocks of overviews, and behind them the pieces of incomplete ones."""
    path = scratch / f"overviews-{parts.raster}"
    digest = hashlib.sha256()
    records: list[tuple[int, ...]] = []
    pieces: list[tuple[int, ...]] = []
    with path.open("wb") as file:
        for content in chain(_records(blocks, records), _pieces(blocks, pieces)):
            digest.update(content)
            file.write(content)
    sha256 = digest.hexdigest()
    stage.folder.put_overviews(section.index, parts.raster, path, sha256)
    path.unlink()
    return StagedOverviews(sha256, tuple(records), tuple(pieces))


def _records(blocks: CogBlocks, listed: list[tuple[int, ...]]) -> Iterator[bytes]:
    for level in range(1, blocks.spool.level_count):
        numbers = blocks.spool.stored(level)
        places, byte_counts = blocks.spool.spans(level, numbers)
        for number, place, byte_count in zip(
            numbers.tolist(), places.tolist(), byte_counts.tolist(), strict=True
        ):
            listed.append((level, number, byte_count))
            yield blocks.spool.read(place, byte_count)


def _pieces(blocks: CogBlocks, listed: list[tuple[int, ...]]) -> Iterator[bytes]:
    for place, pieces in blocks.left_over():
        for (top, left), pixels in pieces.items():
            at = (place.level, place.column, place.row, place.band, top, left, *pixels.shape)
            listed.append(at)
            yield np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("<")).tobytes()
