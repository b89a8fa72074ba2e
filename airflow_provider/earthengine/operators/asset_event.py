"""Many downloads -> one asset event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule

from airflow_provider.earthengine.download.fields.literals import is_literal
from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.task.asset_events import (
    CHANGED,
    EVENT,
    announce,
    describe_together,
    read_asset_events,
    without_assets,
)
from airflow_provider.earthengine.task.outcome import failing_for_good
from airflow_provider.earthengine.task.parse_time import ParseTimeChecks

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class EarthEngineAssetEventOperator(ParseTimeChecks):
    """Make one event of each asset among the ``outlets``, for all downloads directly upstream.

    ::

        downloads = EarthEngineToS3Operator.partial(task_id="download", ...).expand_kwargs(...)
        downloads >> EarthEngineAssetEventOperator(task_id="announce", outlets=[scenes])

    Give it the ``outlets``, and the downloads none. Downloads that were skipped are left out; if
    one failed, there is no event until it has been run again. Returns the number of the downloads
    in the event; 0 if there is no event.

    :param asset_events: as of ``EarthEngineToS3Operator``. With "changed", the event is of those
        that this run published, if there are any; with "always", of all of them. The date is the
        partition if all have the same. (templated)
    """

    template_fields: Sequence[str] = ("asset_events",)
    ui_color = "#dff0d8"
    checked_fields = ("asset_events",)

    def __init__(self, *, asset_events: str | Mapping[str, str] = CHANGED, **kwargs: Any) -> None:
        # Downloads that found nothing are skipped, and the others still are published.
        kwargs.setdefault("trigger_rule", TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
        super().__init__(**kwargs)
        self.asset_events = asset_events
        self.check_literals()

    @classmethod
    def check_fields(cls, fields: Mapping[str, Any]) -> None:
        """Raise if a literal can never be right."""
        if "asset_events" in fields and is_literal(fields["asset_events"]):
            read_asset_events(fields["asset_events"])

    def execute(self, context: Context) -> int:
        """Return the number of downloads in the event."""
        with failing_for_good():
            events = read_asset_events(self.asset_events)
            described = self._pull(context)
        due = [each for each in described if events.is_due(each)]
        self.log.info("%d of %d downloads are in the event", len(due), len(described))
        # Airflow offers no other way to have no event of an asset.
        self.outlets = (
            announce(self.outlets, events, describe_together(due), context)
            if due
            else without_assets(self.outlets)
        )
        return len(due)

    def _pull(self, context: Context) -> list[Mapping[str, Any]]:
        """Return what the downloads say of themselves.

        :raises DownloadParamsError: if there are none.
        """
        if not self.upstream_task_ids:
            raise DownloadParamsError(
                "No task is upstream of this one; put it after the downloads that it announces: "
                "downloads >> announce."
            )
        # Of mapped tasks, it pulls from each.
        pulled = context["ti"].xcom_pull(task_ids=sorted(self.upstream_task_ids), key=EVENT)
        given = (each for each in pulled or () if isinstance(each, Mapping))
        return [each for each in given if isinstance(each.get("item"), str)]
