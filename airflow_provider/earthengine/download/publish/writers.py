"""Which task wrote what a download's keys hold, and may this task replace it?

If two tasks of one run write different downloads to the same keys, each replaces what the other has
just published, and both succeed. So the second one fails instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from airflow_provider.earthengine.download.fields.destination import Identity
from airflow_provider.earthengine.exceptions import ObjectExistsError
from airflow_provider.earthengine.one_line import one_line

_TASK = re.compile(r"(.+)/(-?\d{1,9})")


@dataclass(frozen=True)
class Writer:
    """The task that wrote a download.

    :param generation: the DAG, its run, and how often the run had been cleared.
    :param task_id: "" if unknown.
    :param map_index: -1 for a task that is not mapped.
    :param collections: those in which a listing found the images.
    """

    fingerprint: str
    generation: str
    task_id: str = ""
    map_index: int = -1
    collections: frozenset[str] = frozenset()

    @classmethod
    def of_object(cls, metadata: Mapping[str, str]) -> Writer:
        """Return who wrote an object, by its metadata."""
        task = _TASK.fullmatch(metadata.get("task", ""))
        return cls(
            metadata.get("fingerprint", ""),
            metadata.get("generation", ""),
            unquote(task[1]) if task else "",
            int(task[2]) if task else -1,
        )

    @property
    def task(self) -> str:
        """The task as messages show it."""
        return (
            f"{self.task_id}, map index {self.map_index}" if self.map_index >= 0 else self.task_id
        )

    def is_rival_of(self, identity: Identity) -> bool:
        """Return whether this is another download by another task of the same run.

        A cleared run is still the same run: if only the second of two tasks runs again, it must
        not replace what the first one published. But a listing that runs again may give a download
        another map index; its names are unique within the same collections.
        """
        mine = writer_of(identity)
        if self.fingerprint == mine.fingerprint or not self.task_id or not mine.task_id:
            return False
        if (self.task_id, self.map_index) == (mine.task_id, mine.map_index):
            return False
        if self.generation == mine.generation:
            return True
        is_same_run = _run_of(self.generation) == _run_of(mine.generation)
        is_renumbered = bool(mine.collections) and self.collections == mine.collections
        return is_same_run and not is_renumbered

    def __str__(self) -> str:
        """Return the download, the task and the run as logs show them."""
        task = f" by task {self.task}" if self.task_id else ""
        return one_line(f"download {self.fingerprint}{task} of run {self.generation}")


def writer_of(identity: Identity) -> Writer:
    """Return the task that makes a download."""
    return Writer(
        identity.fingerprint,
        identity.generation,
        identity.task_id,
        identity.map_index,
        identity.collections,
    )


def task_metadata(identity: Identity) -> dict[str, str]:
    """Return the task as an object's metadata: in ASCII, as S3 requires."""
    if not identity.task_id:
        return {}
    return {"task": f"{quote(identity.task_id)}/{identity.map_index}"}


def check_no_rival(uri: str, writer: Writer, identity: Identity) -> None:
    """Raise if another task of this run wrote another download.

    :raises ObjectExistsError: if it did; names that task, and says how to separate the two.
    """
    if writer.is_rival_of(identity):
        raise ObjectExistsError(
            f"{uri} was written by another task of this run ({writer.task}), and this one "
            f"({writer_of(identity).task}) would replace it: both have the same name; give each "
            "task its own name in download_params, or its own s3_prefix, for example "
            "'regions/{{ ti.map_index }}' in a mapped task.",
            task_id=writer.task_id,
            map_index=writer.map_index,
        )


def check_no_rival_at_work(uri: str, writer: Writer, identity: Identity) -> None:
    """Raise if another task of this run wrote it, unless the run has been cleared since.

    This is for an object without an item and for a marker: they are not results, and may be
    replaced after a clear.

    :raises ObjectExistsError: as :func:`check_no_rival`.
    """
    if writer.generation == identity.generation:
        check_no_rival(uri, writer, identity)


def _run_of(generation: str) -> str:
    return generation.rpartition("/")[0]
