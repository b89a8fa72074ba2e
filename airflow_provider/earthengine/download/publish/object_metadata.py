"""What each object says of itself: which download wrote it, in which run, and for which item."""

from __future__ import annotations

from urllib.parse import quote

from airflow_provider.earthengine.download.bucket.objects import HeadedObject
from airflow_provider.earthengine.download.publish.record import Target
from airflow_provider.earthengine.download.publish.writers import task_metadata

# No download has such a fingerprint.
_TOMBSTONE = "tombstone"


def metadata_of(target: Target) -> dict[str, str]:
    """Return what an object of the download carries."""
    identity = target.identity
    return {
        "fingerprint": identity.fingerprint,
        "generation": identity.generation,
        "item": quote(target.destination.item_key),
        **task_metadata(identity),
    }


def metadata_of_tombstone(target: Target) -> dict[str, str]:
    """Return what an object carries that is deleted next."""
    return {**metadata_of(target), "fingerprint": _TOMBSTONE}


def is_of_item(target: Target, head: HeadedObject) -> bool:
    """Return whether an attempt at any download wrote an object for the target's item."""
    is_item = head.metadata.get("item") == quote(target.destination.item_key)
    return is_item and "fingerprint" in head.metadata


def is_of_download(target: Target, head: HeadedObject) -> bool:
    """Return whether an attempt at the target's download wrote an object."""
    fingerprint = head.metadata.get("fingerprint", "")
    generation = head.metadata.get("generation", "")
    return is_of_item(target, head) and target.identity.owns(fingerprint, generation)


def is_tombstone(head: HeadedObject) -> bool:
    """Return whether an object only waits for being deleted."""
    return head.metadata.get("fingerprint") == _TOMBSTONE
