"""The method by which OpenLineage's provider asks a task what it reads and writes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.task.lineage import TaskLineage

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


class LineageOfDownload:
    """The part of an operator that tells OpenLineage what its download reads and writes."""

    @cached_property
    def _lineage(self) -> TaskLineage:
        """What is known so far. Created on the worker, as the scheduler copies operators."""
        return TaskLineage()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return inputs, outputs and facets; of a task that failed, its inputs.

        :param task_instance: not needed: what is told was kept while the task ran.
        """
        from airflow_provider.earthengine.task.openlineage_facets import lineage_for_openlineage

        return lineage_for_openlineage(self._lineage)
