"""The claim at an item's key while a download is replaced: who replaces it, and what was there.

A claim is neither a STAC item nor a result. It names every upload that its attempt may still
complete, so that an attempt that takes over the key can abort them first.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider.earthengine.download.fields.destination import Destination
from airflow_provider.earthengine.download.foreign import MAX_JSON_BYTE_COUNT, Foreign
from airflow_provider.earthengine.download.publish.record import FINGERPRINT, GENERATION, Target
from airflow_provider.earthengine.download.publish.writers import Writer, writer_of

KIND = "earthengine-claim"
CLAIM_MEDIA_TYPE = "application/json"


@dataclass(frozen=True)
class Claim:
    """The claim of one attempt.

    :param claim_id: the attempt's own; no two attempts share one.
    :param claimed_at: in ISO 8601.
    :param run: facts of the task's run, for people.
    :param uploads: (key, upload id) of each upload that the attempt may complete.
    :param previous: the content of the item that was there before; None if there was none.
    """

    claim_id: str
    writer: Writer
    claimed_at: str
    run: Mapping[str, Any]
    uploads: tuple[tuple[str, str], ...]
    previous: bytes | None

    def to_json(self) -> bytes:
        """Return the claim's content."""
        content = {
            "kind": KIND,
            "id": self.claim_id,
            FINGERPRINT: self.writer.fingerprint,
            GENERATION: self.writer.generation,
            "task_id": self.writer.task_id,
            "map_index": self.writer.map_index,
            "claimed_at": self.claimed_at,
            "run": dict(self.run),
            "uploads": [{"key": key, "upload_id": upload_id} for key, upload_id in self.uploads],
            "previous": None if self.previous is None else self.previous.decode(),
        }
        return json.dumps(content, indent=2).encode()


def make_claim(
    target: Target, claim_id: str, uploads: tuple[tuple[str, str], ...], previous: bytes | None
) -> Claim:
    """Return the claim that an attempt writes now."""
    return Claim(
        claim_id=claim_id,
        writer=writer_of(target.identity),
        claimed_at=now().isoformat(timespec="seconds"),
        run=target.run,
        uploads=uploads,
        previous=previous,
    )


def is_claim(value: Foreign) -> bool:
    """Return whether an item's key holds a claim."""
    return isinstance(value.value, Mapping) and value.value.get("kind") == KIND


def read_claim(destination: Destination, value: Foreign) -> Claim:
    """Return the claim in a parsed JSON value.

    :raises ForeignValueError: if this package did not write it for this destination.
    """
    previous = value.at("previous")
    return Claim(
        claim_id=value.at("id").text(),
        writer=Writer(
            value.at(FINGERPRINT).text(),
            value.at(GENERATION).text(),
            value.at("task_id").optional_text(),
            value.at("map_index").whole(),
        ),
        claimed_at=value.at("claimed_at").text(),
        run={},
        uploads=tuple(_read_upload(destination, each) for each in value.at("uploads").items()),
        previous=None if previous.is_absent else previous.text(MAX_JSON_BYTE_COUNT).encode(),
    )


def _read_upload(destination: Destination, upload: Foreign) -> tuple[str, str]:
    key = upload.at("key")
    if not destination.holds(key.text()):
        # Whoever wrote this, no upload of another download is aborted.
        key.refuse("a key of the download")
    return key.text(), upload.at("upload_id").text()


def new_id() -> str:
    """Return an id that nobody else has."""
    return uuid.uuid4().hex


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
