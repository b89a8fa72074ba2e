"""Mistakes in the commit protocol, each put into the code: what is explored has to notice them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.errors import ConditionFailedError
from airflow_provider.earthengine.download.publish import attempt, commit, item_key
from airflow_provider.earthengine.download.publish.attempt import Attempt
from airflow_provider.earthengine.download.publish.item_key import ItemKey
from airflow_provider.earthengine.download.publish.record import CommitRecord, StoredObject
from airflow_provider.earthengine.download.publish.standing import Register
from airflow_provider.earthengine.download.publish.sweep import Sweep
from tests.reliability.commit_cases import A3, B3, OLD, OLD3, A, B, Case, Download, Outsider
from tests.support.memory_s3 import MemoryClient

Patch = Callable[[pytest.MonkeyPatch], None]


class RetiringItemKey(ItemKey):
    """Deletes the old item instead of claiming its key."""

    def claim(self, register: Register) -> CommitRecord | None:
        if register.etag:
            try:
                self._bucket.delete_object(self._key, register.etag)
            except ConditionFailedError:
                seen = self._look_again()
                return seen if isinstance(seen, CommitRecord) else None
        return None


class LateSweep(Sweep):
    """Deletes what is left over in the state that it is in by then, after the item was written."""

    def upload(self) -> None:
        pass

    def run(self) -> None:
        return None

    def run_late(self) -> None:
        for key in self._etags:
            head = self._bucket.head_object(key)
            if head:
                with suppress(ConditionFailedError):
                    self._bucket.delete_object(key, head.etag)


class AttemptOfBefore(Attempt):
    """Publishes in the order of steps before there were claims."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._item_key = RetiringItemKey(self._target, self._uploads)
        self._sweep = LateSweep(self._target, self._uploads, self._standing, self._files.keys())

    def commit(self, build_item: Callable[[Sequence[StoredObject]], bytes]) -> CommitRecord:
        record = super().commit(build_item)
        self._sweep.run_late()
        return record


def use_the_order_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "Attempt", AttemptOfBefore)


def abort_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bucket, "abort_upload", lambda *_: None)


def claim_nothing_where_no_item_is(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ItemKey.claim

    def claim(self: ItemKey, register: Register) -> CommitRecord | None:
        return real(self, register) if register.etag else None

    monkeypatch.setattr(ItemKey, "claim", claim)


def name_no_new_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ItemKey, "renew", lambda _: None)


def delete_without_a_tombstone(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: Sweep) -> None:
        for key, etag in self._etags.items():
            with suppress(ConditionFailedError):
                self._bucket.delete_object(key, etag)

    monkeypatch.setattr(Sweep, "run", run)


def give_back_whatever_was_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_key, "missing_objects", lambda *_: [])


def look_at_no_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "is_listed", lambda *_: True)


def drop_the_condition_of(operation: str) -> Patch:
    """Return what lets an operation of the client forget If-Match and If-None-Match."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        real = getattr(MemoryClient, operation)

        def careless(self: MemoryClient, **given: Any) -> Any:
            given.pop("IfMatch", None)
            given.pop("IfNoneMatch", None)
            return real(self, **given)

        monkeypatch.setattr(MemoryClient, operation, careless)

    return patch


MISTAKES: dict[str, tuple[Patch, Case]] = {
    "a late sweep deletes a newer object": (
        use_the_order_of_before,
        Case("", (A3, B), OLD),
    ),
    "a late item over another download's bytes": (use_the_order_of_before, Case("", (A3, B3))),
    "uploads of a lost claim are not aborted": (abort_nothing, Case("", (A3, B3), OLD3)),
    "no claim where there is no item": (
        claim_nothing_where_no_item_is,
        Case("", (A, B), died=(A, 3)),
    ),
    "a new upload is completed that no claim names": (name_no_new_upload, Case("", (A3, B3), OLD3)),
    "the same content is deleted again": (
        delete_without_a_tombstone,
        Case("", (A3, Download("v1:b", pixels="v1:old")), OLD),
    ),
    "the old item is put back over new objects": (
        give_back_whatever_was_overwritten,
        Case("", (A,), OLD, faults=1),
    ),
    "an adopted object is not looked at again": (
        look_at_no_listing,
        Case("", (A, B), OLD, died=(A, 6)),
    ),
    "a condition dropped when an item or a claim is put": (
        drop_the_condition_of("put_object"),
        Case("", (A3, B3)),
    ),
    "a condition dropped when an object is completed": (
        drop_the_condition_of("complete_multipart_upload"),
        Case("", (B, Outsider()), OLD3),
    ),
    "a condition dropped when an object is deleted": (
        drop_the_condition_of("delete_object"),
        Case("", (A3, B), OLD),
    ),
}
