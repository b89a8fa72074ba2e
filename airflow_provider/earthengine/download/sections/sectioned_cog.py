"""The records of all sections of a raster -> its COG: overviews, header, and the file to publish.

The pixels stay where they are: only overviews are read, of which each section has made its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.objects import OpenUpload
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.publish.files import COG_MEDIA_TYPE, SharedFile
from airflow_provider.earthengine.download.raster.cog_blocks import CogBlocks
from airflow_provider.earthengine.download.raster.cog_layout import (
    LEADER_BYTE_COUNT,
    TRAILER_BYTE_COUNT,
)
from airflow_provider.earthengine.download.raster.facts import RasterFacts
from airflow_provider.earthengine.download.raster.pending_blocks import BlockPlace
from airflow_provider.earthengine.download.raster.section_canvas import SectionCanvas
from airflow_provider.earthengine.download.raster.stretch import Stretch
from airflow_provider.earthengine.download.sections.cut import Section, SectionParts
from airflow_provider.earthengine.download.sections.fetch import blocks_of
from airflow_provider.earthengine.download.sections.folder import SectionFolder, outdated, unusable
from airflow_provider.earthengine.download.sections.record import RasterSection
from airflow_provider.earthengine.download.sections.send import (
    padded_byte_count,
    send_stretch,
)
from airflow_provider.earthengine.exceptions import SectionsOutdatedError

Pairs = Sequence[tuple[Section, SectionParts, RasterSection]]
"""Each section of a raster, with its parts and what its record says, from the top."""


class SectionedCog:
    """One COG whose full resolution is in an upload already.

    :param canvas: a new one, which stays its maker's.
    :param sections: all of the raster.
    :param head_part_count: how many parts are left for header and overviews.
    """

    def __init__(
        self,
        canvas: SectionCanvas,
        plan: RasterPlan,
        sections: Pairs,
        head_part_count: int,
    ) -> None:
        self._canvas = canvas
        self._plan = plan
        self._sections = sections
        self._head_part_count = head_part_count
        self._head: Stretch | None = None

    def collect(self, folder: SectionFolder) -> None:
        """Read what the sections made of the overviews, and make the rest of them.

        :raises SectionsOutdatedError: if a record does not fit, or what it names is gone.
        """
        first = self._sections[0][2].facts
        for section, _, made in self._sections:
            if not made.facts.is_alike(first):
                top = self._sections[0][0].index
                raise unusable(
                    [top, section.index],
                    f"Section {section.index} has other pixels ({made.facts.dtype}, nodata "
                    f"{made.facts.nodata}) than section {top} ({first.dtype}, {first.nodata})",
                )
        self._canvas.begin(first)
        for section, parts, made in self._sections:
            try:
                self._collect(folder, section, parts, made)
            except ValueError:
                raise _no_record(section) from None
        self._canvas.finish()
        if not self._canvas.blocks.spool.is_noted():
            raise outdated(f"The sections of {self._plan.suffix} are not all of it")
        self._make_head()

    def describe(self) -> RasterFacts:
        """Return the facts of the raster."""
        return self._canvas.describe()

    def _collect(
        self, folder: SectionFolder, section: Section, parts: SectionParts, made: RasterSection
    ) -> None:
        blocks = self._canvas.blocks
        start, stop = blocks_of(blocks, section)
        byte_count = padded_byte_count(sum(made.byte_counts), parts.count)
        numbers = [part.number for part in made.parts]
        is_whole = (
            len(made.byte_counts) == stop - start
            and max(made.byte_counts) <= blocks.layout.max_record_byte_count
            and numbers == list(range(parts.first, parts.first + parts.count))
            and sum(part.byte_count for part in made.parts) == byte_count
        )
        if not is_whole:
            raise _no_record(section)
        blocks.spool.note_elsewhere(start, np.array(made.byte_counts, np.uint32))
        self._canvas.add_figures(made.facts.figures)
        path = self._canvas.path / "overviews"
        if not folder.get_overviews(section.index, made, path):
            what = f"What section {section.index} staged of its overviews is gone"
            raise unusable([section.index], what)
        with path.open("rb") as file:
            _read_overviews(blocks, made, file)
        path.unlink()

    def _make_head(self) -> None:
        """Make the header, which begins the stretch that is left to send."""
        blocks = self._canvas.blocks
        spool, levels = blocks.spool, range(blocks.spool.level_count - 1, 0, -1)
        gaps = self._gaps()
        full = sum(sum(made.byte_counts) for _, _, made in self._sections)
        rest = spool.byte_count + full + sum(gaps.values()) + self._behind()
        start = blocks.header.byte_count(rest)
        head = start + spool.byte_count
        padding = padded_byte_count(head, self._head_part_count) - head
        # The padding may be what makes it a BigTIFF, whose header is longer.
        start = blocks.header.byte_count(rest + padding)
        head = start + spool.byte_count
        byte_count = padded_byte_count(head, self._head_part_count)
        gaps[0] = byte_count - head
        written = blocks.header.written(spool.places_in_cog(start, gaps), rest + padding)
        spans = [spool.spans(level, spool.stored(level)) for level in levels]
        places, byte_counts = (np.concatenate(each) for each in zip(*spans, strict=True))
        self._head = Stretch(spool.read, written, places, byte_counts, byte_count)

    def _gaps(self) -> dict[int, int]:
        """Return the zeros behind each section but the last, by the number of the next block."""
        return {
            blocks_of(self._canvas.blocks, following[0])[0]: _padding(parts, made)
            for (_, parts, made), following in pairwise(self._sections)
        }

    def _behind(self) -> int:
        _, parts, made = self._sections[-1]
        return _padding(parts, made)

    def file(self, bucket: Bucket, upload: OpenUpload, raster: RasterFacts) -> SharedFile:
        """Return the file; its first parts are sent when its upload is taken.

        :param upload: the one with the sections' parts.
        :param raster: its facts.
        """
        sent = tuple(part for _, _, made in self._sections for part in made.parts)

        def take() -> OpenUpload:
            parts = send_stretch(bucket, upload, 1, self._head_part_count, self._open_head)
            completed = tuple(part.completed() for part in (*parts, *sent))
            return OpenUpload(upload.key, upload.upload_id, completed)

        byte_count = self._open_head.byte_count + sum(part.byte_count for part in sent)
        return SharedFile(
            self._plan.suffix,
            self._canvas.path,
            byte_count,
            "",
            COG_MEDIA_TYPE,
            (raster,),
            take,
            self._canvas.blocks.read_smallest,
        )

    @property
    def _open_head(self) -> Stretch:
        if self._head is None:
            raise ValueError("The sections were not collected.")
        return self._head


def _padding(parts: SectionParts, made: RasterSection) -> int:
    byte_count = sum(made.byte_counts)
    return padded_byte_count(byte_count, parts.count) - byte_count


def _read_overviews(blocks: CogBlocks, made: RasterSection, file: BinaryIO) -> None:
    """Read whole blocks and pieces in the order in which a section staged them.

    :raises ValueError: if they do not fit.
    """
    for level, number, byte_count in made.overviews.records:
        _check(0 < level < blocks.spool.level_count)
        _check(number < blocks.spool.block_count(level))
        record = file.read(byte_count)
        _check(len(record) == byte_count > LEADER_BYTE_COUNT + TRAILER_BYTE_COUNT)
        blocks.spool.add(level, number, record[LEADER_BYTE_COUNT:-TRAILER_BYTE_COUNT])
    dtype = np.dtype(blocks.layout.dtype).newbyteorder("<")
    for level, column, row, band, top, left, height, width in made.overviews.pieces:
        _check(0 < level < blocks.spool.level_count and band < blocks.layout.band_count)
        shape = blocks.layout.levels[level]
        _check(column < shape.blocks_across and row < shape.blocks_down)
        rows, columns = shape.block_shape(column, row)
        _check(0 < height <= rows - top and 0 < width <= columns - left)
        content = file.read(height * width * dtype.itemsize)
        pixels = np.frombuffer(content, dtype).reshape(height, width)
        native = pixels.astype(dtype.newbyteorder("="), copy=False)
        blocks.write_overviews(BlockPlace(level, column, row, band), {(top, left): native})


def _check(is_right: bool) -> None:
    if not is_right:
        raise ValueError


def _no_record(section: Section) -> SectionsOutdatedError:
    what = f"The record of section {section.index} is not one of this plan"
    return unusable([section.index], what)
