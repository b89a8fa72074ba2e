"""What has to hold whatever the order in which attempts publish, and whoever of them dies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.download.fields.destination import IfExists
from airflow_provider.earthengine.download.publish.claim import KIND
from airflow_provider.earthengine.download.publish.record import ETAG, CommitRecord
from airflow_provider.earthengine.exceptions import ObjectExistsError, TransientError
from tests.reliability.commit_cases import (
    DESTINATION,
    FOREIGN,
    Case,
    Download,
    Outsider,
    object_key,
    run_alone,
)
from tests.reliability.schedules import Actor, Exploration, Step, World, explore
from tests.support.memory_s3 import AWS, Semantics, Store, Stored

ITEM = DESTINATION.item_key
# What an attempt may end with, though no request of its own went wrong.
EXPECTED = (ObjectExistsError, TransientError)


def explore_case(
    case: Case,
    folder: Path,
    semantics: Semantics = AWS,
    expected: tuple[type[Exception], ...] = EXPECTED,
) -> Exploration:
    """Follow every schedule; the promise holds in every state.

    :param expected: what attempts may end with.
    :raises BrokenPromiseError: it does not.
    """
    store = case.store(semantics, folder)
    promise = Promise(case, folder, expected, store.objects.get(ITEM))
    return explore(lambda: case.world(store, folder), promise.check, case.faults)


class BrokenPromiseError(AssertionError):
    """A schedule after which something is not as promised."""

    def __init__(self, message: str, path: Sequence[Step] = ()) -> None:
        self.path = tuple(path)
        super().__init__(message)


@dataclass
class Promise:
    """What has to hold in every state of a case.

    :param found: what was at the item's key before; it may lie where somebody deleted an object.
    """

    case: Case
    folder: Path
    expected: tuple[type[Exception], ...]
    found: Stored | None
    recovered: set[Any] = field(default_factory=set)

    def check(self, world: World, path: Sequence[Step]) -> None:
        """Raise unless all is as promised, also if no attempt ever did a step again."""
        try:
            self._check_store(world.store)
            self._check_outcomes(world)
            self._check_recovery(world.store)
        except BrokenPromiseError as error:
            names = "".join("ABC"[number] for number, _ in path)
            story = [f"{actor.name}: {actor.story}" for actor in world.actors]
            text = "\n".join([f"{error} after {names}", *story])
            raise BrokenPromiseError(text, path) from None

    def _check_store(self, store: Store) -> None:
        is_as_found = self.case.lost and store.objects.get(ITEM) == self.found
        if not is_as_found and (lies := lies_of(store)):
            raise BrokenPromiseError(f"the item names {lies}, which are not so")

    def _check_outcomes(self, world: World) -> None:
        succeeded = False
        for actor, attempt in zip(world.actors, self.case.attempts, strict=True):
            outcome = actor.outcome
            if isinstance(attempt, Outsider):
                self._check_outsider(world.store, attempt, actor)
            elif isinstance(outcome, CommitRecord):
                succeeded = True
                is_own = attempt.identity.owns(outcome.fingerprint, outcome.generation)
                _expect(is_own, f"{actor.name} returned another download")
            elif actor.has_ended:
                _expect(isinstance(outcome, self.expected), repr(outcome))
        if succeeded and all(actor.has_ended for actor in world.actors) and not self.case.faults:
            _expect(item_of(world.store) is not None, "one has succeeded, and there is no item")

    def _check_outsider(self, store: Store, outsider: Outsider, actor: Actor) -> None:
        if actor.has_ended and actor.outcome is None:
            found = store.objects.get(object_key(outsider.band))
            _expect(found is not None and found.content == FOREIGN, "somebody else's file is gone")

    def _check_recovery(self, store: Store) -> None:
        """Raise unless the next attempt completes what is left if all others die here."""
        state = store.state()
        if state in self.recovered:
            return
        self.recovered.add(state)
        downloads = [each for each in self.case.attempts if isinstance(each, Download)]
        for download in {retry_of(each) for each in downloads}:
            later = store.copy()
            item = item_of(store)
            outcome = run_alone(later, download, self.folder)
            if FOREIGN in {each.content for each in later.objects.values()}:
                continue
            _expect(isinstance(outcome, CommitRecord), f"the next attempt ends with {outcome!r}")
            self._check_store(later)
            assets = item_of(later)["assets"]
            was_done = item is not None and item["assets"] == assets
            _expect(
                was_done or set(later.objects) == {*assets, ITEM},
                f"the next attempt leaves {sorted(later.objects)}",
            )


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenPromiseError(otherwise)


def lies_of(store: Store) -> list[str]:
    """Return what the item names and is not as it says; nothing where there is no item."""
    item = item_of(store)
    if item is None:
        return []
    return [key for key, asset in item["assets"].items() if not _is_true(store, key, asset)]


def item_of(store: Store) -> Any:
    """Return the item; None where there is none, or a claim."""
    if ITEM not in store.objects:
        return None
    value = json.loads(store.objects[ITEM].content)
    return None if value.get("kind") == KIND else value


def _is_true(store: Store, key: str, asset: Any) -> bool:
    stored = store.objects.get(key)
    if stored is None:
        return False
    digest = hashlib.sha256(stored.content).hexdigest()
    return (len(stored.content), f"1220{digest}", stored.etag) == (
        asset["file:size"], asset["file:checksum"], asset[ETAG],
    )  # fmt: skip


def retry_of(download: Download) -> Download:
    """Return what is tried after all others have died: by another run, whatever is there."""
    return replace(download, run="later", if_exists=IfExists.REPLACE_CHANGED)
