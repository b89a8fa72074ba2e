"""Tasks of one run that want one name: the second fails, and says how to tell them apart."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from shapely.geometry import shape

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.transfers import earthengine_to_s3
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.airflow import FailedRunError
from stack.bucket import list_keys, read_item
from stack.seaweedfs import SeaweedFS
from tests.integration.conftest import MakeAirflow
from tests.integration.series import COLLECTION, collection, day, list_images
from tests.integration.series import download as download_listed
from tests.support.airflow_task import task_context

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("connections")]

REGIONS = [
    [-122.0859, 37.0436, -122.0826, 37.0456],
    [-122.0759, 37.0436, -122.0726, 37.0456],
    [-122.0659, 37.0436, -122.0626, 37.0456],
]
DAILY, WEEKLY = "scheduled__2026-01-02T00:00:00+00:00", "scheduled__2026-01-09T00:00:00+00:00"
FIRST = "was written by another task of this run (download, map index 0)"


def constant() -> Any:
    import ee

    return ee.Image.constant(7).toByte()


def params(number: int) -> dict[str, Any]:
    return {"region": REGIONS[number], "crs": "EPSG:32610", "scale": 20, "format": "GEO_TIFF"}


Download = Callable[..., list[str]]


@pytest.fixture
def download(bucket: str) -> Download:
    def execute(
        number: int, *, clear_number: int = 0, facts: Any = None, **fields: Any
    ) -> list[str]:
        """Download a region as the mapped task of its number does."""
        task = {"task_id": "download", "run_id": DAILY, "map_index": number, **(facts or {})}
        chosen = {"image": constant, "download_params": params(number), "s3_bucket": bucket}
        operator = EarthEngineToS3Operator(task_id=task["task_id"], **{**chosen, **fields})
        uris: list[str] = operator.execute(task_context(clear_number, **task))  # type: ignore[arg-type]  # a stand-in
        return uris

    return execute


@pytest.fixture
def stands(s3: SeaweedFS, bucket: str) -> Callable[[], Any]:
    """Return a function that says which region is in the bucket, and by which run."""

    def read() -> tuple[int, str]:
        assert list_keys(s3.client(), bucket) == ["download.tif", "download.tif.json"]
        properties = read_item(s3.client(), bucket, "download.tif.json")["properties"]
        bounds = list(shape(properties["earthengine:params"]["region"]).bounds)
        return REGIONS.index(bounds), properties["earthengine:generation"]

    return read


def refused(download: Download, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(AirflowFailException, match=r"^ObjectExistsError: s3://") as caught:
        download(*args, **kwargs)
    return str(caught.value)


def test_the_second_mapped_task_of_a_run_names_the_first(
    download: Download, stands: Callable[[], Any], emulator: Emulator
) -> None:
    (uri,) = download(0)
    emulator.clear_requests()
    for number in (1, 2):
        said = refused(download, number)
        assert f"{uri}.json {FIRST}, and this one (download, map index {number})" in said
        assert "own name in download_params, or its own s3_prefix" in said
        assert "'regions/{{ ti.map_index }}'" in said
    assert "value:compute" not in emulator.counts()
    assert stands() == (0, f"a_dag/{DAILY}/0")


def test_two_tasks_of_a_run_are_no_better(download: Download, stands: Callable[[], Any]) -> None:
    download(0, facts={"task_id": "one", "map_index": -1})
    said = refused(download, 1, facts={"task_id": "other", "map_index": -1})
    assert "was written by another task of this run (one), and this one (other) would" in said
    assert stands()[0] == 0


@pytest.mark.parametrize("if_exists", ["fail", "replace", "replace_changed"])
def test_no_if_exists_allows_it(download: Download, if_exists: str) -> None:
    download(0, if_exists=if_exists)
    assert FIRST in refused(download, 1, if_exists=if_exists)


def test_names_and_prefixes_tell_tasks_apart(
    download: Download, s3: SeaweedFS, bucket: str
) -> None:
    for number in (0, 1):
        download(number, s3_prefix=f"regions/{number}")
        download(number, download_params={**params(number), "name": f"r{number}"})
        download(number, source={"name": f"s{number}"})
    ids = {
        read_item(s3.client(), bucket, key)["id"]
        for key in list_keys(s3.client(), bucket)
        if key.endswith(".json")
    }
    assert ids == {
        "regions~0~download.tif", "regions~1~download.tif", "r0.tif", "r1.tif", "s0.tif", "s1.tif"
    }  # fmt: skip


def test_the_same_download_by_two_tasks_is_done_once(
    download: Download, emulator: Emulator
) -> None:
    uris = download(0)
    emulator.clear_requests()
    assert download(1, download_params=params(0)) == uris
    assert "value:compute" not in emulator.counts()


def test_a_retry_may_replace_what_its_own_task_published(
    download: Download, stands: Callable[[], Any]
) -> None:
    """An image function that reads the clock makes another program at each try."""
    download(0)
    download(0, download_params=params(1), facts={"try_number": 2})
    assert stands()[0] == 1


def test_a_cleared_task_may_replace_what_it_published(
    download: Download, stands: Callable[[], Any]
) -> None:
    download(0)
    download(0, download_params=params(1), clear_number=1)
    assert stands() == (1, f"a_dag/{DAILY}/1")
    assert FIRST in refused(download, 2, clear_number=1)


@pytest.mark.parametrize("clears", [1, 2])
def test_clearing_the_task_that_failed_does_not_let_it_through(
    download: Download, stands: Callable[[], Any], clears: int
) -> None:
    download(0)
    assert FIRST in refused(download, 1, clear_number=clears)
    # Airflow counts a clear of any task of the run, and the first finds its own work done.
    download(0, clear_number=clears)
    assert FIRST in refused(download, 1, clear_number=clears)
    assert stands() == (0, f"a_dag/{DAILY}/0")


def test_a_listing_may_number_its_dates_anew_after_a_clear(
    emulator: Emulator, bucket: str, s3: SeaweedFS
) -> None:
    """A date gets a late image, and one before it appears: it is another task's, and replaced."""
    late = [{"image": number, "visible_from": "2999-01-01"} for number in (0, 3)]
    with emulator.restored_assets():
        emulator.put_asset(collection(step_days=0.5, late=late))
        before = list_images(by="date", start=day(0), end=day(3))
        assert len(before) == 3
        for number, fields in enumerate(before[1:], 0):
            download_listed(bucket, fields, map_index=number)
        emulator.put_asset(collection(step_days=0.5))
        for number, fields in enumerate(list_images(by="date", start=day(0), end=day(3))):
            context = task_context(1, map_index=number)
            chosen = {
                "download_params": {
                    "crs": "EPSG:32610",
                    "crs_transform": [10, 0, 600_000, 0, -10, 4_100_000],
                    "dimensions": [20, 10],
                    "format": "GEO_TIFF",
                },
                "layout": "as_served",
                "s3_bucket": bucket,
            }
            operator = EarthEngineToS3Operator(task_id="download", **{**chosen, **fields})
            operator.execute(context)  # type: ignore[arg-type]  # a stand-in
    item = read_item(s3.client(), bucket, "2021-01-02.tif.json")["properties"]
    assert item["airflow:map_index"] == 1
    assert [each["asset_id"] for each in item["earthengine:source_images"]] == [
        f"{COLLECTION}/20210102T1000", f"{COLLECTION}/20210102T2200"
    ]  # fmt: skip


def test_a_later_run_replaces_and_says_what(
    download: Download, stands: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    download(0)
    with caplog.at_level(logging.INFO):
        download(1, facts={"run_id": WEEKLY, "map_index": 0})
    assert stands() == (1, f"a_dag/{WEEKLY}/0")
    (line,) = [each for each in caplog.messages if each.startswith("Replacing")]
    assert "download.tif.json, written by download v1:" in line
    assert f" by task download, map index 0 of run a_dag/{DAILY}/0, with download v1:" in line
    assert line.endswith(f" by task download, map index 0 of run a_dag/{WEEKLY}/0")


def test_the_same_name_in_another_dag_is_replaced_as_before(
    download: Download, stands: Callable[[], Any]
) -> None:
    download(0)
    download(1, facts={"dag_id": "another_dag"})
    assert stands() == (1, f"another_dag/{DAILY}/0")


def test_of_two_that_find_nothing_the_one_that_comes_second_fails(
    download: Download, stands: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look at an empty bucket, before either publishes."""
    both_looked = threading.Barrier(2, timeout=60)
    plan_job = earthengine_to_s3.plan_job

    def plan(*args: Any) -> Any:
        both_looked.wait()
        return plan_job(*args)

    monkeypatch.setattr(earthengine_to_s3, "plan_job", plan)
    outcomes: dict[int, Any] = {}

    def run(number: int) -> None:
        try:
            outcomes[number] = download(number)
        except AirflowFailException as error:
            outcomes[number] = str(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [number for number, outcome in outcomes.items() if isinstance(outcome, list)]
    said = outcomes[1 - winner]
    assert f"was written by another task of this run (download, map index {winner})," in said
    assert stands()[0] == winner


def test_a_marker_of_another_task_is_not_replaced(
    download: Download, s3: SeaweedFS, bucket: str
) -> None:
    away = {"region": [10, 10, 10.1, 10.1], "bands": ["B1"], "scale": 60, "format": "GEO_TIFF"}
    scene = "COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG"
    fields = {"image": scene, "on_empty": "mark", "source": {"name": "scene"}}
    with pytest.raises(AirflowSkipException):
        download(0, download_params=away, **fields)
    assert list_keys(s3.client(), bucket) == ["scene.empty.json"]
    for other in ({**away, "scale": 120}, {**away, "region": REGIONS[1]}):
        said = refused(download, 1, download_params=other, **fields)
        assert f"scene.empty.json {FIRST}" in said
    # The next day it is a later run's, which may.
    later = {"run_id": WEEKLY, "map_index": 1}
    with pytest.raises(AirflowSkipException):
        download(1, download_params={**away, "scale": 120}, facts=later, **fields)
    marker = json.loads(
        s3.client().get_object(Bucket=bucket, Key="scene.empty.json")["Body"].read()
    )
    assert (marker["generation"], marker["map_index"]) == (f"a_dag/{WEEKLY}/0", 1)


DAG = f"""
from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator


def constant():
    import ee

    return ee.Image.constant(7).toByte()


PARAMS = {[params(number) for number in range(3)]!r}

for name, prefix in (("unnamed", ""), ("numbered", "regions/{{{{ ti.map_index }}}}")):
    with DAG(name, schedule=None, start_date=datetime(2021, 1, 1, tzinfo=UTC)):
        EarthEngineToS3Operator.partial(
            task_id="download", image=constant, s3_bucket="BUCKET", s3_prefix=prefix
        ).expand(download_params=PARAMS)
"""


@pytest.fixture
def numbered(tmp_path: Path, bucket: str, make_airflow: MakeAirflow) -> Iterator[Any]:
    (tmp_path / "same_names.py").write_text(DAG.replace("BUCKET", bucket))
    return make_airflow(tmp_path)


def test_three_regions_without_a_name_are_one_file_and_two_failures_in_airflow(
    numbered: Any, s3: SeaweedFS, bucket: str
) -> None:
    with pytest.raises(FailedRunError) as caught:
        numbered.test_dag("unnamed", "2021-01-01")
    refused = re.findall(
        r"was written by another task of this run \(download, map index (\d)\), and this one "
        r"\(download, map index (\d)\)",
        caught.value.log,
    )
    # Airflow begins with any of the three.
    (first,) = {first for first, _ in refused}
    assert {first, *(other for _, other in refused)} == {"0", "1", "2"}
    assert list_keys(s3.client(), bucket) == ["download.tif", "download.tif.json"]
    numbered.test_dag("numbered", "2021-01-01")
    assert list_keys(s3.client(), bucket)[2:] == [
        f"regions/{number}/download.tif{suffix}" for number in range(3) for suffix in ("", ".json")
    ]
