"""The three steps of a download that is shared among tasks: open, fetch a section, publish.

Each step plans the download anew, from the same fields, and compares its plan with that of the
first: nothing depends on another task's disk, process or environment.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider.earthengine.download.fields.on_empty import PUBLISH
from airflow_provider.earthengine.download.foreign import ForeignValueError
from airflow_provider.earthengine.download.plan.plan import Plan
from airflow_provider.earthengine.exceptions import SectionsOutdatedError
from airflow_provider.earthengine.task.collection import check_collection
from airflow_provider.earthengine.task.download import (
    Downloader,
    all_masked,
    log_plan,
    log_record,
)
from airflow_provider.earthengine.task.given_section import GivenSection
from airflow_provider.earthengine.task.outcome import check_section_count
from airflow_provider.earthengine.task.planned import form_of
from airflow_provider.earthengine.task.run import scratch_place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from airflow_provider.earthengine.download.bucket.objects import OpenUpload
    from airflow_provider.earthengine.download.fields.job import Job
    from airflow_provider.earthengine.download.publish.files import SharedFile
    from airflow_provider.earthengine.download.publish.record import CommitRecord, Target
    from airflow_provider.earthengine.download.publish.standing import Standing
    from airflow_provider.earthengine.download.sections.cut import Section, SectionPlan
    from airflow_provider.earthengine.download.sections.folder import SectionFolder
    from airflow_provider.earthengine.download.sections.record import RasterSection
    from airflow_provider.earthengine.download.usage import Usage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SectionTasks:
    """The steps, each in the process of its task.

    :param section_requests: the most requests of one section.
    :param generation: of the run that the process belongs to.
    """

    downloader: Downloader
    job: Job
    target: Target
    section_requests: int
    generation: str

    def open(self) -> list[GivenSection]:
        """Return the sections to fetch; none if the task publish downloads it all."""
        from airflow_provider.earthengine.download.sections.folder import plan_id_of

        plan, sections = self._plan()
        log_plan(plan)
        check_collection(plan, self.target, self.downloader.cancellation.sleep)
        count = len(sections.sections)
        check_section_count(count, self.section_requests)
        if not sections.is_worth_while:
            log.info("The download fits into one section; the task publish fetches it.")
            return []
        plan_id = plan_id_of(self.job, plan, sections)
        self.target.bucket.find_out_conditions(self.job.destination.prefix)
        folder = self._folder(plan_id)
        folder.open_uploads([raster.suffix for raster in plan.download.rasters])
        left = folder.list_records()
        log.info(
            "Fetching %d sections of at most %d requests each; an earlier run fetched %d of them.",
            count, self.section_requests, len(left),
        )  # fmt: skip
        generation, version = self.job.identity.generation, plan.info.version
        return [
            GivenSection(plan_id, number, count, generation, version, left.get(number))
            for number in range(count)
        ]

    def fetch(self, given: GivenSection) -> None:
        """Fetch a section, unless that was done."""
        from airflow_provider.earthengine.download.bucket.errors import UploadConflictError
        from airflow_provider.earthengine.download.sections.record import SectionRecord

        plan, sections = self._replan(given)
        section = sections.sections[given.section]
        folder = self._folder(given.plan_id)
        uploads = folder.read_uploads()
        if not uploads:
            return self._check_published("what the task plan staged is gone")
        if self._is_fetched(folder, given, uploads):
            log.info("Section %d of %d is already fetched.", given.section, given.count)
            return None
        try:
            with self.downloader.step("fetch", self.job), self._scratch() as scratch:
                rasters = self._fetch(plan, section, folder, uploads, scratch)
                record = SectionRecord(
                    given.plan_id,
                    given.section,
                    self.generation,
                    rasters,
                    self.downloader.telemetry.meter.usage,
                )
                folder.write_record(record, scratch)
        except UploadConflictError:
            return self._check_published("the upload was aborted or completed")
        self.downloader.telemetry.done()
        log.info("Fetched section %d of %d.", given.section, given.count)
        return None

    def publish(self, standing: Standing, given: Sequence[GivenSection]) -> CommitRecord:
        """Return the record of the published download, made of its sections if there are any.

        :raises AllMaskedError: if no pixel is valid, and ``on_empty`` does not publish that.
        """
        from airflow_provider.earthengine.download.publish.standing import look_at_destination
        from airflow_provider.earthengine.download.sections.folder import sweep_sections

        prefix = self.job.limits.staging_prefix
        if standing.done:
            sweep_sections(self.target, prefix)
            return standing.done
        if not given:
            return self.downloader.download(self.job, self.target, standing)
        started = time.monotonic()
        try:
            record = self._publish_sections(given[0], standing)
        except SectionsOutdatedError:
            # Another run may have published them, and swept.
            if not (done := look_at_destination(self.target).done):
                raise
            return done
        sweep_sections(self.target, prefix)
        self.downloader.telemetry.done()
        log_record(record, started)
        return record

    def _publish_sections(self, given: GivenSection, standing: Standing) -> CommitRecord:
        from airflow_provider.earthengine.download.sections.folder import sweep_sections

        plan, sections = self._replan(given)
        publishing = self.downloader.step("publish", self.job)
        with publishing, self._scratch() as scratch, ExitStack() as opened:
            files, spent = self._assemble(plan, sections, given.plan_id, scratch, opened)
            is_masked = all(raster.is_all_masked for file in files for raster in file.rasters)
            if is_masked and self.job.on_empty.all_masked != PUBLISH:
                sweep_sections(self.target, self.job.limits.staging_prefix)
                raise all_masked(self.job)
            return self.downloader.publish(
                plan, files, self.target, standing,
                lambda: plan.check_unchanged(self.downloader.hook), spent,
            )  # fmt: skip

    def _plan(self) -> tuple[Plan, SectionPlan]:
        from airflow_provider.earthengine.download.sections.cut import cut_sections

        plan = self.downloader.plan(self.job)
        return plan, cut_sections(plan.download, self.section_requests)

    def _replan(self, given: GivenSection) -> tuple[Plan, SectionPlan]:
        """Return the plan that the first task made.

        :raises SectionsOutdatedError: if it is another one by now.
        """
        from airflow_provider.earthengine.download.sections.folder import outdated, plan_id_of

        plan, sections = self._plan()
        if plan.info.version != given.version:
            raise outdated(
                f"The image was replaced in Earth Engine (version {given.version}, now "
                f"{plan.info.version}) since it was planned, and no section of the earlier version "
                "is used"
            )
        is_same = plan_id_of(self.job, plan, sections) == given.plan_id
        if not is_same or given.section >= len(sections.sections):
            raise outdated(
                "The plan is not the one that the task plan made: the image, its bands or its "
                "grid, the fields, or the version of this package differ"
            )
        return plan, sections

    def _folder(self, plan_id: str) -> SectionFolder:
        from airflow_provider.earthengine.download.sections.folder import SectionFolder

        return SectionFolder(self.target, self.job.limits.staging_prefix, plan_id)

    def _is_fetched(
        self, folder: SectionFolder, given: GivenSection, uploads: Sequence[OpenUpload]
    ) -> bool:
        """Return whether a try of this task, or an earlier run, has fetched the section.

        A section that is cleared is fetched again: its record is of another generation.
        """
        try:
            found = folder.read_record(given.section)
        except ForeignValueError:
            return False
        if found is None:
            return False
        record, etag = found
        is_mine = record.generation == self.generation
        is_right = record.is_of(given.plan_id, given.section, uploads)
        return is_right and (is_mine or etag == given.left)

    def _fetch(
        self,
        plan: Plan,
        section: Section,
        folder: SectionFolder,
        uploads: Sequence[OpenUpload],
        scratch: Path,
    ) -> tuple[RasterSection, ...]:
        from airflow_provider.earthengine.download.fetch.scratch import (
            check_free,
            scratch_byte_count,
        )
        from airflow_provider.earthengine.download.sections.fetch import (
            SectionStage,
            fetch_section,
        )

        part = replace(plan.download, tiles=section.tiles)
        check_free(scratch, scratch_byte_count(part, self.job.limits))
        fetching = replace(
            self.downloader.fetching(plan, scratch),
            what=f"{self.job.destination.base}, section {section.index}",
        )
        stage = SectionStage(self.target.bucket, folder, uploads)
        return fetch_section(fetching, part, section, form_of(plan), stage)

    def _assemble(
        self, plan: Plan, sections: SectionPlan, plan_id: str, scratch: Path, opened: ExitStack
    ) -> tuple[tuple[SharedFile, ...], Usage | None]:
        """Return the files, of which only the first parts are still to be sent, and their cost."""
        from airflow_provider.earthengine.download.sections.assemble import Assembly

        assembly = Assembly(self._folder(plan_id), plan.download, sections, form_of(plan))
        uploads = assembly.read_uploads()
        cogs, spent = assembly.collect(uploads, scratch, opened)
        facts = [cog.describe() for cog in cogs]
        rasters = self.downloader.mark_masked(plan, plan.download, facts)
        files = tuple(
            cog.file(self.target.bucket, upload, raster)
            for cog, upload, raster in zip(cogs, uploads, rasters, strict=True)
        )
        return files, spent

    def _scratch(self) -> AbstractContextManager[Path]:
        from airflow_provider.earthengine.download.fetch.scratch import scratch_directory

        return scratch_directory(scratch_place())

    def _check_published(self, why: str) -> None:
        """Return if another run has published the download meanwhile.

        :raises SectionsOutdatedError: if not.
        """
        from airflow_provider.earthengine.download.publish.standing import look_at_destination
        from airflow_provider.earthengine.download.sections.folder import outdated

        done = look_at_destination(self.target).done
        if done is None:
            raise outdated(
                f"The section cannot be added to {self.target.destination.item_uri}: {why}"
            )
        log.info("Another run has already published %s.", done.item_uri)
