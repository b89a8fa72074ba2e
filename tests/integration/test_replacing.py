"""What is replaced is claimed first: what is seen meanwhile, and what is left if it fails."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from airflow_provider.earthengine.download.fields.destination import IfExists
from airflow_provider.earthengine.download.publish import item_key
from airflow_provider.earthengine.exceptions import (
    DownloadParamsError,
    ObjectExistsError,
    ServiceUnavailableError,
)
from stack.other_stores import Store
from stack.seaweedfs import SeaweedFS
from tests.integration.publishing import (
    ITEM,
    KEYS,
    Attempt,
    Killed,
    assert_record_matches,
    attempt,
    contents,
    no_upload_stays_open,
)

pytestmark = pytest.mark.slow

__all__ = ["attempt", "contents", "no_upload_stays_open"]  # fixtures

MakeAttempt = Callable[..., Attempt]
Contents = Callable[[], dict[str, str]]
LEFT_OVER = "some/prefix/scene.B9.tif"


@pytest.fixture(params=["SeaweedFS", "ministack"])
def s3(request: pytest.FixtureRequest, s3: SeaweedFS) -> SeaweedFS | Store:
    """Each of two servers that have nothing in common but what S3 promises."""
    if request.param == "SeaweedFS":
        return s3
    store: Store = request.getfixturevalue("ministack_store")
    return store


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_key, "_WAITS", 2)
    monkeypatch.setattr(item_key, "_WAIT_SECONDS", 0.01)


def fails_at(one: Attempt, event: str, number: int) -> None:
    """Let the attempt's numbered request (from 1) of a kind not reach the store, nor later ones."""
    seen = []

    def fail(**_: object) -> None:
        seen.append(1)
        if len(seen) >= number:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1")

    one.on(event, fail)


def dies_at(one: Attempt, event: str, number: int) -> None:
    """Kill the attempt at its numbered request (from 1) of a kind."""
    seen = []

    def die(**_: object) -> None:
        seen.append(1)
        if len(seen) == number:
            raise Killed

    one.on(event, die)
    with pytest.raises(Killed):
        one.publish()


def item_in(s3: SeaweedFS, bucket: str) -> dict[str, Any]:
    content = s3.client().get_object(Bucket=bucket, Key=ITEM)["Body"].read()
    value: dict[str, Any] = json.loads(content)
    return value


def test_a_claim_is_in_the_old_items_place_before_the_first_object_changes(
    attempt: MakeAttempt, s3: SeaweedFS, bucket: str
) -> None:
    attempt(fingerprint="v1:old").publish()
    old = s3.client().get_object(Bucket=bucket, Key=ITEM)["Body"].read()
    seen = []

    new = attempt(fingerprint="v1:new")
    new.on("CompleteMultipartUpload", lambda **_: seen.append(item_in(s3, bucket)))
    new.publish()
    assert [claim["kind"] for claim in seen] == ["earthengine-claim"] * 3
    assert [claim["previous"] for claim in seen] == [old.decode()] * 3
    assert [each["key"] for each in seen[0]["uploads"]] == KEYS


def test_the_whole_item_is_built_before_anything_changes(
    attempt: MakeAttempt, contents: Contents
) -> None:
    old = attempt(fingerprint="v1:old")
    record = old.publish()
    before = contents()
    new = attempt(fingerprint="v1:new", bands=("B1", "B9"))

    def build(_: Sequence[object]) -> bytes:
        raise OverflowError("an odd time")

    new.build_item = build  # type: ignore[method-assign]
    with pytest.raises(OverflowError, match="an odd time"):
        new.publish()
    assert contents() == before
    assert old.look().done == record


@pytest.mark.parametrize(
    ("item", "error", "words"),
    [
        ({"padding": "x" * (8 << 20)}, DownloadParamsError, "an item has at most 8,388,608"),
        ({"assets": {}}, OSError, "would not name the objects"),
        ({"assets": []}, ObjectExistsError, "not an item"),
    ],
    ids=["too large", "names nothing", "not readable"],
)
def test_an_item_that_could_not_be_read_again_is_refused_before_anything_changes(
    attempt: MakeAttempt, contents: Contents, item: Mapping[str, Any], error: type[Exception],
    words: str,
) -> None:  # fmt: skip
    attempt(fingerprint="v1:old").publish()
    before = contents()
    new = attempt(fingerprint="v1:new")
    build = new.build_item
    new.build_item = lambda stored: json.dumps({**json.loads(build(stored)), **item}).encode()  # type: ignore[method-assign]
    with pytest.raises(error, match=words):
        new.publish()
    assert contents() == before


@pytest.mark.parametrize(
    ("event", "number"),
    [("PutObject", 1), ("CompleteMultipartUpload", 1)],
    ids=["the claim fails", "the first object fails"],
)
def test_what_fails_before_anything_was_overwritten_gives_the_item_back(
    attempt: MakeAttempt, contents: Contents, event: str, number: int
) -> None:
    old = attempt(fingerprint="v1:old", bands=("B1", "B9"))
    record = old.publish()
    before = contents()
    new = attempt(fingerprint="v1:new")
    fails_at(new, event, number)
    with pytest.raises(ServiceUnavailableError):
        new.publish()
    assert contents() == before
    assert old.look().done == record


def test_a_claim_whose_answer_was_lost_is_given_back_too(
    attempt: MakeAttempt, contents: Contents
) -> None:
    attempt(fingerprint="v1:old").publish()
    before = contents()
    new = attempt(fingerprint="v1:new")

    def lose(**_: object) -> None:
        new.client.meta.events.unregister("after-call.s3.PutObject", lose)
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1")

    new.client.meta.events.register("after-call.s3.PutObject", lose)
    with pytest.raises(ServiceUnavailableError):
        new.publish()
    assert contents() == before


def test_what_fails_after_an_object_was_overwritten_stays_claimed_and_the_next_completes(
    attempt: MakeAttempt, contents: Contents, s3: SeaweedFS, bucket: str
) -> None:
    old = attempt(fingerprint="v1:old")
    old.publish()
    new = attempt(fingerprint="v1:new")
    fails_at(new, "CompleteMultipartUpload", 2)
    with pytest.raises(ServiceUnavailableError):
        new.publish()
    assert item_in(s3, bucket)["kind"] == "earthengine-claim"
    assert old.look().done is None
    next_one = attempt(fingerprint="v1:new")
    record = next_one.publish()
    assert_record_matches(record, contents())
    # What the first one had completed is adopted.
    assert record.objects[0].sha256 == new.files[0].sha256
    assert record.objects[1].sha256 == next_one.files[1].sha256


def test_a_claim_says_who_and_when_and_is_taken_over(
    attempt: MakeAttempt, contents: Contents, s3: SeaweedFS, bucket: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    attempt(fingerprint="v1:old").publish()
    dies_at(attempt(fingerprint="v1:dead"), "CompleteMultipartUpload", 2)
    claim = item_in(s3, bucket)
    assert (claim["earthengine:fingerprint"], claim["task_id"]) == ("v1:dead", "download")
    with caplog.at_level(logging.WARNING):
        record = attempt(fingerprint="v1:new").publish()
    assert f"has been claimed since {claim['claimed_at']} by download v1:dead" in caplog.text
    assert_record_matches(record, contents())


def test_another_download_that_was_claimed_stays_where_it_has_to(
    attempt: MakeAttempt, contents: Contents
) -> None:
    attempt(fingerprint="v1:old").publish()
    dies_at(attempt(fingerprint="v1:dead"), "CompleteMultipartUpload", 2)
    before = contents()
    with pytest.raises(ObjectExistsError, match="is claimed by another download"):
        attempt(fingerprint="v1:new", if_exists=IfExists.FAIL).look()
    assert contents() == before


def test_whoever_takes_a_claim_over_aborts_what_it_names(
    attempt: MakeAttempt, contents: Contents
) -> None:
    """The late attempt has not lost its upload before, and can complete nothing after it."""
    attempt(fingerprint="v1:old").publish()
    late, other = attempt(fingerprint="v1:late"), attempt(fingerprint="v1:other")
    records = []

    def overtake(**_: object) -> None:
        if not records:
            records.append(other.publish())

    late.on("CompleteMultipartUpload", overtake)
    with pytest.raises(ObjectExistsError, match="written by another download"):
        late.publish()
    assert_record_matches(records[0], contents())
    assert other.look().done == records[0]


def test_two_attempts_at_one_download_wait_for_each_other(
    attempt: MakeAttempt, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt(fingerprint="v1:old").publish()
    first, second = attempt(), attempt()
    standing = second.look()
    records = []

    def publish_meanwhile(seconds: float) -> None:
        assert seconds == 0.01
        records.append("waited")

    monkeypatch.setattr(item_key.time, "sleep", publish_meanwhile)
    # The second one finds the first one's claim, which nothing follows, and takes it over.
    dies_at(first, "CompleteMultipartUpload", 1)
    record = second.publish(standing)
    assert records == ["waited", "waited"]
    assert_record_matches(record, contents())


def test_an_attempt_that_lost_its_claim_to_another_gives_way(
    attempt: MakeAttempt, contents: Contents
) -> None:
    """Otherwise, two attempts at one download could take the key from each other without end."""
    attempt(fingerprint="v1:old").publish()
    first, second = attempt(), attempt()

    def overtake(**_: object) -> None:
        if not second.has_died:
            second.has_died = True
            dies_at(second, "CompleteMultipartUpload", 1)

    first.on("CompleteMultipartUpload", overtake)
    with pytest.raises(ServiceUnavailableError, match="was claimed by another attempt"):
        first.publish()
    assert_record_matches(attempt().publish(), contents())


def test_an_item_that_was_given_back_meanwhile_can_still_be_replaced(
    attempt: MakeAttempt, contents: Contents, s3: SeaweedFS, bucket: str
) -> None:
    attempt(fingerprint="v1:old").publish()
    old = s3.client().get_object(Bucket=bucket, Key=ITEM)["Body"].read()
    other, late = attempt(fingerprint="v1:other"), attempt(fingerprint="v1:new")
    standing = late.look()

    def claim(**_: object) -> None:
        if not other.has_died:
            other.has_died = True
            dies_at(other, "CompleteMultipartUpload", 1)
            late.on("GetObject", give_back)

    def give_back(**_: object) -> None:
        s3.client().put_object(Bucket=bucket, Key=ITEM, Body=old)

    late.on("PutObject", claim)
    record = late.publish(standing)
    assert record.fingerprint == "v1:new"
    assert_record_matches(record, contents())


def test_the_winners_item_is_only_a_result_if_its_objects_are_there(
    attempt: MakeAttempt, contents: Contents, s3: SeaweedFS, bucket: str
) -> None:
    """Another attempt writes the item first, and somebody deletes one of its objects."""
    late, first = attempt(), attempt()
    done = []

    def overtake(params: Mapping[str, Any], **_: object) -> None:
        if not done:
            done.append(first.publish())
            s3.client().delete_object(Bucket=bucket, Key=KEYS[1])

    late.on("PutObject", overtake)
    record = late.publish()
    assert_record_matches(record, contents())
    assert record.objects[0] == done[0].objects[0]
    assert record.objects[1].sha256 == late.files[1].sha256


def test_an_object_that_is_left_over_is_deleted_in_the_state_that_was_seen(
    attempt: MakeAttempt, contents: Contents, s3: SeaweedFS, bucket: str
) -> None:
    attempt(fingerprint="v1:old", bands=("B1", "B9")).publish()
    new = attempt(fingerprint="v1:new")
    seen = []

    def write_there(**_: object) -> None:
        seen.append(1)
        if len(seen) == 4:
            s3.client().put_object(Bucket=bucket, Key=LEFT_OVER, Body=b"mine")

    new.on("CompleteMultipartUpload", write_there)
    new.publish()
    assert s3.client().get_object(Bucket=bucket, Key=LEFT_OVER)["Body"].read() == b"mine"
    assert sorted(contents()) == sorted([ITEM, *KEYS, LEFT_OVER])


def test_a_tombstone_is_deleted_unless_something_else_is_in_its_place(
    attempt: MakeAttempt, s3: SeaweedFS, bucket: str
) -> None:
    attempt(fingerprint="v1:old", bands=("B1", "B9")).publish()
    new = attempt(fingerprint="v1:new")
    found = []

    def write_there(**_: object) -> None:
        client = s3.client()
        found.append(client.get_object(Bucket=bucket, Key=LEFT_OVER)["Body"].read())
        if len(found) == 2:  # The first one only asks whether it may be deleted.
            client.put_object(Bucket=bucket, Key=LEFT_OVER, Body=b"mine")

    new.on("DeleteObject", write_there)
    new.publish()
    assert found[1].startswith(b"Deleted by ")
    assert s3.client().get_object(Bucket=bucket, Key=LEFT_OVER)["Body"].read() == b"mine"


def test_a_tombstone_that_was_left_is_nobodys_result(
    attempt: MakeAttempt, contents: Contents
) -> None:
    attempt(fingerprint="v1:old", bands=("B1", "B9")).publish()
    dies_at(attempt(fingerprint="v1:new"), "DeleteObject", 2)
    assert LEFT_OVER in contents()
    again = attempt(fingerprint="v1:new", bands=("B1", "B2", "B3", "B9"), if_exists=IfExists.FAIL)
    record = again.publish()
    assert_record_matches(record, contents())
    assert record.objects[3].sha256 == again.files[3].sha256


def test_what_could_not_be_deleted_is_deleted_by_the_next_attempt(
    attempt: MakeAttempt, contents: Contents
) -> None:
    attempt(fingerprint="v1:old", bands=("B1", "B9")).publish()
    new = attempt(fingerprint="v1:new")
    fails_at(new, "DeleteObject", 2)
    with pytest.raises(ServiceUnavailableError, match="Could not delete"):
        new.publish()
    record = attempt(fingerprint="v1:new").publish()
    assert_record_matches(record, contents())
    assert [each.sha256 for each in record.objects] == [file.sha256 for file in new.files]


def test_nothing_changes_where_what_is_left_over_may_not_be_deleted(
    attempt: MakeAttempt, contents: Contents
) -> None:
    old = attempt(fingerprint="v1:old", bands=("B1", "B9"))
    record = old.publish()
    before = contents()
    new = attempt(fingerprint="v1:new")
    fails_at(new, "DeleteObject", 1)
    with pytest.raises(ServiceUnavailableError, match="Could not delete"):
        new.publish()
    assert contents() == before
    assert old.look().done == record


@pytest.mark.parametrize(
    "href",
    ["s3://other/some/prefix/scene.B1.tif", "s3://{}/elsewhere/scene.B1.tif",
     "s3://{}/some/prefix/../elsewhere/scene.B1.tif", "https://example.com/x.tif", "x.tif"],
)  # fmt: skip
def test_an_item_that_names_what_is_elsewhere_is_replaced_and_that_stays(
    attempt: MakeAttempt, contents: Contents, s3: SeaweedFS, bucket: str, href: str
) -> None:
    attempt().publish()
    s3.client().put_object(Bucket=bucket, Key="elsewhere/scene.B1.tif", Body=b"mine")
    item = item_in(s3, bucket)
    item["assets"][KEYS[0]]["href"] = href.format(bucket)
    s3.client().put_object(Bucket=bucket, Key=ITEM, Body=json.dumps(item).encode())
    again = attempt()
    assert again.look().done is None
    record = again.publish()
    objects = contents()
    assert objects.pop("elsewhere/scene.B1.tif")
    assert_record_matches(record, objects)
    assert list(record.uris) == [f"s3://{bucket}/{key}" for key in KEYS]
