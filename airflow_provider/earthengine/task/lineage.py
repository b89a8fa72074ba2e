"""What a task reads and writes, as far as it is known; reported to Airflow's hook lineage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider.earthengine.download.program import assets_of
from airflow_provider.earthengine.hooks.lineage import report_reads, report_writes

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.fields.job import Job
    from airflow_provider.earthengine.download.publish.record import CommitRecord
    from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook

MOST_DATASETS = 1_000
"""So many inputs or outputs are named: an event is one message to a server."""


@dataclass
class TaskLineage:
    """What is known of a task's download, filled while the task runs.

    :param record: of the published download; None if there is none, or not yet.
    :param was_there: whether it was published before.
    """

    job: Job | None = None
    record: CommitRecord | None = None
    was_there: bool = False

    def sources(self) -> dict[str, int | None]:
        """Return the assets that the download is made of, each with its version if it is known."""
        if self.job is None:
            return {}
        ids = assets_of(self.job.image.expression)
        region = self.job.params.region
        tables = (region,) if isinstance(region, str) else ()
        recorded = self.record.lineage.images if self.record else ()
        known = {each.asset_id: each.version for each in (*self.job.source.images, *recorded)}
        named = {asset_id: known.get(asset_id) for asset_id in (*ids, *tables)}
        return dict(list({**named, **known}.items())[:MOST_DATASETS])

    def publish(self, record: CommitRecord, *, was_there: bool, hook: EarthEngineHook) -> None:
        """Take the record of the published download, and report it to Airflow."""
        self.record, self.was_there = record, was_there
        report_reads(hook, self.sources())
        report_writes(hook, (*record.uris, record.item_uri))
