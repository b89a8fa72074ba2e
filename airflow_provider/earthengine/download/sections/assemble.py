"""The records of all sections of a download -> its COGs, each section checked."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from airflow_provider.earthengine.download.bucket.objects import OpenUpload
from airflow_provider.earthengine.download.foreign import ForeignValueError
from airflow_provider.earthengine.download.plan.requests import Download
from airflow_provider.earthengine.download.raster.block_canvas import CogForm
from airflow_provider.earthengine.download.sections.cut import Section, SectionPlan
from airflow_provider.earthengine.download.sections.fetch import open_canvases
from airflow_provider.earthengine.download.sections.folder import SectionFolder, outdated, unusable
from airflow_provider.earthengine.download.sections.record import RasterSection, SectionRecord
from airflow_provider.earthengine.download.sections.sectioned_cog import SectionedCog
from airflow_provider.earthengine.download.usage import Usage

_READERS = 8


@dataclass(frozen=True)
class Assembly:
    """A download whose sections are all fetched."""

    folder: SectionFolder
    download: Download
    sections: SectionPlan
    form: CogForm

    def read_uploads(self) -> tuple[OpenUpload, ...]:
        """Return the upload of each raster.

        :raises SectionsOutdatedError: if they are not known any more.
        """
        uploads = self.folder.read_uploads()
        if len(uploads) != len(self.download.rasters):
            raise outdated("What the task plan staged is gone")
        return uploads

    def collect(
        self, uploads: Sequence[OpenUpload], scratch: Path, opened: ExitStack
    ) -> tuple[list[SectionedCog], Usage | None]:
        """Return the COGs, of which only header and overviews are still to be sent.

        And what the sections took; None if one does not say.

        :param opened: closes them.
        :raises SectionsOutdatedError: if a section's record is missing, or does not fit.
        """
        records = self._read_records()
        made = self._check_records(records, uploads)
        cogs = []
        canvases = open_canvases(self.download, self.form, scratch, opened)
        for number, (plan, canvas) in enumerate(zip(self.download.rasters, canvases, strict=True)):
            sections = [
                (section, parts, made[section.index, number])
                for section, parts in self.sections.of_raster(number)
            ]
            cogs.append(
                SectionedCog(canvas, plan, sections, self.sections.head_part_counts[number])
            )
            cogs[-1].collect(self.folder)
        return cogs, _usage_of(records)

    def _read_records(self) -> list[SectionRecord | None]:
        with ThreadPoolExecutor(_READERS, "earthengine-record") as pool:
            return list(pool.map(self._read_record, self.sections.sections))

    def _check_records(
        self, records: Sequence[SectionRecord | None], uploads: Sequence[OpenUpload]
    ) -> dict[tuple[int, int], RasterSection]:
        """Return what each section made of each raster, by their numbers."""
        made: dict[tuple[int, int], RasterSection] = {}
        missing = []
        for section, record in zip(self.sections.sections, records, strict=True):
            found = {each.raster: each for each in record.rasters} if record else {}
            wanted = [parts.raster for parts in section.parts]
            if (
                record is None
                or not record.is_of(self.folder.plan_id, section.index, uploads)
                or sorted(found) != wanted
            ):
                missing.append(section.index)
            made |= {(section.index, raster): each for raster, each in found.items()}
        if missing:
            what = f"{len(missing)} of {len(records)} sections have no record of this plan"
            raise unusable(missing, what)
        return made

    def _read_record(self, section: Section) -> SectionRecord | None:
        try:
            found = self.folder.read_record(section.index)
        except ForeignValueError:
            return None
        return found[0] if found else None


def _usage_of(records: Sequence[SectionRecord | None]) -> Usage | None:
    total = Usage()
    for record in records:
        if record is None or record.usage is None:
            return None
        total += record.usage
    return total
