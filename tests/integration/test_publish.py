"""The commit protocol against real S3 servers, one attempt after another and side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.fields.destination import IfExists
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    ObjectExistsError,
    ServiceUnavailableError,
)
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
    s3,
)

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.publish.record import CommitRecord
    from stack.other_stores import Store

pytestmark = pytest.mark.slow

__all__ = ["attempt", "contents", "no_upload_stays_open", "s3"]  # fixtures


def test_objects_and_item_are_published(
    attempt: Callable[..., Attempt], contents: Callable[[], dict[str, str]]
) -> None:
    record = attempt().publish()
    assert_record_matches(record, contents())
    assert [each.key for each in record.objects] == KEYS
    assert record.uris == tuple(f"s3://{record.item_uri.split('/')[2]}/{key}" for key in KEYS)


def test_nothing_is_visible_before_every_part_is_uploaded(
    attempt: Callable[..., Attempt], contents: Callable[[], dict[str, str]]
) -> None:
    seen = []
    one = attempt()
    one.on("UploadPart", lambda **_: seen.append(contents()))
    one.on("CompleteMultipartUpload", lambda **_: seen.append(contents()))
    one.publish()
    assert seen[:4] == [{}] * 4


def test_what_is_not_confirmed_is_uploaded_and_stays_invisible(
    attempt: Callable[..., Attempt], s3: SeaweedFS, bucket: str, contents: Callable[[], object]
) -> None:
    kept = attempt().publish()
    open_uploads = []

    def refuse() -> None:
        listed = s3.client().list_multipart_uploads(Bucket=bucket)
        open_uploads.extend(upload["Key"] for upload in listed["Uploads"])
        raise ServiceUnavailableError("Nobody knows.")

    before = contents()
    with pytest.raises(ServiceUnavailableError, match="Nobody knows"):
        attempt(fingerprint="v1:b", generation="run/1").publish(confirm=refuse)
    assert sorted(open_uploads) == KEYS
    assert contents() == before
    assert attempt().look().done == kept
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=bucket)


def test_the_same_download_is_found_done(attempt: Callable[..., Attempt]) -> None:
    record = attempt().publish()
    for if_exists in (IfExists.REPLACE_CHANGED, IfExists.FAIL):
        assert attempt(generation="other/0", if_exists=if_exists).look().done == record


def test_the_retry_of_a_replacing_run_finds_its_own_work_done(
    attempt: Callable[..., Attempt],
) -> None:
    record = attempt(if_exists=IfExists.REPLACE).publish()
    assert attempt(if_exists=IfExists.REPLACE).look().done == record
    assert attempt(if_exists=IfExists.REPLACE, generation="run/1").look().previous == record


def test_another_download_is_left_alone_when_it_has_to_stay(
    attempt: Callable[..., Attempt], contents: Callable[[], dict[str, str]]
) -> None:
    attempt().publish()
    before = contents()
    with pytest.raises(ObjectExistsError, match="records another download"):
        attempt(fingerprint="v1:b", if_exists=IfExists.FAIL).look()
    assert contents() == before


@pytest.mark.parametrize("if_exists", [IfExists.REPLACE_CHANGED, IfExists.REPLACE])
def test_another_download_is_replaced(
    attempt: Callable[..., Attempt], contents: Callable[[], dict[str, str]], if_exists: IfExists
) -> None:
    attempt(fingerprint="v1:old", bands=("B1", "B9")).publish()
    new = attempt(fingerprint="v1:new", if_exists=if_exists)
    record = new.publish()
    assert record.fingerprint == "v1:new"
    assert_record_matches(record, contents())
    assert [each.sha256 for each in record.objects] == [file.sha256 for file in new.files]


def test_an_object_of_somebody_else_stays(
    s3: SeaweedFS, bucket: str, attempt: Callable[..., Attempt],
    contents: Callable[[], dict[str, str]],
) -> None:  # fmt: skip
    s3.client().put_object(Bucket=bucket, Key=KEYS[1], Body=b"mine")
    with pytest.raises(ObjectExistsError, match="does not belong to"):
        attempt(if_exists=IfExists.REPLACE).publish()
    assert list(contents()) == [KEYS[1]]


def test_an_item_of_somebody_else_stays(
    s3: SeaweedFS, bucket: str, attempt: Callable[..., Attempt]
) -> None:
    for content in (b"mine", b"[1]", b'{"assets": {}}'):
        s3.client().put_object(Bucket=bucket, Key=ITEM, Body=content)
        with pytest.raises(ObjectExistsError, match="not an item that this package wrote"):
            attempt(if_exists=IfExists.REPLACE).look()


def test_a_download_whose_object_is_gone_is_published_again(
    s3: SeaweedFS, bucket: str, attempt: Callable[..., Attempt],
    contents: Callable[[], dict[str, str]],
) -> None:  # fmt: skip
    first = attempt().publish()
    s3.client().delete_object(Bucket=bucket, Key=KEYS[1])
    second = attempt(generation="later/0")
    assert second.look().done is None
    record = second.publish()
    assert_record_matches(record, contents())
    assert [each.sha256 for each in record.objects] == [
        first.objects[0].sha256, second.files[1].sha256, first.objects[2].sha256,
    ]  # fmt: skip


@pytest.mark.parametrize("if_exists", list(IfExists))
@pytest.mark.parametrize("completes", [0, 1, 2, 3])
def test_a_failing_attempt_leaves_no_item_and_the_next_one_completes(
    attempt: Callable[..., Attempt], contents: Callable[[], dict[str, str]],
    completes: int, if_exists: IfExists,
) -> None:  # fmt: skip
    first, seen = attempt(if_exists=if_exists), []

    def stop(**_: object) -> None:
        if len(seen) == completes:
            raise Killed
        seen.append(1)

    first.on("CompleteMultipartUpload", stop)
    first.on("PutObject", stop)
    with pytest.raises(Killed):
        first.publish()
    assert sorted(contents()) == KEYS[:completes]
    assert_record_matches(attempt(if_exists=if_exists).publish(), contents())


def test_a_later_download_replaces_what_a_dead_attempt_left(
    attempt: Callable[..., Attempt], contents: Callable[[], dict[str, str]]
) -> None:
    dead = attempt(fingerprint="v1:dead", bands=("B1", "B9"))

    def stop(**_: object) -> None:
        raise Killed

    dead.on("PutObject", stop)
    with pytest.raises(Killed):
        dead.publish()
    with pytest.raises(ObjectExistsError, match="of another download"):
        attempt(if_exists=IfExists.FAIL).publish()
    record = attempt().publish()
    assert_record_matches(record, contents())


def test_a_completed_upload_whose_answer_was_lost_is_found_again(
    attempt: Callable[..., Attempt], contents: Callable[[], dict[str, str]]
) -> None:
    one = attempt()
    bucket = one.bucket

    class AnswerLost(Bucket):
        lost = False

        def complete_upload(self, upload: object, condition: object) -> str:
            etag = bucket.complete_upload(upload, condition)  # type: ignore[arg-type]  # passed on
            if not self.lost:
                self.lost = True
                return bucket.complete_upload(upload, condition)  # type: ignore[arg-type]  # as botocore repeats it
            return etag

    one.bucket = AnswerLost(one.client, bucket.name)
    assert_record_matches(one.publish(), contents())


def side_by_side(attempts: Sequence[Attempt]) -> list[CommitRecord | Exception]:
    """Publish all at once, every one having seen the bucket as it was before."""
    standings = [each.look() for each in attempts]
    barrier = threading.Barrier(len(attempts))
    results: list[CommitRecord | Exception] = [ServiceUnavailableError("never ran")] * len(attempts)

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = attempts[index].publish(standings[index])
        except Exception as error:  # noqa: BLE001  # told to the test
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(attempts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize(
    ("if_exists", "replacing"),
    [(mode, False) for mode in IfExists]
    + [(IfExists.REPLACE_CHANGED, True), (IfExists.REPLACE, True)],
)
def test_attempts_side_by_side_end_in_one_item_that_matches_the_objects(
    attempt: Callable[..., Attempt],
    contents: Callable[[], dict[str, str]],
    if_exists: IfExists,
    replacing: bool,
) -> None:
    if replacing:
        attempt(fingerprint="v1:old", generation="old/0").publish()
    results = side_by_side([attempt(if_exists=if_exists) for _ in range(4)])
    assert [result for result in results if isinstance(result, Exception)] == []
    record = attempt(if_exists=if_exists).look().done
    assert record
    assert_record_matches(record, contents())


def test_a_late_attempt_of_an_older_download_fails_harmlessly(
    attempt: Callable[..., Attempt], contents: Callable[[], dict[str, str]]
) -> None:
    zombie = attempt(fingerprint="v1:old")
    standing = zombie.look()
    record = attempt(fingerprint="v1:new").publish()
    before = contents()
    with pytest.raises(ObjectExistsError):
        zombie.publish(standing)
    assert contents() == before
    assert_record_matches(record, before)


RIVAL = r"was written by another task of this run \(download, map index 0\), and this one \(down"


def test_a_late_attempt_is_told_of_the_other_task_that_replaced_the_item(
    attempt: Callable[..., Attempt], contents: Callable[[], dict[str, str]]
) -> None:
    """Both are to replace a third; the second meets a failed condition at the item."""
    attempt(fingerprint="v1:old", generation="older/0").publish()
    late, other = attempt(fingerprint="v1:b", map_index=1), attempt(fingerprint="v1:a", map_index=0)
    with pytest.raises(ObjectExistsError, match=f"scene.bands.json {RIVAL}"):
        late.publish(confirm=other.publish)
    record = other.look().done
    assert record
    assert_record_matches(record, contents())


def test_a_late_attempt_is_told_of_the_other_task_that_wrote_an_object(
    attempt: Callable[..., Attempt], contents: Callable[[], dict[str, str]]
) -> None:
    """Both found nothing; the second meets a failed condition at the first object."""
    late, other = attempt(fingerprint="v1:b", map_index=1), attempt(fingerprint="v1:a", map_index=0)
    with pytest.raises(ObjectExistsError, match=f"scene.B1.tif {RIVAL}"):
        late.publish(confirm=other.publish)
    record = other.look().done
    assert record
    assert_record_matches(record, contents())


def test_what_another_task_is_publishing_is_not_replaced_in_the_same_run(
    attempt: Callable[..., Attempt], contents: Callable[[], dict[str, str]]
) -> None:
    other = attempt(fingerprint="v1:a", map_index=0)

    def stop(**_: object) -> None:
        raise Killed

    other.on("PutObject", stop)
    with pytest.raises(Killed):
        other.publish()
    with pytest.raises(ObjectExistsError, match=f"scene.B1.tif {RIVAL}"):
        attempt(fingerprint="v1:b", map_index=1).publish()
    # After a clear nobody publishes there any more, and there is no item: it is no result.
    record = attempt(fingerprint="v1:b", map_index=1, generation="run/1").publish()
    assert_record_matches(record, contents())


def test_a_missing_bucket_is_named(s3: SeaweedFS, attempt: Callable[..., Attempt]) -> None:
    one = attempt()
    one.bucket = Bucket(s3.client(), "no-such-bucket")
    with pytest.raises(BucketNotFoundError, match="no-such-bucket does not exist"):
        one.look()


def test_keys_that_may_not_write_are_named(
    s3: SeaweedFS | Store, attempt: Callable[..., Attempt], bucket: str
) -> None:
    if not isinstance(s3, SeaweedFS):
        pytest.skip("ministack takes any keys for good ones")
    one = attempt()
    standing = one.look()
    one.bucket = Bucket(s3.reader_client(), bucket)
    with pytest.raises(AccessDeniedError, match="lack permission"):
        one.publish(standing)


def test_a_server_that_is_down_is_a_transient_failure(attempt: Callable[..., Attempt]) -> None:
    import boto3
    from botocore.config import Config

    one = attempt()
    client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 0}),
    )
    one.bucket = Bucket(client, "demo")
    with pytest.raises(ServiceUnavailableError, match="Could not read"):
        one.look()
