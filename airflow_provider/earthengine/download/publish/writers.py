"""Which task wrote what is at a download's keys, and may this task replace it?

Two tasks of one run that want the same keys for different downloads are a mistake: each would
replace what the other has just published, and both would succeed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from airflow_provider.earthengine.download.fields.destination import Identity
from airflow_provider.earthengine.exceptions import ObjectExistsError

_TASK = re.compile(r"(.+)/(-?\d{1,9})")


@dataclass(frozen=True)
class Writer:
    """A download that was written, and the task that wrote it.

    :param generation: the DAG, its run, and how often that had been cleared.
    :param task_id: "" where nothing says it.
    :param map_index: -1 for a task that is not mapped.
    :param collections: those that a listing found the images in.
    """

    fingerprint: str
    generation: str
    task_id: str = ""
    map_index: int = -1
    collections: frozenset[str] = frozenset()

    @classmethod
    def of_object(cls, metadata: Mapping[str, str]) -> Writer:
        """Return who wrote an object, as its metadata says."""
        task = _TASK.fullmatch(metadata.get("task", ""))
        return cls(
            metadata.get("fingerprint", ""),
            metadata.get("generation", ""),
            unquote(task[1]) if task else "",
            int(task[2]) if task else -1,
        )

    @property
    def task(self) -> str:
        """The task's name, as messages show it."""
        return (
            f"{self.task_id}, map index {self.map_index}" if self.map_index >= 0 else self.task_id
        )

    def is_rival_of(self, identity: Identity) -> bool:
        """Return whether it is another download by another task of the same run.

        A run that was cleared is still the same: also where only the second of two tasks runs
        again, it must not replace what the first one published. A listing may number its downloads
        anew then. Its names tell them apart, within the same collections.
        """
        mine = writer_of(identity)
        if self.fingerprint == mine.fingerprint or not self.task_id or not mine.task_id:
            return False
        if (self.task_id, self.map_index) == (mine.task_id, mine.map_index):
            return False
        if self.generation == mine.generation:
            return True
        is_same_run = _run_of(self.generation) == _run_of(mine.generation)
        is_numbered_anew = bool(mine.collections) and self.collections == mine.collections
        return is_same_run and not is_numbered_anew

    def __str__(self) -> str:
        """Return the download, the task and the run, as logs show them."""
        task = f" by task {self.task}" if self.task_id else ""
        return f"download {self.fingerprint}{task} of run {self.generation}"


def writer_of(identity: Identity) -> Writer:
    """Return who this task is to others."""
    return Writer(
        identity.fingerprint,
        identity.generation,
        identity.task_id,
        identity.map_index,
        identity.collections,
    )


def task_metadata(identity: Identity) -> dict[str, str]:
    """Return what an object says of the task that writes it: ASCII, which S3 takes."""
    if not identity.task_id:
        return {}
    return {"task": f"{quote(identity.task_id)}/{identity.map_index}"}


def check_no_rival(uri: str, writer: Writer, identity: Identity) -> None:
    """Raise if another task of this run published what is there.

    :raises ObjectExistsError: names the task, and says how to tell the two apart.
    """
    if writer.is_rival_of(identity):
        raise ObjectExistsError(
            f"{uri} is of another task of this run, {writer.task}, and {writer_of(identity).task} "
            "would replace it: both have the same name; give each task its own name in "
            "download_params, or its own s3_prefix, for example 'regions/{{ ti.map_index }}' in a "
            "mapped task.",
            task_id=writer.task_id,
            map_index=writer.map_index,
        )


def check_no_rival_at_work(uri: str, writer: Writer, identity: Identity) -> None:
    """Raise for what is no result, of another task of this run, unless that was cleared since.

    An object without an item is no result, nor is a marker: after a clear, they may be replaced.

    :raises ObjectExistsError: as :func:`check_no_rival`.
    """
    if writer.generation == identity.generation:
        check_no_rival(uri, writer, identity)


def _run_of(generation: str) -> str:
    return generation.rpartition("/")[0]
