"""What goes wrong in one task of a group costs its section, and never makes a wrong file."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.emulator.faults import Status
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import ServiceUnavailableError
from airflow_provider.earthengine.rasters import open_raster
from stack.seaweedfs import SeaweedFS
from tests.support.expected import formula_values
from tests.support.group_tasks import Group, make_impatient

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 520, 1500
ASSET = "projects/demo/assets/tall"
SECTIONS = [0, 1, 2]
STAGING = "earthengine-staging/sections/"


def description(version: int = 1) -> dict[str, Any]:
    band = {"id": "b0", "dtype": "uint16", "crs": "EPSG:32601", "dimensions": [WIDTH, HEIGHT],
            "crs_transform": [10, 0, 500000, 0, -10, 4000000]}  # fmt: skip
    return {"id": ASSET, "kind": "formula", "version": version, "bands": [band]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    make_impatient(monkeypatch)


@pytest.fixture
def asset(emulator: Emulator) -> Iterator[Emulator]:
    with emulator.restored_assets():
        emulator.put_asset(description())
        yield emulator


@pytest.fixture
def fields(connections: object, asset: Emulator, bucket: str) -> dict[str, Any]:
    return {
        "image": ASSET, "download_params": {"format": "GEO_TIFF"}, "s3_bucket": bucket,
        "s3_prefix": "a", "section_requests": 1, "limits": {"tile_byte_count": WIDTH * 512 * 3},
        "quicklook": False,
    }  # fmt: skip


@pytest.fixture
def group(fields: dict[str, Any]) -> Group:
    return Group(**fields)


@pytest.fixture
def client(s3: SeaweedFS) -> Any:
    return s3.client()


def keys(client: Any, bucket: str, prefix: str = "") -> list[str]:
    listed = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return [each["Key"] for each in listed]


def check_published(client: Any, bucket: str, uris: list[str]) -> None:
    """The download is right and complete, and nothing else is left."""
    assert uris == [f"s3://{bucket}/a/tall.tif"]
    assert keys(client, bucket) == ["a/tall.tif", "a/tall.tif.json"]
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")
    rows, columns = np.arange(HEIGHT)[:, np.newaxis], np.arange(WIDTH)[np.newaxis, :]
    with open_raster(uris[0]) as raster:
        np.testing.assert_array_equal(raster.read(1), formula_values(0, "uint16", rows, columns))


@pytest.fixture
def published(client: Any, bucket: str) -> Callable[[list[str]], None]:
    """Return a function that checks what was published, and that nothing else is left."""
    return partial(check_published, client, bucket)


def pixel_requests(emulator: Emulator) -> int:
    return emulator.counts().get("thumbnails.getPixels", 0)


Published = Callable[[list[str]], None]


def test_a_section_that_fails_for_good_is_named_and_the_others_are_kept(
    group: Group, asset: Emulator, client: Any, bucket: str, published: Published
) -> None:
    sections = group.plan()
    group.fetch(sections[0])
    with (
        asset.fault("thumbnails.getPixels", Status(403), times=1),
        pytest.raises(AirflowFailException, match="section 1, tile of"),
    ):
        group.fetch(sections[1])
    group.fetch(sections[2])
    assert keys(client, bucket, "a/") == []
    # The failed task is cleared alone; its run's number of clears rises.
    group.clear_number = 1
    asset.clear_requests()
    group.fetch(sections[1])
    assert pixel_requests(asset) == 1
    published(group.publish(sections))


def test_a_section_that_is_cleared_alone_is_fetched_again_alone(
    group: Group, asset: Emulator, published: Published
) -> None:
    sections = group.plan()
    for section in sections:
        group.fetch(section)
    asset.clear_requests()
    group.fetch(sections[2])  # Another try: it was done.
    assert pixel_requests(asset) == 0
    group.clear_number = 1
    group.fetch(sections[2])
    assert pixel_requests(asset) == 1
    published(group.publish(sections))


def test_publishing_before_all_sections_are_there_names_those_that_lack(
    group: Group, client: Any, bucket: str, published: Published
) -> None:
    sections = group.plan()
    group.fetch(sections[1])
    with pytest.raises(AirflowFailException, match=r"2 of 3 sec.* map index 0, 2 with"):
        group.publish(sections)
    assert keys(client, bucket, "a/") == []
    # The plan is cleared with all that follows.
    group.clear_number = 1
    published(group.run())


def other_part(client: Any, bucket: str, number: int) -> None:
    """Do what a try that was taken for dead still does: send a part again, with other bytes."""
    (upload,) = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    client.upload_part(
        Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"], PartNumber=number,
        Body=bytes(5 << 20), ChecksumAlgorithm="SHA256",
    )  # fmt: skip


@pytest.fixture(params=["SeaweedFS", "ministack"])
def store(request: pytest.FixtureRequest, s3: SeaweedFS) -> Any:
    """Of two parts with one number, the first keeps both, and the second the last one."""
    return s3 if request.param == "SeaweedFS" else request.getfixturevalue("ministack_store")


@pytest.mark.parametrize("moment", ["before publishing", "before completion"])
def test_a_part_that_is_sent_again_is_never_published_for_another(
    store: Any, asset: Emulator, earthengine_default: str, fields: dict[str, Any], moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", store.airflow_connection)
    client, bucket = store.client(), f"zombie-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    group = Group(**{**fields, "s3_bucket": bucket})
    sections = group.plan()
    for section in sections:
        group.fetch(section)
    # Header and overviews are part 1, and each section is one.
    if moment == "before publishing":
        other_part(client, bucket, 3)
    else:
        complete = Bucket.complete_upload

        def late(*args: Any) -> str:
            # A server cannot know the moment: nothing is asked of it between the two.
            monkeypatch.setattr(Bucket, "complete_upload", complete)
            other_part(client, bucket, 3)
            return complete(*args)

        monkeypatch.setattr(Bucket, "complete_upload", late)
    if not isinstance(store, SeaweedFS):
        with pytest.raises(ServiceUnavailableError, match="another attempt has sent a part of it"):
            group.publish(sections)
        assert keys(client, bucket, "a/") == []
        # The sections are still there for the next try, once the part is right again.
        group.clear_number = 1
        group.fetch(sections[1])
    uris = group.publish(sections)
    check_published(client, bucket, uris)


def test_an_upload_that_was_aborted_is_said_and_all_is_fetched_again(
    group: Group, asset: Emulator, client: Any, bucket: str, published: Published
) -> None:
    sections = group.plan()
    group.fetch(sections[0])
    (upload,) = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    client.abort_multipart_upload(
        Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
    )  # fmt: skip
    with pytest.raises(AirflowFailException, match=r"aborted or completed; clear .* task plan"):
        group.fetch(sections[1])
    asset.clear_requests()
    group.clear_number = 1
    published(group.run())
    assert pixel_requests(asset) == 3


def test_an_upload_that_was_aborted_at_the_end_is_said(
    group: Group, client: Any, bucket: str, published: Published
) -> None:
    sections = group.plan()
    for section in sections:
        group.fetch(section)
    (upload,) = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    client.abort_multipart_upload(
        Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
    )  # fmt: skip
    with pytest.raises(AirflowFailException, match=r"tall.tif was aborted.*; clear .* task plan"):
        group.publish(sections)
    group.clear_number = 1
    published(group.run())


def altered(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def alter(content: bytes) -> bytes:
        record = json.loads(content)
        change(record)
        return json.dumps(record).encode()

    return alter


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "lost": lambda _: None,
    "empty": lambda _: b"",
    "no JSON": lambda content: content[:-1],
    "a list": lambda _: b"[]",
    "deep": lambda _: b"[" * 10_000 + b"]" * 10_000,
    "of another kind": altered(lambda record: record.update(kind="other")),
    "of another format": altered(lambda record: record.update(format=2)),
    "of another plan": altered(lambda record: record.update(plan_id="0" * 16)),
    "of another section": altered(lambda record: record.update(section=0)),
    "without rasters": altered(lambda record: record.update(rasters=[])),
    "of another upload": altered(lambda record: record["rasters"][0].update(upload_id="x")),
    "of another raster": altered(lambda record: record["rasters"][0].update(raster=7)),
    "of another type": altered(lambda record: record["rasters"][0].update(dtype="float32")),
    "with a part less": altered(lambda record: record["rasters"][0].update(parts=[])),
    "with a block less": altered(lambda record: record["rasters"][0]["byte_counts"].pop()),
    "with a huge block": altered(
        lambda record: record["rasters"][0]["byte_counts"].__setitem__(0, 2**40)
    ),
    "with NaN": altered(lambda record: record["rasters"][0].update(byte_counts=[float("nan")])),
    "with other overviews": altered(
        lambda record: record["rasters"][0]["overviews"].update(sha256="0" * 64)
    ),
    "with a digest that is none": altered(
        lambda record: record["rasters"][0]["overviews"].update(sha256="../../a")
    ),
    "with a piece elsewhere": altered(
        lambda record: record["rasters"][0]["overviews"]["pieces"].__setitem__(4, 511)
    ),
    "with a level that is none": altered(
        lambda record: record["rasters"][0]["overviews"]["pieces"].__setitem__(0, 9)
    ),
    "with few figures": altered(lambda record: record["rasters"][0].update(figures=[[1]])),
    "with figures of other bands": altered(lambda record: record["rasters"][0].update(figures=[])),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_record_that_is_lost_or_damaged_is_named_and_its_section_alone_fetched(
    group: Group, asset: Emulator, client: Any, bucket: str, published: Published, damage: str
) -> None:
    sections = group.plan()
    for section in sections:
        group.fetch(section)
    (key,) = (key for key in keys(client, bucket, STAGING) if key.endswith("section-00001.json"))
    content = DAMAGES[damage](client.get_object(Bucket=bucket, Key=key)["Body"].read())
    if content is None:
        client.delete_object(Bucket=bucket, Key=key)
    else:
        client.put_object(Bucket=bucket, Key=key, Body=content)
    with pytest.raises(AirflowFailException, match=r"Outdated.* map index (0, )?1 with"):
        group.publish(sections)
    assert keys(client, bucket, "a/") == []
    asset.clear_requests()
    group.clear_number = 1
    group.fetch(sections[1])
    assert pixel_requests(asset) == 1
    published(group.publish(sections))


@pytest.mark.parametrize("at", ["a section", "the end"])
def test_a_source_that_is_replaced_meanwhile_is_said_and_all_is_fetched_again(
    group: Group, asset: Emulator, client: Any, bucket: str, published: Published, at: str
) -> None:
    sections = group.plan()
    group.fetch(sections[0])
    if at == "the end":
        group.fetch(sections[1])
        group.fetch(sections[2])
    asset.put_asset(description(version=2))
    named = r"version 1, now 2\) since it was planned, and no section of the earlier .* clear"
    late = (group.publish, sections) if at == "the end" else (group.fetch, sections[1])
    with pytest.raises(AirflowFailException, match=named):
        late[0](late[1])
    assert keys(client, bucket, "a/") == []
    asset.clear_requests()
    group.clear_number = 1
    published(group.run())
    assert pixel_requests(asset) == 3


def test_a_plan_that_runs_twice_is_the_same_plan(
    group: Group, client: Any, bucket: str, published: Published
) -> None:
    first = group.plan()
    group.fetch(first[0])
    second = group.plan()
    assert [each["plan_id"] for each in first] == [each["plan_id"] for each in second]
    assert len(client.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1
    group.fetch(first[1])
    group.fetch(second[2])
    published(group.publish(second))


def test_plans_at_the_same_time_open_one_upload(
    fields: dict[str, Any], client: Any, bucket: str, published: Published
) -> None:
    groups = [Group(f"run {number}", **fields) for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        plans = list(pool.map(Group.plan, groups))
    assert len({each["plan_id"] for plan in plans for each in plan}) == 1
    assert len(client.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1
    for number in SECTIONS:
        groups[number].fetch(plans[number][number])
    published(groups[0].publish(plans[0]))


def test_the_next_run_continues_what_an_unfinished_one_left(
    fields: dict[str, Any], asset: Emulator, published: Published
) -> None:
    first = Group("first", **fields)
    first.fetch(first.plan()[1])
    asset.clear_requests()
    published(Group("second", **fields).run())
    assert pixel_requests(asset) == 2


def test_a_run_that_replaces_in_any_case_takes_nothing_of_another_run(
    fields: dict[str, Any], asset: Emulator, client: Any, bucket: str, published: Published
) -> None:
    fields |= {"if_exists": "replace"}
    first = Group("first", **fields)
    sections = first.plan()
    first.fetch(sections[1])
    asset.clear_requests()
    Group("second", **fields).run()
    assert pixel_requests(asset) == 3
    # Nor does it take from the first, which goes on.
    first.fetch(sections[0])
    first.fetch(sections[2])
    published(first.publish(sections))


def test_of_two_runs_at_once_both_end_with_the_download(
    fields: dict[str, Any], published: Published
) -> None:
    one, other = Group("one", **fields), Group("other", **fields)
    plans = one.plan(), other.plan()
    for group, plan, numbers in ((one, plans[0], (0, 1)), (other, plans[1], (2, 0))):
        for number in numbers:
            group.fetch(plan[number])
    uris = one.publish(plans[0])
    published(uris)
    # What the other one still does finds the download published.
    other.fetch(plans[1][1])
    assert other.publish(plans[1]) == uris
    published(uris)


def test_two_last_tasks_at_once_publish_once(fields: dict[str, Any], published: Published) -> None:
    one, other = Group("one", **fields), Group("other", **fields)
    plans = one.plan(), other.plan()
    for section in plans[0]:
        one.fetch(section)
    barrier = threading.Barrier(2)

    def publish(group: Group, plan: list[dict[str, Any]]) -> list[str]:
        barrier.wait()
        for _ in range(3):
            try:
                return group.publish(plan)
            except ServiceUnavailableError:
                continue  # As Airflow tries again.
        raise AssertionError("not published in three tries")

    with ThreadPoolExecutor(2) as pool:
        uris = list(pool.map(publish, (one, other), plans))
    assert uris[0] == uris[1]
    published(uris[0])


@pytest.mark.parametrize(
    "given",
    [{"format": 2}, {"format": None}, {"section": -1}, {"section": 3}, {"section": "1; DROP"},
     {"plan_id": None}, {"plan_id": "0" * 16}, {"generation": 7}, {"version": "new"},
     {"left": ["x"]}],
)  # fmt: skip
def test_a_task_that_another_version_planned_is_refused(
    group: Group, client: Any, bucket: str, given: dict[str, Any]
) -> None:
    sections = group.plan()
    with pytest.raises(AirflowFailException, match=r"SectionsOutdatedError.*plan.*"):
        group.fetch({**sections[1], "section": 1, **given} | {"section": given.get("section", 1)})
    assert keys(client, bucket, "a/") == []


def test_other_fields_in_a_section_than_in_the_plan_are_refused(
    group: Group, client: Any, bucket: str
) -> None:
    sections = group.plan()
    with pytest.raises(AirflowFailException, match="not the one that the task plan made"):
        group.fetch(sections[0], nodata=7)
    assert keys(client, bucket, "a/") == []


def test_a_register_of_somebody_else_is_not_used(
    group: Group, client: Any, bucket: str, published: Published
) -> None:
    """No upload of another key is touched, whatever the register says."""
    other = client.create_multipart_upload(Bucket=bucket, Key="other/object")
    sections = group.plan()
    (key,) = (key for key in keys(client, bucket, STAGING) if key.endswith("plan.json"))
    register = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    for each in register["uploads"]:
        client.abort_multipart_upload(
            Bucket=bucket, Key=each["key"], UploadId=each["upload_id"]
        )  # fmt: skip
    register["uploads"] = [{"key": "other/object", "upload_id": other["UploadId"]}]
    client.put_object(Bucket=bucket, Key=key, Body=json.dumps(register).encode())
    with pytest.raises(AirflowFailException, match="what the task plan staged is gone"):
        group.fetch(sections[0])
    uris = group.run()
    (upload,) = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert upload["Key"] == "other/object"
    client.abort_multipart_upload(
        Bucket=bucket, Key="other/object", UploadId=other["UploadId"]
    )  # fmt: skip
    published(uris)


def test_a_bucket_that_is_gone_fails_each_task_for_good(
    fields: dict[str, Any], client: Any
) -> None:
    client.create_bucket(Bucket="soon-gone")
    group = Group(**{**fields, "s3_bucket": "soon-gone"})
    sections = group.plan()
    for each in client.list_multipart_uploads(Bucket="soon-gone").get("Uploads", []):
        client.abort_multipart_upload(
            Bucket="soon-gone", Key=each["Key"], UploadId=each["UploadId"]
        )  # fmt: skip
    for key in keys(client, "soon-gone"):
        client.delete_object(Bucket="soon-gone", Key=key)
    client.delete_bucket(Bucket="soon-gone")
    with pytest.raises(AirflowFailException, match="BucketNotFoundError"):
        group.publish(sections)
    with pytest.raises(AirflowFailException, match=r"BucketNotFoundError|SectionsOutdatedError"):
        group.fetch(sections[0])
