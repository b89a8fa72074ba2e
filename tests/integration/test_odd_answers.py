"""What Earth Engine may answer and rarely does: known before the first pixel is fetched.

An image says of itself what whoever made it wrote there; and an answer may be of another form.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider.earthengine.emulator.faults.armed import Answer
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import ServiceUnavailableError
from airflow_provider.earthengine.hooks.session import SESSION
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.bucket import list_keys, read_item
from stack.seaweedfs import SeaweedFS
from tests.integration.series import COLLECTION, collection, day, list_images
from tests.support.airflow_task import task_context
from tests.support.mutated import nested

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("connections")]

ASSET = "projects/demo/assets/odd"
GRID = {
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 600_000, 0, -10, 4_100_000],
    "dimensions": [20, 10],
}

Run = Callable[..., dict[str, Any]]


def asset(**properties: Any) -> dict[str, Any]:
    bands = [{"id": "b", "dtype": "uint16", **GRID}]
    return {"id": ASSET, "kind": "formula", "bands": bands, "properties": properties}


@pytest.fixture(autouse=True)
def assets(emulator: Emulator) -> Iterator[Emulator]:
    with emulator.restored_assets():
        emulator.put_asset(asset())
        emulator.put_asset(collection())
        yield emulator


@pytest.fixture
def run(bucket: str) -> Run:
    def execute(**fields: Any) -> dict[str, Any]:
        """Return the item's properties, and the warnings of XCom as ``said``."""
        context = task_context()
        params = {"format": "GEO_TIFF", "name": "x"}
        operator = EarthEngineToS3Operator(
            task_id="download", s3_bucket=bucket,
            **{"image": ASSET, "download_params": params, **fields},
        )  # fmt: skip
        operator.execute(context)  # type: ignore[arg-type]  # a stand-in
        xcom: dict[str, Any] = context["ti"].xcom
        return xcom

    return execute


TIMES = {
    "microseconds": 1_609_459_200_000_000,
    "more digits than a number has": 10**400,
    "no number": math.nan,
    "a large float": 1e300,
    "a text": "2021-01-01",
    "an object": {"type": "Date"},
}


@pytest.mark.parametrize("time", TIMES.values(), ids=TIMES)
def test_a_time_that_is_none_does_not_keep_the_image_from_being_published(
    run: Run, bucket: str, s3: SeaweedFS, assets: Emulator, time: Any
) -> None:
    assets.put_asset(asset(**{"system:time_start": time, "system:time_end": time}))
    run()
    properties = read_item(s3.client(), bucket, "x.tif.json")["properties"]
    # The run's interval, or none: nothing of what is no time.
    assert properties["datetime"] is None
    assert properties["start_datetime"] == "2026-01-01T00:00:00Z"
    kept = json.loads(properties["earthengine:properties"])["system:time_start"]
    assert kept == (str(time) if time in (10**400, TIMES["no number"]) else time)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (1_610_218_671_000, "2021-01-09T18:57:51Z"),
        (1_610_218_671_000.5, "2021-01-09T18:57:51.000500Z"),
        (0, "1970-01-01T00:00:00Z"),
        (-631_152_000_000, "1950-01-01T00:00:00Z"),
    ],
)
def test_a_time_is_milliseconds_since_1970_also_before_it(
    run: Run, bucket: str, s3: SeaweedFS, assets: Emulator, time: float, text: str
) -> None:
    assets.put_asset(asset(**{"system:time_start": time}))
    run()
    assert read_item(s3.client(), bucket, "x.tif.json")["properties"]["datetime"] == text


def test_properties_of_any_kind_and_size_are_recorded_or_named(
    run: Run, bucket: str, s3: SeaweedFS, assets: Emulator
) -> None:
    given = {
        "nan": math.nan, "infinite": [math.inf, {"low": -math.inf}], "huge": 10**400,
        "int64": 2**63 - 1, "null": None, "truth": False, "half of a character": "a\ud800b",
        "lines": "one\ntwo\x00three", "key\ud800": 1, "nested": nested(20), "": "no name",
    }  # fmt: skip
    long = {
        "long": "x" * 200_000,
        "deep": nested(200),
        **{f"page{n}": "y" * 99_000 for n in range(20)},
    }
    assets.put_asset(asset(**given, **long))
    xcom = run()
    content = s3.client().get_object(Bucket=bucket, Key="x.tif.json")["Body"].read()
    assert len(content) < 2_000_000
    properties = json.loads(content, parse_constant=pytest.fail)["properties"]
    recorded = json.loads(properties["earthengine:properties"], parse_constant=pytest.fail)
    assert recorded | {"system:index": "odd"} == recorded
    assert {name: recorded.get(name) for name in given if name.isascii() and name} == {
        "nan": "nan", "infinite": ["inf", {"low": "-inf"}], "huge": str(10**400),
        "int64": 2**63 - 1, "null": None, "truth": False, "half of a character": "a\\ud800b",
        "lines": "one\ntwo\x00three", "nested": nested(20),
    }  # fmt: skip
    assert recorded["key\\ud800"] == 1
    (warning,) = xcom["summary"]["warnings"]
    assert warning.startswith("The properties long, deep, page")
    assert warning.endswith("are too long or too deeply nested to be recorded.")


IMAGE = {
    "type": "Image", "id": ASSET, "version": 1,
    "bands": [{"id": "b", "data_type": {"precision": "int", "min": 0, "max": 65_535}, **GRID}],
}  # fmt: skip


def described(**band: Any) -> Any:
    return [IMAGE, {**IMAGE, "bands": [{**IMAGE["bands"][0], **band}]}]  # type: ignore[dict-item, index]


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "Image"},
        [IMAGE],
        [IMAGE, IMAGE, IMAGE],
        [IMAGE, {**IMAGE, "bands": None}],
        [IMAGE, {**IMAGE, "bands": {"b": 1}}],
        [IMAGE, {**IMAGE, "properties": ["a"]}],
        [IMAGE, {**IMAGE, "bands": IMAGE["bands"] * 2}],  # type: ignore[operator]
        described(id=None),
        described(id="\ud800"),
        described(crs=32610),
        described(crs=None),
        described(crs_transform=[10, 0, 600_000, 0, -10]),
        described(crs_transform="north"),
        described(dimensions=[20]),
        described(dimensions=[math.nan, 10]),
        described(dimensions=[-20, 10]),
        described(dimensions=[10**400, 10]),
        described(origin=[1, 2, 3]),
        described(data_type="uint16"),
    ],
    ids=lambda answer: str(answer)[-60:],
)
def test_an_answer_of_another_form_is_transient_and_nothing_is_fetched(
    run: Run, bucket: str, s3: SeaweedFS, assets: Emulator, answer: Any
) -> None:
    assets.clear_requests()
    with (
        assets.fault("value:compute", Answer(json.dumps({"result": answer}))),
        pytest.raises(ServiceUnavailableError, match="about the image cannot be understood"),
    ):
        run()
    assert "thumbnails.create" not in assets.counts()
    assert list_keys(s3.client(), bucket) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (described(origin=[math.nan, math.nan]), "PlanError: Band b has the transform .*nan"),
        (described(crs_transform=["NaN"] * 6), "PlanError: Band b has the transform .*nan"),
        (described(crs_transform=[10, 0, 10**400, 0, -10, 0]), "PlanError: Band b has the tran"),
        (described(dimensions=[2**40, 1]), "PlanError: Band b is 1,099,511,627,776 x 1 px"),
        (described(id="a\x00b"), r"PlanError: Band 'a\\x00b' has control characters in its name"),
        ([IMAGE, {**IMAGE, "bands": []}], "EmptyImageError: The image has no bands"),
        ([IMAGE, 5], "DownloadParamsError: image is an expression whose value is 5"),
    ],
)
def test_what_no_wait_helps_against_fails_before_anything_is_fetched(
    run: Run, assets: Emulator, answer: Any, words: str
) -> None:
    assets.clear_requests()
    with (
        assets.fault("value:compute", Answer(json.dumps({"result": answer}))),
        pytest.raises(AirflowFailException, match=words),
    ):
        run()
    assert "thumbnails.create" not in assets.counts()


@pytest.mark.parametrize(
    ("limits", "version", "known"),
    [
        ({"min": math.nan, "max": math.nan}, "1641990767055141", 1_641_990_767_055_141),
        ({"min": "-Infinity", "max": "Infinity"}, 1.5e15, 1_500_000_000_000_000),
        ({"min": 0, "max": 10**400}, 10**400, None),
        ({"min": "0", "max": "65535"}, "new", None),
        ({}, None, None),
    ],
)
def test_limits_and_versions_of_any_kind_do_not_keep_it_from_being_published(
    run: Run, bucket: str, s3: SeaweedFS, assets: Emulator,
    limits: dict[str, Any], version: Any, known: int | None,
) -> None:  # fmt: skip
    answer = described(data_type={"precision": "int", **limits})
    answer[1]["version"] = version
    with assets.fault("value:compute", Answer(json.dumps({"result": answer}))):
        xcom = run()
    properties = read_item(s3.client(), bucket, "x.tif.json")["properties"]
    assert properties.get("earthengine:asset_version") == known
    said = any("a change of the image during" in warning for warning in xcom["summary"]["warnings"])
    assert said == (version is not None and known is None)


@pytest.mark.parametrize("body", ["{}", '{"name": null}', '{"name": ["x"]}', '{"name": "../x"}'])
def test_after_a_download_id_of_another_form_a_new_one_is_asked_for(
    run: Run, assets: Emulator, body: str
) -> None:
    assets.clear_requests()
    with assets.fault("thumbnails.create", Answer(body)):
        run()
    assert assets.counts()["thumbnails.create"] == 2


def test_an_empty_list_of_functions_is_asked_for_again(run: Run, assets: Emulator) -> None:
    SESSION.close()
    assets.clear_requests()
    with assets.fault("algorithms", Answer("", 204)):
        run()
    assert assets.counts()["algorithms"] == 2


def test_an_image_whose_time_is_none_is_listed_without_it(assets: Emulator) -> None:
    whole = [[["one", 1_609_459_200_000_000, 5], ["two", "soon", None]], [], []]
    with assets.fault("value:compute", Answer(json.dumps({"result": whole}))):
        listed = list_images()
    assert [each["source"]["start_time"] for each in listed] == [None, None]
    assert [each["image"] for each in listed] == [f"{COLLECTION}/one", f"{COLLECTION}/two"]


def test_a_coverage_that_is_no_number_is_not_taken_for_none(assets: Emulator) -> None:
    region = [-121.88, 37.03, -121.87, 37.04]
    answer = Answer(json.dumps({"result": [math.nan] * 10}))
    with (
        assets.fault("value:compute", answer, skip=1),
        pytest.raises(ServiceUnavailableError, match="how much of the region is covered"),
    ):
        list_images(by="date", region=region, min_coverage_percent=1, start=day(0), end=day(10))
