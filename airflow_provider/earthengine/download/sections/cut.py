"""Tiles -> sections: whole rows of blocks, each with its own parts of the uploads.

Arithmetic only. The numbers of all parts are fixed before the first pixel, because S3 wants them
without gaps: the first ones for header and overviews, which are sent last, then those of each
section in turn. How well pixels compress is unknown, but the number of a section's parts is not:
they are of equal length, whatever it is, and zeros fill up what would be shorter than S3 allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil

from airflow_provider.earthengine.download.plan.requests import Download
from airflow_provider.earthengine.download.plan.tiles import BLOCK_SIDE, BandGroup, Tile
from airflow_provider.earthengine.download.raster.cog_layout import CogLayout
from airflow_provider.earthengine.download.raster.cog_parts import (
    MAX_PART_BYTE_COUNT,
    MAX_PART_COUNT,
)
from airflow_provider.earthengine.exceptions import PlanError

MAX_OBJECT_BYTE_COUNT = 5 << 40
"""Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, read 2026-11. Newer
limits are higher on AWS; other stores keep to this one."""

PROBE_PART = MAX_PART_COUNT
"""No section has the last number: a part of it shows that an upload is still open."""

# A part of compressible pixels is shorter, and filled up below 5 MiB: with this length, zeros take
# at most a twenty-fifth of the raw size.
_PART_BYTE_COUNT = 128 << 20
_PART_STEP = 32 << 20
# Tags, of which Earth Engine's properties are the longest, and the places of each block.
_TAGS_BYTE_COUNT = 1 << 20
_LISTED_BYTE_COUNT = 12
# What a section stages of its overviews is one object, sent at once.
_MAX_STAGED_BYTE_COUNT = 5 << 30


@dataclass(frozen=True)
class SectionParts:
    """A section's parts in the upload of one raster."""

    raster: int
    first: int
    count: int


@dataclass(frozen=True)
class Section:
    """Rows of blocks of one group of bands, which one task fetches.

    :param group: the index of the group.
    :param first_row: in blocks; ``end_row`` is the first one behind it.
    :param parts: of each raster that has bands in the group.
    """

    index: int
    group: int
    first_row: int
    end_row: int
    tiles: tuple[Tile, ...]
    parts: tuple[SectionParts, ...] = ()


@dataclass(frozen=True)
class SectionPlan:
    """How a download is cut.

    :param sections: of all rasters; those of one raster follow each other, from its top.
    :param head_part_counts: of each raster: its first parts, for header and overviews.
    :param layouts: of each raster, as predicted.
    """

    sections: tuple[Section, ...]
    head_part_counts: tuple[int, ...] = ()
    layouts: tuple[CogLayout, ...] = field(default=(), repr=False)

    @property
    def is_worth_while(self) -> bool:
        """Whether there is anything to share among tasks."""
        return len(self.sections) > 1

    def of_raster(self, raster: int) -> Iterator[tuple[Section, SectionParts]]:
        """Yield the sections of a raster from its top, with their parts in its upload."""
        for section in self.sections:
            for parts in section.parts:
                if parts.raster == raster:
                    yield section, parts


def cut_sections(download: Download, requests: int) -> SectionPlan:
    """Return the sections of a download; none if one request is enough for all of it.

    :param requests: the most of one section, unless a single row of tiles takes more.
    :raises PlanError: if an object or its upload could not hold a raster; gives the numbers.
    """
    if not download.tiles:
        return SectionPlan(())
    sections = [
        section
        for index, group in enumerate(download.groups)
        for section in _sections_of(index, group, download.tiles, requests)
    ]
    layouts = _layouts_of(download)
    numbered: list[list[SectionParts]] = [[] for _ in sections]
    heads = []
    for raster, layout in enumerate(layouts):
        mine = [
            number
            for number, section in enumerate(sections)
            if any(raster == place for place, _ in download.groups[section.group].places)
        ]
        head, counts = _count_parts(layout, [sections[number] for number in mine])
        heads.append(head)
        first = head + 1
        for number, count in zip(mine, counts, strict=True):
            numbered[number].append(SectionParts(raster, first, count))
            first += count
    return SectionPlan(
        tuple(
            Section(number, each.group, each.first_row, each.end_row, each.tiles, tuple(parts))
            for number, (each, parts) in enumerate(zip(sections, numbered, strict=True))
        ),
        tuple(heads),
        layouts,
    )


def _layouts_of(download: Download) -> tuple[CogLayout, ...]:
    return tuple(
        CogLayout(grid.width, grid.height, len(raster.bands), raster.dtypes[0])
        for raster in download.rasters
        for grid in [raster.grid]
        if grid is not None  # There are tiles, so there is one.
    )


def _sections_of(
    index: int, group: BandGroup, tiles: Sequence[Tile], requests: int
) -> Iterator[Section]:
    """Yield the group's sections: as many shelves each as the requests allow."""
    taken: list[Tile] = []
    for shelf in _shelves([tile for tile in tiles if tile.group == index]):
        if taken and len(taken) + len(shelf) > requests:
            yield _section(index, group, taken)
            taken = []
        taken += shelf
    yield _section(index, group, taken)


def _section(index: int, group: BandGroup, tiles: Sequence[Tile]) -> Section:
    first = min(tile.row for tile in tiles) // BLOCK_SIDE
    end = max(tile.row + tile.height for tile in tiles)
    return Section(0, index, first, ceil(end / BLOCK_SIDE), tuple(tiles))


def _shelves(tiles: Sequence[Tile]) -> Iterator[list[Tile]]:
    """Yield the tiles between edges of blocks that no tile, of whichever bands, lies across."""
    shelf: list[Tile] = []
    end = 0
    for tile in sorted(tiles, key=lambda each: (each.row, each.column, each.first_band)):
        if shelf and tile.row >= end and tile.row % BLOCK_SIDE == 0:
            yield shelf
            shelf = []
        shelf.append(tile)
        end = max(end, tile.row + tile.height)
    yield shelf


def _count_parts(layout: CogLayout, sections: Sequence[Section]) -> tuple[int, list[int]]:
    """Return how many parts header and overviews take, and each section.

    :raises PlanError: if that is more than an upload holds.
    """
    levels = range(1, len(layout.levels))
    lists = _LISTED_BYTE_COUNT * sum(level.block_count for level in layout.levels)
    head = _TAGS_BYTE_COUNT + lists * layout.band_count + sum(map(layout.max_byte_count, levels))
    row = layout.levels[0].blocks_across * layout.band_count * layout.max_record_byte_count
    bodies = [(section.end_row - section.first_row) * row for section in sections]
    _check_byte_counts(head + sum(bodies), max(bodies), len(sections))
    part_byte_count = _PART_BYTE_COUNT
    while True:
        counts = [ceil(each / part_byte_count) for each in (head, *bodies)]
        if sum(counts) < PROBE_PART:
            return counts[0], counts[1:]
        part_byte_count += _PART_STEP
        if part_byte_count > MAX_PART_BYTE_COUNT:
            raise PlanError(
                f"The download takes {sum(counts):,} parts in {len(sections):,} sections, but an "
                f"upload has fewer than {MAX_PART_COUNT:,}; raise section_requests.",
                part_count=sum(counts),
            )


def _check_byte_counts(whole: int, largest: int, count: int) -> None:
    if whole > MAX_OBJECT_BYTE_COUNT:
        raise PlanError(
            f"The COG can take {whole:,} bytes, but an object has at most "
            f"{MAX_OBJECT_BYTE_COUNT:,}; use a coarser scale, fewer bands or a smaller region, or "
            "download several regions.",
            byte_count=whole,
        )
    # A section stages at most its overviews, a third of it.
    if largest // 3 > _MAX_STAGED_BYTE_COUNT:
        raise PlanError(
            f"The largest of {count:,} sections can take {largest:,} bytes, but at most "
            f"{3 * _MAX_STAGED_BYTE_COUNT:,} are possible; lower section_requests, or use fewer "
            "bands or a narrower region.",
            byte_count=largest,
        )
