"""Kept tiles are taken only for the same pixels of the same source, and only as they were kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.download.fetch.staged_tiles import StagedTiles, open_stage
from airflow_provider.earthengine.download.fields.destination import Identity, IfExists
from airflow_provider.earthengine.download.fields.download_limits import (
    ALWAYS,
    AUTO,
    DownloadLimits,
)
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo
from airflow_provider.earthengine.download.plan.requests import Download, plan_download
from tests.support.memory_s3 import Store, bucket_on

LIMITS = DownloadLimits(resume=ALWAYS, tile_byte_count=64 << 10)
IDENTITY = Identity("v1:f", "run/0", IfExists.REPLACE_CHANGED)
VERSION = 1_641_990_767_055_141


def plan(easting: float = 499_980.0, **params: Any) -> Download:
    grid = PixelGrid("EPSG:32610", (10.0, 0.0, easting, 0.0, -10.0, 4_200_000.0), 600, 600)
    info = ImageInfo((BandInfo("B3", "uint16", grid),), {})
    return plan_download(info, read_params(params), "cog", limits=LIMITS)


DOWNLOAD = plan()
TILE = DOWNLOAD.tiles[3]


class Stages:
    """Opens the stages of downloads in one bucket."""

    def __init__(self, folder: Path) -> None:
        self.store = Store()
        self._folder = folder
        self.kept = folder / "kept"
        self.kept.write_bytes(b"the tile's bytes")

    def open(self, **changes: Any) -> StagedTiles:
        fields = {"limits": LIMITS, "identity": IDENTITY, "download": DOWNLOAD, "version": VERSION}
        stage = open_stage(bucket_on(self.store), **{**fields, **changes})
        assert stage
        return stage

    def taken(self, **changes: Any) -> bytes | None:
        """Return the body of the tile as a later try would take it."""
        path = self._folder / "taken"
        return path.read_bytes() if self.open(**changes).take(TILE, path) else None


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    return Stages(tmp_path)


def test_a_later_try_takes_what_was_kept(stages: Stages) -> None:
    stages.open().keep(TILE, stages.kept, 0.0)
    assert stages.taken() == b"the tile's bytes"
    assert not stages.open().take(DOWNLOAD.tiles[0], stages.kept)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": VERSION + 1},
        {"version": None},
        {"identity": replace(IDENTITY, generation="run/1")},
        {"identity": replace(IDENTITY, fingerprint="v1:other")},
        {"download": plan(easting=500_080.0)},
        {"limits": replace(LIMITS, staging_prefix="elsewhere")},
    ],
    ids=["another version", "no version", "another run", "another download", "another grid",
         "another place"],
)  # fmt: skip
def test_tiles_of_something_else_are_not_taken(stages: Stages, changes: dict[str, Any]) -> None:
    stages.open().keep(TILE, stages.kept, 0.0)
    assert stages.taken(**changes) is None


def test_a_tile_that_was_damaged_is_not_taken(stages: Stages) -> None:
    stages.open().keep(TILE, stages.kept, 0.0)
    (key,) = stages.store.objects
    stages.store.put(key, b"other bytes")
    assert stages.taken() is None
    del stages.store.objects[key]
    assert stages.taken() is None


def test_all_tiles_of_the_download_are_swept_and_no_others(stages: Stages) -> None:
    for changes in (
        {}, {"version": VERSION + 1}, {"identity": replace(IDENTITY, generation="run/1")}
    ):  # fmt: skip
        stages.open(**changes).keep(TILE, stages.kept, 0.0)
    other = {"identity": replace(IDENTITY, fingerprint="v1:f2")}
    stages.open(**other).keep(TILE, stages.kept, 0.0)
    stages.open().sweep()
    assert stages.taken(**other) == b"the tile's bytes"
    assert len(stages.store.objects) == 1


def test_a_tile_that_is_kept_anew_while_others_are_swept_stays(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages.open().keep(TILE, stages.kept, 0.0)
    (key,) = stages.store.objects
    bucket = bucket_on(stages.store)
    stage = StagedTiles(bucket, key.rsplit("/", 3)[0], "any", "any", 0.0)
    listed = bucket.list_objects("")
    monkeypatch.setattr(bucket, "list_objects", lambda _: listed)
    stages.store.put(key, b"kept anew, with other bytes")
    stage.sweep()
    assert key in stages.store.objects


def test_a_stage_is_only_opened_where_it_is_worth_it(stages: Stages) -> None:
    bucket = bucket_on(stages.store)
    few = replace(LIMITS, resume=AUTO)
    whole = plan_download(
        ImageInfo(
            (BandInfo("B3", "uint8", PixelGrid("EPSG:32610", (10, 0, 0, 0, -10, 0), 9, 9)),), {}
        ),
        read_params({}),
        "cog",
    )
    assert open_stage(bucket, few, IDENTITY, DOWNLOAD, VERSION) is None
    assert open_stage(bucket, LIMITS, IDENTITY, whole, VERSION) is None
    never = replace(LIMITS, resume="never")
    assert open_stage(bucket, never, IDENTITY, DOWNLOAD, VERSION) is None
