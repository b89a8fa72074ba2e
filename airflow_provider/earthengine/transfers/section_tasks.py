"""The tasks of a group: plan, fetch and publish. :mod:`earthengine_to_s3_group` puts them together.

Each has all fields of the download and reads them anew, so that nothing depends on another task's
process, and any of them can be cleared alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.download.fields.job import Job, Worker, read_job
from airflow_provider.earthengine.download.fields.layout import check_cog
from airflow_provider.earthengine.download.fields.literals import is_literal
from airflow_provider.earthengine.download.fields.values import read_boolean, read_count
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.task.asset_events import without_assets
from airflow_provider.earthengine.task.given_section import GivenSection, read_given
from airflow_provider.earthengine.task.run import generation_of
from airflow_provider.earthengine.task.sections import SectionTasks
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context

    from airflow_provider.earthengine.download.publish.record import CommitRecord, Target

PLAN, FETCH, PUBLISH = "plan", "fetch", "publish"


class SectionTask(EarthEngineToS3Operator):
    """Base of the three tasks.

    :param section_requests: the most requests of a section. (templated)
    """

    template_fields: Sequence[str] = (*EarthEngineToS3Operator.template_fields, "section_requests")
    checked_fields = (*EarthEngineToS3Operator.checked_fields, "section_requests")
    # Only the task that publishes has anything to show.
    operator_extra_links: Collection[BaseOperatorLink] = ()

    def __init__(self, *, section_requests: int | str, **kwargs: Any) -> None:
        # Before the base, which checks it.
        self.section_requests = section_requests
        super().__init__(**kwargs)

    @classmethod
    def check_fields(cls, fields: Mapping[str, Any]) -> None:
        """Raise if a literal can never be right."""
        super().check_fields(fields)
        literals = {name: value for name, value in fields.items() if is_literal(value)}
        if "section_requests" in literals:
            read_count("section_requests", literals["section_requests"])
        if literals.get("layout") is not None:
            check_cog(literals["layout"])

    def _worker(self, hook: EarthEngineHook, context: Context) -> Worker:
        # Whichever task writes, it is the download of the group: the item names the last one.
        group, _, _ = context["ti"].task_id.rpartition(".")
        task_id = f"{group}.{PUBLISH}" if group else PUBLISH
        return replace(super()._worker(hook, context), task_id=task_id, map_index=-1)

    def _read_section_job(
        self, hook: EarthEngineHook, context: Context, given: GivenSection | None
    ) -> Job:
        """Return the download, as the task plan made it."""
        generation = given.generation if given else generation_of(context)
        job = read_job(self._fields(), generation, self._worker(hook, context))
        check_cog(job.layout)
        self._lineage.job = job
        return job

    def _steps(self, hook: EarthEngineHook, context: Context, job: Job, to: Target) -> SectionTasks:
        requests = read_count("section_requests", self.section_requests)
        return SectionTasks(
            self._downloader(hook, context), job, to, requests, generation_of(context)
        )


class PlanSectionsOperator(SectionTask):
    """Plan a download and open its uploads; return its sections, none if it is done."""

    def execute(self, context: Context) -> list[Any]:
        """Return what to expand the fetching task over."""
        from airflow_provider.earthengine.download.publish import empty_dates

        # An event is the task publish's alone, whatever outlets a DAG has by default.
        self.outlets = without_assets(self.outlets)
        with self._failing_for_good(), self._hook(context) as hook:
            job = self._read_section_job(hook, context, None)
            if read_boolean("plan_only", self.plan_only):
                return self._push_plan(job, hook, context)
            with (
                self._open_target(job, context) as target,
                empty_dates.marking_empty(target, job) as standing,
            ):
                if standing.done:
                    self.log.info("Already published: %s", standing.done.item_uri)
                    return []
                sections = self._steps(hook, context, job, target).open()
        return [section.to_dict() for section in sections]


class FetchSectionOperator(SectionTask):
    """Fetch one section of a download, and send its parts of the upload.

    :param section: what the task plan returned of it. Never rendered.
    """

    required_fields = (*EarthEngineToS3Operator.required_fields, "section")
    # All have the download's name.
    default_map_index_template = "section {{ ti.map_index }}"

    def __init__(self, *, section: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.section = section

    def execute(self, context: Context) -> None:  # type: ignore[override]  # It returns nothing.
        """Fetch the section."""
        self.outlets = without_assets(self.outlets)
        with self._failing_for_good(), self._hook(context) as hook:
            given = read_given(self.section)
            job = self._read_section_job(hook, context, given)
            with self._open_target(job, context) as target:
                self._steps(hook, context, job, target).fetch(given)


class PublishSectionsOperator(SectionTask):
    """Publish a download from its sections, or all of it if it has none.

    :param sections: what the task plan returned.
    """

    template_fields: Sequence[str] = (*SectionTask.template_fields, "sections")
    operator_extra_links = EarthEngineToS3Operator.operator_extra_links

    def __init__(self, *, sections: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sections = sections

    def _given(self) -> list[GivenSection]:
        return [read_given(section) for section in self.sections or ()]

    def _read_job(self, hook: EarthEngineHook, context: Context) -> Job:
        given = self._given()
        return self._read_section_job(hook, context, given[0] if given else None)

    def _push_plan(self, *_: object) -> list[str]:
        self.outlets = without_assets(self.outlets)
        return []

    def _publish(
        self, hook: EarthEngineHook, job: Job, target: Target, context: Context
    ) -> tuple[CommitRecord, bool]:
        steps = self._steps(hook, context, job, target)
        return steps.downloader.publish_once(
            job, target, lambda standing: steps.publish(standing, self._given())
        )
