"""A published download -> what the task leaves for its page, in XCom."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.fields.job import Job
    from airflow_provider.earthengine.download.publish.record import CommitRecord, Target


def summary_of(
    job: Job, target: Target, record: CommitRecord, *, was_there: bool, started: float
) -> dict[str, Any]:
    """Return the summary of a download, with its picture if one is wanted and stored.

    :param was_there: whether it was published before.
    :param started: when the task began, by the monotonic clock.
    """
    from airflow_provider.earthengine.download.publish.pages import pages_of
    from airflow_provider.earthengine.download.publish.summary import Work, summarize
    from airflow_provider.earthengine.download.publish.thumbnails import read_thumbnail

    picture = read_thumbnail(target, record) if job.quicklook else None
    work = Work(was_there, time.monotonic() - started)
    return summarize(record, picture, work, pages_of(record, target, job.image.asset_id))
