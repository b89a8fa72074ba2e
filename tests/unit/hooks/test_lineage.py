"""What is read and written -> Airflow's assets, whatever it is called."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import Asset
from airflow.sdk.lineage import HookLineageCollector

from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.hooks.lineage import (
    convert_asset_to_openlineage,
    create_asset,
    report_reads,
    report_writes,
)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> HookLineageCollector:
    """Airflow's real collector, as if a plugin read it."""
    from airflow.providers.common.compat.lineage import hook

    made = HookLineageCollector()
    monkeypatch.setattr(hook, "get_hook_lineage_collector", lambda: made)
    return made


ASSETS = ["COPERNICUS/S2_SR/a", "projects/example.com:p/assets/b", "users/caf\xe9/it's #1?"]


def test_every_asset_of_earth_engine_is_an_asset_of_airflow_and_a_dataset(
    collector: HookLineageCollector,
) -> None:
    report_reads(EarthEngineHook(), ASSETS)
    read = [each.asset for each in collector.collected_assets.inputs]
    assert read[0].uri == "earthengine://COPERNICUS/S2_SR/a"
    datasets = [convert_asset_to_openlineage(asset, None) for asset in read]
    assert [(each.namespace, each.name) for each in datasets] == [
        ("earthengine", asset_id) for asset_id in ASSETS
    ]


def test_what_can_be_no_id_is_left_out(collector: HookLineageCollector) -> None:
    report_reads(EarthEngineHook(), ["\xe9" * 2_000])
    assert collector.collected_assets.inputs == []


def test_every_object_is_an_asset_of_airflow(collector: HookLineageCollector) -> None:
    too_long = "\xe9" * 500
    uris = ["s3://a.bucket/plain.tif", "s3://bucket/S\xe3o Paulo #1?.tif", f"s3://b/{too_long}"]
    report_writes(EarthEngineHook(), uris)
    written = [each.asset.uri for each in collector.collected_assets.outputs]
    assert written == [uris[0], "s3://bucket/S%C3%A3o%20Paulo%20%231%3F.tif"]


def test_an_asset_made_by_its_id_is_the_one_that_is_reported() -> None:
    assert create_asset(asset_id=ASSETS[0]) == Asset(uri=f"earthengine://{ASSETS[0]}")


def test_a_uri_without_an_id_is_none() -> None:
    with pytest.raises(ValueError, match="must contain the id"):
        Asset(uri="earthengine:///")
