"""A job -> its record: the steps between looking at the destination and returning the URIs.

DAG files import this module on every parse, so each step is imported by the method that takes it.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider.earthengine.download.fields.on_empty import PUBLISH
from airflow_provider.earthengine.download.plan.plan import Plan, plan_job
from airflow_provider.earthengine.download.usage import Usage
from airflow_provider.earthengine.exceptions import AllMaskedError
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.one_line import one_line
from airflow_provider.earthengine.task.collection import check_collection, join_collection
from airflow_provider.earthengine.task.planned import form_of, source_of
from airflow_provider.earthengine.task.run import scratch_place
from airflow_provider.earthengine.task.telemetry import Telemetry

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.fetch.fetching import Fetching
    from airflow_provider.earthengine.download.fetch.rasters import FetchedRasters
    from airflow_provider.earthengine.download.fetch.staged_tiles import StagedTiles
    from airflow_provider.earthengine.download.fields.job import Job
    from airflow_provider.earthengine.download.plan.requests import Download
    from airflow_provider.earthengine.download.publish.canvases import Canvases
    from airflow_provider.earthengine.download.publish.files import LocalFile
    from airflow_provider.earthengine.download.publish.item import Run
    from airflow_provider.earthengine.download.publish.record import (
        CommitRecord,
        StoredObject,
        Target,
    )
    from airflow_provider.earthengine.download.publish.standing import Standing
    from airflow_provider.earthengine.download.raster.facts import RasterFacts
    from airflow_provider.earthengine.download.transport.connections import Cancellation

log = logging.getLogger(__name__)


def log_plan(plan: Plan) -> None:
    """Log what a download takes, and what is odd about its parameters."""
    for line in plan.lines():
        log.info("%s", one_line(line))
    for sentence in (*plan.job.params.warnings, *plan.info.warnings):
        log.warning("%s", one_line(sentence))


def log_record(record: CommitRecord, started: float) -> None:
    """Log what was published.

    :param started: when the task began, by the monotonic clock.
    """
    log.info(
        "Published %s: %d objects, %s bytes, %.1f s in total",
        record.item_uri,
        len(record.objects),
        f"{sum(stored.byte_count for stored in record.objects):,}",
        time.monotonic() - started,
    )


@dataclass(frozen=True)
class Downloader:
    """Fetches, verifies and publishes in this process.

    :param cancellation: ends what is under way at any time.
    :param describe_run: takes a source and ``is_conditional``, whether the object store honours
        conditional writes; returns the run for the item.
    :param telemetry: is told of each step; its meter is the hook's.
    """

    hook: EarthEngineHook
    cancellation: Cancellation
    describe_run: Callable[..., Run]
    telemetry: Telemetry = field(default_factory=Telemetry)

    def publish_once(
        self,
        job: Job,
        target: Target,
        download: Callable[[Standing], CommitRecord] | None = None,
    ) -> tuple[CommitRecord, bool]:
        """Return the record of the published download, and whether it was there already.

        :param download: takes what is at the destination and returns the record; by default, all
            of the download is fetched unless it is there.
        :raises EmptyImageError: if the image is empty, or a marker that is not due says so.
        """
        from airflow_provider.earthengine.download.publish import empty_dates

        with empty_dates.marking_empty(target, job) as standing:
            if download is not None:
                record = download(standing)
            else:
                record = standing.done or self.download(job, target, standing)
        empty_dates.remove_marker(target, standing)
        record = join_collection(job, target, record, self.cancellation.sleep)
        return record, standing.done is not None

    def download(self, job: Job, target: Target, standing: Standing) -> CommitRecord:
        """Return the record of the published download.

        :param standing: what was at the destination before.
        :raises AllMaskedError: if no pixel is valid, and ``on_empty`` does not publish that.
        """
        from airflow_provider.earthengine.download.fetch.scratch import scratch_directory

        started = time.monotonic()
        with scratch_directory(scratch_place()) as scratch:
            plan = self.plan(job)
            check_collection(plan, target, self.cancellation.sleep)
            from airflow_provider.earthengine.download.fetch.staged_tiles import open_stage
            from airflow_provider.earthengine.download.publish.canvases import Canvases

            stage = open_stage(
                target.bucket, job.limits, job.identity, plan.download, plan.info.version
            )
            with Canvases(target, scratch, form_of(plan), self.cancellation.check) as canvases:
                with self.step("fetch", job):
                    fetched = self._fetch(plan, scratch, stage, canvases)
                if fetched.is_all_masked and job.on_empty.all_masked != PUBLISH:
                    if stage is not None:
                        stage.sweep()
                    raise all_masked(job)
                with self.step("publish", job):
                    record = self._publish(plan, fetched, canvases, target, standing)
        if stage is not None:
            stage.sweep()
        self.telemetry.done()
        log_record(record, started)
        return record

    def step(self, name: str, job: Job) -> AbstractContextManager[None]:
        """Tell of the block as a step of the download."""
        return self.telemetry.step(name, job.destination.item_uri)

    def plan(self, job: Job) -> Plan:
        """Return the plan; see :func:`plan_job`."""
        self.telemetry.meter.asks_profiles = job.limits.profile
        with self.step("plan", job):
            return plan_job(job, self.hook)

    def _fetch(
        self, plan: Plan, scratch: Path, stage: StagedTiles | None, canvases: Canvases
    ) -> FetchedRasters:
        """Return the rasters of the download, verified."""
        from airflow_provider.earthengine.download.fetch.rasters import fetch_rasters
        from airflow_provider.earthengine.download.fetch.scratch import (
            check_free,
            scratch_byte_count,
        )

        log_plan(plan)
        check_free(scratch, scratch_byte_count(plan.download, plan.job.limits))
        fetching = self.fetching(plan, scratch, stage)
        fetched = fetch_rasters(fetching, plan.download, canvases.open)
        marked = self.mark_masked(plan, fetched.download, fetched.rasters)
        return dataclasses.replace(fetched, rasters=marked)

    def fetching(self, plan: Plan, scratch: Path, stage: StagedTiles | None = None) -> Fetching:
        """Return what it takes to fetch the pixels of a plan."""
        from airflow_provider.earthengine.download.fetch.fetching import Fetching
        from airflow_provider.earthengine.download.raster.integrity import (
            bound_block_cache,
            expect_pixel_coordinates,
        )

        bound_block_cache()
        expect_pixel_coordinates()
        once = self.hook.trying_once()
        self.cancellation.call_when_cancelled(once.interrupt)
        return Fetching(
            client=once,
            image=plan.image,
            what=plan.job.destination.base,
            scratch=scratch,
            limits=plan.job.limits,
            policy=self.hook.retry_policy,
            cancellation=self.cancellation,
            stage=stage,
            meter=self.telemetry.meter,
            report=lambda progress: self.telemetry.report({"step": "fetch", **progress}),
        )

    def mark_masked(
        self, plan: Plan, download: Download, rasters: Sequence[RasterFacts]
    ) -> tuple[RasterFacts, ...]:
        """Return the rasters, with those marked that have no valid pixel.

        :param download: as it was done.
        """
        from airflow_provider.earthengine.download.fetch.validity import mark_masked

        marked = mark_masked(self.hook, plan.image, download.params, rasters)
        _log_rasters(plan.job, marked)
        return marked

    def _publish(
        self,
        plan: Plan,
        fetched: FetchedRasters,
        canvases: Canvases,
        target: Target,
        standing: Standing,
    ) -> CommitRecord:
        """Return the record of the files, published unless the source was replaced meanwhile."""
        from airflow_provider.earthengine.download.publish.canvases import assemble_files

        with ThreadPoolExecutor(1, "earthengine-check") as checker:
            # The answer takes as long as a request does; files are finished meanwhile.
            unchanged: Future[None] | None = None
            if fetched.body is None:
                unchanged = checker.submit(plan.check_unchanged, self.hook)
            files = assemble_files(fetched, canvases)
            confirm = unchanged.result if unchanged else None
            done = dataclasses.replace(plan, download=fetched.download)
            return self.publish(done, files, target, standing, confirm)

    def publish(
        self,
        plan: Plan,
        files: Sequence[LocalFile],
        target: Target,
        standing: Standing,
        confirm: Callable[[], object] | None,
        spent: Usage | None = Usage(),  # noqa: B008 - frozen, so it can be shared
    ) -> CommitRecord:
        """Return the record of the files.

        :param plan: as it was done.
        :param confirm: called before anything becomes visible; raises to stop publishing.
        :param spent: what other tasks spent on the files; None if they did not tell.
        """
        from airflow_provider.earthengine.download.publish.commit import publish_files
        from airflow_provider.earthengine.download.publish.item import build_item
        from airflow_provider.earthengine.download.publish.record import facts_of_usage
        from airflow_provider.earthengine.download.publish.thumbnails import draw_files

        job, source = plan.job, source_of(plan)
        quicklook = draw_files(files, job.image.asset_id) if job.quicklook else None
        target.bucket.find_out_conditions(job.destination.prefix)
        run = self.describe_run(job.source, is_conditional=target.bucket.is_conditional)

        def describe(stored: Sequence[StoredObject]) -> bytes:
            # Counted now: the last requests were sent while the files were finished.
            usage = None if spent is None else spent + self.telemetry.meter.usage
            counted = dataclasses.replace(run, facts={**run.facts, **facts_of_usage(usage)})
            return build_item(job.destination, job.identity, source, counted, files, stored)

        return publish_files(target, standing, files, describe, confirm, quicklook)


def all_masked(job: Job) -> AllMaskedError:
    """Return the error for rasters of which no pixel is valid."""
    return AllMaskedError(
        f"No pixel of {job.destination.base} is valid, and on_empty is "
        f"{job.on_empty.all_masked!r} for all_masked; nothing was published."
    )


def _log_rasters(job: Job, rasters: Sequence[RasterFacts]) -> None:
    for raster in rasters:
        name = job.destination.name(raster.plan.suffix)
        log.info("Verified %s: %s", name, one_line(str(raster.grid)))
        for warning in raster.warnings:
            log.warning("%s: %s", name, one_line(warning))
