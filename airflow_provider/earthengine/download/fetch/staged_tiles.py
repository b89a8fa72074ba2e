"""Verified tiles kept in the bucket, so that a retry, on any worker, fetches only the rest.

A kept tile is not trusted: one that is missing, or does not match the digest in its key, is fetched
again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.delete_listed import delete_listed
from airflow_provider.earthengine.download.bucket.multipart import digest_file
from airflow_provider.earthengine.download.fields.destination import Identity
from airflow_provider.earthengine.download.fields.download_limits import (
    ALWAYS,
    AUTO,
    DownloadLimits,
)
from airflow_provider.earthengine.download.plan.requests import Download
from airflow_provider.earthengine.download.plan.tiles import Tile

log = logging.getLogger(__name__)

MANY_REQUESTS = 64
"""With fewer requests than this, it is never worth keeping tiles."""

SLOW_SECONDS = 10.0
"""A tile that was fetched in less is fetched again for less than keeping all such tiles costs."""

_DIGEST_LENGTH = 16


class StagedTiles:
    """The tiles that the tries of one task run keep for each other.

    :param folder: of all tiles of this download, of any run.
    :param generation: the part of the key that is specific to this run.
    :param grid: the part that is specific to the same pixels of the same source.
    :param slow_seconds: only tiles that took so long to fetch are kept.
    """

    def __init__(
        self, bucket: Bucket, folder: str, generation: str, grid: str, slow_seconds: float
    ) -> None:
        self._bucket = bucket
        self._slow_seconds = slow_seconds
        self._folder = f"{folder}/"
        self._prefix = f"{folder}/{generation}/{grid}/"
        self._kept = {
            name: (key, digest)
            for key in bucket.list_objects(self._prefix)
            for name, _, digest in [key.removeprefix(self._prefix).rpartition(".")]
        }
        if self._kept:
            log.info("Found %d tiles that an earlier attempt fetched.", len(self._kept))

    def take(self, tile: Tile, path: Path) -> bool:
        """Write the kept body to ``path``; return whether there was one with the right digest."""
        if tile.name not in self._kept:
            return False
        key, digest = self._kept[tile.name]
        return self._bucket.get_file(key, path) == digest

    def keep(self, tile: Tile, path: Path, seconds: float) -> None:
        """Keep a verified body, if it took long to fetch."""
        if seconds < self._slow_seconds:
            return
        sha256 = digest_file(path)
        key = f"{self._prefix}{tile.name}.{sha256}"
        self._bucket.put_file(key, path, bytes.fromhex(sha256))

    def sweep(self) -> None:
        """Delete all tiles of this download, including those of earlier runs."""
        delete_listed(self._bucket, self._bucket.list_objects(self._folder))


def open_stage(
    bucket: Bucket,
    limits: DownloadLimits,
    identity: Identity,
    download: Download,
    version: int | None,
) -> StagedTiles | None:
    """Return where tiles are kept, or None if that is not worth it or not wanted.

    :param version: of the source: tiles of different versions must not be mixed.
    """
    is_wanted = limits.resume == ALWAYS or (
        limits.resume == AUTO and download.request_count > MANY_REQUESTS
    )
    if not is_wanted or not download.tiles:
        return None
    fingerprint = identity.fingerprint.rpartition(":")[2]
    grid = _digest([version, download.params.file_format, [str(each) for each in download.groups]])
    return StagedTiles(
        bucket,
        f"{limits.staging_prefix}/{fingerprint}",
        _digest(identity.generation),
        grid,
        SLOW_SECONDS if limits.resume == AUTO else 0.0,
    )


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:_DIGEST_LENGTH]
