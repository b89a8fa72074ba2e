"""Objects under keys of a pattern: found again, replaced, marked and watched as any others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.publish.compare import compare_item, find_item_keys
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.operators.drift import EarthEngineDriftOperator
from airflow_provider.earthengine.operators.list_due_markers import (
    EarthEngineListDueMarkersOperator,
)
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.bucket import list_keys, list_pictures, read_item
from stack.seaweedfs import SeaweedFS
from tests.integration.series import collection, day, download, list_images
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID

pytestmark = pytest.mark.usefixtures("connections")

HIVE = "year={year}/month={month}/day={day}/{base}.{band}.tif"
BY_BAND = "band={band}/date={date}/{base}.tif"
BANDS = {
    "name": "scene", "bands": ["B3", "B4"], "crs": "EPSG:32610", "dimensions": [20, 10],
    "crs_transform": [10, 0, 600_000, 0, -10, 4_100_000],
}  # fmt: skip
SCENE = {"image": SENTINEL2_ID, "s3_prefix": "s2", "download_params": BANDS, "layout": None}


@pytest.fixture(autouse=True)
def assets(emulator: Emulator) -> Iterator[Emulator]:
    with emulator.restored_assets():
        emulator.put_asset(collection())
        emulator.clear_requests()
        yield emulator


@pytest.fixture
def keys(s3: SeaweedFS, bucket: str) -> Callable[[], list[str]]:
    return lambda: list_keys(s3.client(), bucket)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (HIVE, ["s2/year=2026/month=01/day=01/scene.B3.tif",
                "s2/year=2026/month=01/day=01/scene.B4.tif",
                "s2/year=2026/month=01/day=01/scene.bands.json"]),
        (BY_BAND, ["s2/band=B3/date=2026-01-01/scene.tif", "s2/band=B4/date=2026-01-01/scene.tif",
                   "s2/date=2026-01-01/scene.bands.json"]),
    ],
)  # fmt: skip
def test_a_pattern_names_the_objects_and_a_second_run_finds_them(
    bucket: str,
    s3: SeaweedFS,
    assets: Emulator,
    keys: Callable[[], list[str]],
    pattern: str,
    expected: list[str],
) -> None:
    first = download(bucket, {**SCENE, "s3_key": pattern})
    assert keys() == expected
    assert first["item"] == f"s3://{bucket}/{expected[-1]}"
    for key in expected[:-1]:
        with open_raster(f"s3://{bucket}/{key}") as dataset:
            assert dataset.shape == (10, 20)
    with closing(Bucket(s3.client(), bucket)) as opened:
        assert find_item_keys(opened, expected[0]) == [expected[-1]]
        findings = compare_item(opened, expected[-1])
    assert [(each.uri, each.problem) for each in findings] == [
        (f"s3://{bucket}/{key}", "") for key in (expected[-1], *expected[:-1])
    ]
    assets.clear_requests()
    second = download(bucket, {**SCENE, "s3_key": pattern})
    assert second["item"] == first["item"]
    assert second["summary"]["picture"] == first["summary"]["picture"] is not None
    assert assets.counts() == {}


@pytest.mark.parametrize("pattern", ["{base}{suffix}", "{base}.{band}.tif"])
def test_what_was_published_under_the_default_keys_is_found_under_their_pattern(
    bucket: str, assets: Emulator, pattern: str
) -> None:
    before = download(bucket, SCENE)
    assets.clear_requests()
    assert download(bucket, {**SCENE, "s3_key": pattern})["item"] == before["item"]
    assert assets.counts() == {}


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [HIVE, BY_BAND])
def test_a_download_of_other_bands_replaces_all_objects_of_the_one_before(
    bucket: str, s3: SeaweedFS, keys: Callable[[], list[str]], pattern: str
) -> None:
    download(bucket, {**SCENE, "s3_key": pattern})
    other = {**BANDS, "bands": ["B4", "B8"]}
    download(bucket, {**SCENE, "s3_key": pattern, "download_params": other})
    assert len(list_pictures(s3.client(), bucket)) == 1
    assert len(keys()) == 3
    assert not any("B3" in key for key in keys())


def test_two_dates_do_not_touch_each_others_objects(
    bucket: str, keys: Callable[[], list[str]]
) -> None:
    """With the band first, both dates' keys begin alike."""
    for number in (1, 2):
        record = {"datetime": f"2021-01-0{number}"}
        download(bucket, {**SCENE, "s3_key": BY_BAND, "record": record})
    only = {**BANDS, "bands": ["B8"]}
    record = {"datetime": "2021-01-02"}
    download(bucket, {**SCENE, "s3_key": BY_BAND, "record": record, "download_params": only})
    assert keys() == [
        "s2/band=B3/date=2021-01-01/scene.tif",
        "s2/band=B4/date=2021-01-01/scene.tif",
        "s2/band=B8/date=2021-01-02/scene.tif",
        "s2/date=2021-01-01/scene.bands.json",
        "s2/date=2021-01-02/scene.bands.json",
    ]


def test_a_key_of_another_download_is_not_overwritten(bucket: str) -> None:
    """Both would write s2/scene/B3.tif; their items are elsewhere."""
    download(bucket, {**SCENE, "s3_key": "{base}/{band}.tif"})
    other = {**BANDS, "bands": ["B3"], "name": "B3", "format": "GEO_TIFF"}
    with pytest.raises(AirflowFailException, match="does not belong to"):
        download(bucket, {**SCENE, "s3_key": "scene/{base}.tif", "download_params": other})


def test_an_empty_date_is_marked_beside_its_keys_and_looked_for_there_again(
    bucket: str, assets: Emulator, keys: Callable[[], list[str]]
) -> None:
    found = list_images(end=day(1), s3_prefix="s2")[0]
    assets.put_asset(collection(masked=[{"images": [0], "left": 0, "top": 0, "width": 20,
                                         "height": 10}]))  # fmt: skip
    fields = {
        **found,
        "s3_key": "date={date}/{base}_v2{suffix}",
        "on_empty": {"no_pixels": "mark", "all_masked": "mark"},
        "recheck_days": 1e-7,
    }
    with pytest.raises(AirflowSkipException):
        download(bucket, fields)
    assert keys() == ["s2/date=2021-01-01/20210101T1000_v2.empty.json"]
    operator = EarthEngineListDueMarkersOperator(task_id="due", s3_bucket=bucket, s3_prefix="s2")
    (again,) = operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
    assert again["s3_prefix"] == "s2"
    assets.put_asset(collection())
    download(bucket, {**again, "s3_key": fields["s3_key"]})
    assert keys() == [
        "s2/date=2021-01-01/20210101T1000_v2.tif",
        "s2/date=2021-01-01/20210101T1000_v2.tif.json",
    ]


def test_a_changed_source_is_downloaded_to_its_own_keys_again(
    bucket: str, assets: Emulator, s3: SeaweedFS, keys: Callable[[], list[str]]
) -> None:
    pattern = "year={year}/{date}/{base}_v2{suffix}"
    for found in list_images(end=day(2), s3_prefix="s2"):
        download(bucket, {**found, "s3_key": pattern})
    published = keys()
    assets.put_asset(collection(reprocessed=[{"image": 1, "visible_from": "2021-02-01T00:00:00Z"}]))
    operator = EarthEngineDriftOperator(task_id="drift", s3_bucket=bucket, s3_prefix="s2")
    (changed,) = operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
    assert changed["s3_prefix"] == "s2"
    fields = {**changed, "s3_key": pattern, "if_exists": "replace"}
    download(bucket, fields, run_id="scheduled__2026-02-01")
    assert keys() == published
    key = "s2/year=2021/2021-01-02/20210102T1000_v2.tif.json"
    assert read_item(s3.client(), bucket, key)["properties"]["earthengine:asset_version"] > 1


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{base}.tif", "one key for the files of all bands"),
        ("{bsae}.{band}.tif", "has the field 'bsae'"),
        ("../{base}.{band}.tif", "write the prefix of the keys"),
    ],
)
def test_a_pattern_that_cannot_be_right_is_refused_while_the_dag_is_parsed(
    bucket: str, pattern: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        EarthEngineToS3Operator(
            task_id="x", image="A/b", download_params=BANDS, s3_bucket=bucket, s3_key=pattern
        )


def test_a_rendered_pattern_is_refused_before_anything_is_sent(
    bucket: str, assets: Emulator
) -> None:
    chosen = {**SCENE, "s3_bucket": bucket, "s3_key": "{{ params.folder }}/{base}.{band}.tif"}
    operator = EarthEngineToS3Operator(task_id="download", **chosen)
    operator.s3_key = "../{base}.{band}.tif"  # As rendered.
    with pytest.raises(AirflowFailException, match="write the prefix of the keys"):
        operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
    assert assets.counts() == {}
