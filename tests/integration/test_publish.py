"""The commit protocol against real S3 servers, one attempt after another and side by side."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

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
from airflow_provider.earthengine.download.publish.standing import Standing, look_at_destination
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    ObjectExistsError,
    ServiceUnavailableError,
)
from stack.other_stores import Store
from stack.seaweedfs import SeaweedFS

BANDS = ("B1", "B2", "B3")


@pytest.fixture(params=["SeaweedFS", "ministack"])
def s3(request: pytest.FixtureRequest, s3: SeaweedFS) -> SeaweedFS | Store:
    """Each of two servers that have nothing in common but what S3 promises."""
    if request.param == "SeaweedFS":
        return s3
    store: Store = request.getfixturevalue("ministack_store")
    return store


class Attempt:
    """One attempt to publish the three files of one download."""

    def __init__(
        self,
        s3: SeaweedFS,
        bucket: str,
        directory: Path,
        *,
        fingerprint: str = "v1:a",
        generation: str = "run/0",
        if_exists: IfExists = IfExists.REPLACE_CHANGED,
        bands: Sequence[str] = BANDS,
        map_index: int = -1,
    ) -> None:
        self.client = s3.client()
        self.bucket = Bucket(self.client, bucket)
        self.destination = Destination(bucket, "some/prefix", "scene", ".bands.json")
        self.identity = Identity(fingerprint, generation, if_exists, "download", map_index)
        self.files = [self._file(directory, band) for band in bands]

    @property
    def target(self) -> Target:
        return Target(self.bucket, self.destination, self.identity)

    def _file(self, directory: Path, band: str) -> LocalFile:
        # Earth Engine's bytes may differ from try to try, for example in a zip's time stamps.
        content = f"{band} {self.identity} {id(self)}".encode() * 1000
        path = directory / f"{id(self)}.{band}"
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return LocalFile(f".{band}.tif", path, len(content), digest, GEOTIFF_MEDIA_TYPE, ())

    def look(self) -> Standing:
        return look_at_destination(self.target)

    def publish(
        self,
        standing: Standing | None = None,
        confirm: Callable[[], object] | None = None,
    ) -> CommitRecord:
        return publish_files(
            self.target,
            standing or self.look(),
            self.files,
            self.build_item,
            confirm,
        )

    def build_item(self, stored: Sequence[StoredObject]) -> bytes:
        assets = {
            each.key: {
                "href": self.bucket.uri(each.key),
                "file:size": each.byte_count,
                "file:checksum": f"1220{each.sha256}",
                ETAG: each.etag,
            }
            for each in stored
        }
        properties = {
            FINGERPRINT: self.identity.fingerprint,
            GENERATION: self.identity.generation,
            "airflow:task_id": self.identity.task_id,
            "airflow:map_index": self.identity.map_index,
        }
        return json.dumps({"properties": properties, "assets": assets}).encode()

    def on(self, event: str, action: Callable[..., None]) -> None:
        """Run ``action`` before the client sends the named request."""
        self.client.meta.events.register(f"before-call.s3.{event}", action)


@pytest.fixture
def attempt(s3: SeaweedFS, bucket: str, tmp_path: Path) -> Callable[..., Attempt]:
    def make(**kwargs: object) -> Attempt:
        return Attempt(s3, bucket, tmp_path, **kwargs)  # type: ignore[arg-type]  # as Attempt takes them

    return make


@pytest.fixture
def contents(s3: SeaweedFS, bucket: str) -> Callable[[], dict[str, str]]:
    """Return a function that gives sha256 by key of all that is in the bucket."""

    def read() -> dict[str, str]:
        client = s3.client()
        listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {
            each["Key"]: hashlib.sha256(
                client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            ).hexdigest()
            for each in listed
        }

    return read


@pytest.fixture(autouse=True)
def _no_upload_stays_open(s3: SeaweedFS, bucket: str) -> Iterator[None]:
    yield
    assert not s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads")


KEYS = [f"some/prefix/scene.{band}.tif" for band in BANDS]
ITEM = "some/prefix/scene.bands.json"


def assert_record_matches(record: CommitRecord, contents: dict[str, str]) -> None:
    """The item names complete objects, with the digests that the bucket really holds."""
    assert ITEM in contents
    assert {each.key: each.sha256 for each in record.objects} == {
        key: digest for key, digest in contents.items() if key != ITEM
    }


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


def test_a_claim_is_in_the_old_items_place_before_the_first_object_changes(
    attempt: Callable[..., Attempt], s3: SeaweedFS, bucket: str
) -> None:
    attempt(fingerprint="v1:old").publish()
    old = s3.client().get_object(Bucket=bucket, Key=ITEM)["Body"].read()
    seen = []

    def look(**_: object) -> None:
        seen.append(json.loads(s3.client().get_object(Bucket=bucket, Key=ITEM)["Body"].read()))

    new = attempt(fingerprint="v1:new")
    new.on("CompleteMultipartUpload", look)
    new.publish()
    assert [claim["kind"] for claim in seen] == ["earthengine-claim"] * 3
    assert [claim["previous"] for claim in seen] == [old.decode()] * 3
    assert [each["key"] for each in seen[0]["uploads"]] == KEYS


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


class Killed(BaseException):
    """Ends an attempt as a kill would, without its cleaning up."""


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
