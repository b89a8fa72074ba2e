"""What each object says of itself: which download wrote it, in which run, and for which item."""

from __future__ import annotations

from urllib.parse import quote

from airflow_provider.earthengine.download.publish.record import Target
from airflow_provider.earthengine.download.publish.writers import task_metadata


def metadata_of(target: Target) -> dict[str, str]:
    """Return what an object of the download carries."""
    identity = target.identity
    return {
        "fingerprint": identity.fingerprint,
        "generation": identity.generation,
        "item": quote(target.destination.item_key),
        **task_metadata(identity),
    }
