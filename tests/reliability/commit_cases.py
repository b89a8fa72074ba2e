"""The cases of the commit protocol that are explored: who publishes what over what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.fields.destination import Destination, Identity, IfExists
from airflow_provider.earthengine.download.publish.commit import publish_files
from airflow_provider.earthengine.download.publish.files import GEOTIFF_MEDIA_TYPE, LocalFile
from airflow_provider.earthengine.download.publish.record import (
    ETAG,
    FINGERPRINT,
    GENERATION,
    CommitRecord,
    StoredObject,
    Target,
)
from airflow_provider.earthengine.download.publish.standing import look_at_destination
from tests.reliability.schedules import Run, World
from tests.support.memory_s3 import Semantics, Store

DESTINATION = Destination("bucket", "p", "s", ".bands.json")
FOREIGN = b"mine"


def object_key(band: str) -> str:
    """Return the key of a band's object."""
    return DESTINATION.key(f".{band}.tif")


@dataclass(frozen=True)
class Download:
    """What one attempt publishes.

    :param fingerprint: of the download; attempts that share it are at the same download.
    :param pixels: what its files hold; attempts that share it write the same bytes.
    :param run: the run of the task.
    """

    fingerprint: str
    bands: tuple[str, ...] = ("B3", "B4")
    pixels: str = ""
    run: str = "1"
    if_exists: IfExists = IfExists.REPLACE_CHANGED

    @property
    def identity(self) -> Identity:
        return Identity(self.fingerprint, self.run, self.if_exists)

    def publish(self, client: Any, folder: Path) -> CommitRecord:
        """Look, and publish, as the operator does."""
        target = Target(Bucket(client, DESTINATION.bucket), DESTINATION, self.identity)
        standing = look_at_destination(target)
        files = [self._file(folder, band) for band in self.bands]
        return standing.done or publish_files(target, standing, files, self._build_item)

    def _file(self, folder: Path, band: str) -> LocalFile:
        content = f"{band} {self.pixels or self.fingerprint}".encode()
        digest = hashlib.sha256(content).hexdigest()
        path = folder / digest
        if not path.exists():
            path.write_bytes(content)
        return LocalFile(f".{band}.tif", path, len(content), digest, GEOTIFF_MEDIA_TYPE, ())

    def _build_item(self, stored: Sequence[StoredObject]) -> bytes:
        assets = {
            each.key: {
                "href": DESTINATION.uri(each.key),
                "file:size": each.byte_count,
                "file:checksum": f"1220{each.sha256}",
                ETAG: each.etag,
            }
            for each in stored
        }
        properties = {FINGERPRINT: self.fingerprint, GENERATION: self.run}
        return json.dumps({"properties": properties, "assets": assets}).encode()


@dataclass(frozen=True)
class Outsider:
    """Somebody who writes a file of his own where nothing is."""

    band: str = "B4"

    def publish(self, client: Any, folder: Path) -> None:
        client.put_object(
            Bucket=DESTINATION.bucket, Key=object_key(self.band), Body=FOREIGN, IfNoneMatch="*"
        )


@dataclass(frozen=True)
class Case:
    """Attempts at one destination.

    :param attempts: those that run side by side, each from its look at the destination on.
    :param before: the download that was published before, if there was one.
    :param died: an attempt that died before, after so many requests.
    :param lost: a band whose object somebody has deleted.
    :param faults: how many requests of a schedule may go wrong.
    """

    name: str
    attempts: tuple[Download | Outsider, ...]
    before: Download | None = None
    died: tuple[Download, int] | None = None
    lost: str | None = None
    faults: int = 0

    def store(self, semantics: Semantics, folder: Path) -> Store:
        """Return what the attempts find."""
        store = Store(semantics)
        if self.before:
            run_alone(store, self.before, folder)
        if self.died:
            run_alone(store, self.died[0], folder, self.died[1])
        if self.lost:
            del store.objects[object_key(self.lost)]
        return store

    def world(self, store: Store, folder: Path) -> World:
        """Return the attempts at a copy of the store, before their first requests."""
        runs: dict[str, Run] = {
            name: partial(each.publish, folder=folder)
            for name, each in zip("ABC", self.attempts, strict=False)
        }
        return World(store.copy(), runs)


def run_alone(store: Store, download: Download, folder: Path, requests: int | None = None) -> Any:
    """Let one attempt run, and return its outcome; None where it died after so many requests."""
    name = f"{download.fingerprint} in run {download.run}"
    world = World(store, {name: partial(download.publish, folder=folder)})
    actor = world.actors[0]
    while not actor.has_ended and len(actor.seen) != requests:
        world.step(0)
    world.close()
    return actor.outcome


FAIL, REPLACE = IfExists.FAIL, IfExists.REPLACE
OLD = Download("v1:old")
A, B = Download("v1:a"), Download("v1:b")
# The fingerprint has the bands in it.
OLD3, A3, B3 = (Download(f"v1:{name} B3", ("B3",)) for name in ("old", "a", "b"))


def again(run: str, bands: tuple[str, ...] = ("B3", "B4"), pixels: str = "") -> Download:
    """Return another run's attempt at download A, which it replaces."""
    return Download("v1:a", bands, pixels, run, REPLACE)


QUICK_CASES = (
    Case("new; the same download twice", (A, A)),
    Case("new; two downloads", (A, B)),
    Case("one object replaced by two downloads", (A3, B3), OLD3),
)
SLOW_CASES = (
    Case("one object less, and two downloads", (A3, B3), OLD),
    Case("new; the same download twice, other bytes", (Download("v1:a", pixels="x"), A)),
    Case("new; one of two has to leave what is there", (A, Download("v1:b", if_exists=FAIL))),
    Case("new; one object and two", (A3, B)),
    Case("new; one of two fails somewhere", (A, B), faults=1),
    Case("replaced by the same download twice", (A, A), OLD),
    Case(
        "replaced by the same download twice, other bytes", (Download("v1:a", pixels="x"), A), OLD
    ),
    Case("replaced by two downloads", (A, B), OLD),
    Case(
        "replaced by two downloads, one with the old bytes",
        (A, Download("v1:b", pixels="v1:old")),
        OLD,
    ),
    Case("replaced by one object and by two", (A3, B), OLD),
    Case(
        "replaced by one object and by two with the old bytes",
        (A3, Download("v1:b", pixels="v1:old")),
        OLD,
    ),
    Case("replaced by one object, and published again as it was", (A3, OLD), OLD),
    Case("replaced by one run twice", (again("2"), again("2")), A),
    Case("replaced by two runs, same bytes", (again("2"), again("3")), A),
    Case("replaced by two runs, other bytes", (again("2", pixels="x"), again("3", pixels="y")), A),
    Case("an object is gone; the same download twice", (A, A), A, lost="B4"),
    Case("an object is gone; two downloads", (A, B), A, lost="B4"),
    Case("a claim was left; the same download twice", (A3, A3), OLD3, died=(A3, 4)),
    Case("a claim was left after one object; two downloads", (A, B), OLD, died=(B, 6)),
    Case("a tombstone was left; one object and two", (A3, B), OLD, died=(A3, 7)),
    Case("somebody writes a file of his own", (B, Outsider()), OLD3),
    Case("one fails somewhere while one object is replaced", (A3, B3), OLD3, faults=1),
    Case("three attempts at one download; one object", (A3, A3, A3)),
    Case("three downloads; one object", (A3, B3, Download("v1:c B3", ("B3",)))),
)
