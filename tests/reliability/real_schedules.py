"""A schedule that was found in memory, replayed on a real store with real stops.

Each attempt is a thread with an S3 client of its own, which waits before each of its requests until
it is its turn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from stack.other_stores import Store as OtherStore
from stack.seaweedfs import SeaweedFS
from tests.reliability.commit_cases import DESTINATION, Case, object_key
from tests.reliability.schedules import GO, LOSE_ANSWER, LOSE_REQUEST, Run, Step
from tests.support.memory_s3 import Store, Stored

# What opens and fills an upload is no step: nobody else can see it.
_NO_STEPS = ("CreateMultipartUpload", "UploadPart")
_SECONDS = 60
_URL = "http://127.0.0.1"

RealStore = SeaweedFS | OtherStore


class StoppedForGoodError(BaseException):
    """Ends an attempt that is not to go on."""


class RealAttempt:
    """One attempt, stopped before each of its requests."""

    def __init__(self, client: Any, run: Run) -> None:
        self._turn = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._how = GO
        self._is_over = False
        self.outcome: Any = None
        self.requests = 0
        self._client = client
        client.meta.events.register("before-call.s3", self._wait_for_turn)
        client.meta.events.register("after-call.s3", self._lose_answer)
        self._thread = threading.Thread(target=self._live, args=(run,))
        self._thread.start()
        self._wait_until_stopped()

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def step(self, how: str = GO) -> None:
        """Let it send a request, and go on to its next."""
        self._how = how
        self.requests += 1
        self._turn.release()
        self._wait_until_stopped()

    def close(self) -> None:
        """End it where it is stopped, without another request."""
        self._is_over = True
        self._turn.release()
        self._thread.join(_SECONDS)
        self._client.close()

    def _live(self, run: Run) -> None:
        try:
            self.outcome = run(self._client)
        except Exception as error:  # noqa: BLE001 - the outcome is what is looked at
            self.outcome = error
        except StoppedForGoodError:
            pass
        finally:
            self._stopped.release()

    def _wait_until_stopped(self) -> None:
        assert self._stopped.acquire(timeout=_SECONDS), "the attempt neither stops nor ends"
        if self.outcome is not None:
            self._thread.join(_SECONDS)

    def _wait_for_turn(self, model: Any, **_: Any) -> None:
        if model.name in _NO_STEPS:
            return
        if not self._is_over:
            self._stopped.release()
            self._turn.acquire()
        if self._is_over:
            raise StoppedForGoodError
        if self._how == LOSE_REQUEST:
            raise EndpointConnectionError(endpoint_url=_URL)

    def _lose_answer(self, model: Any, **_: Any) -> None:
        if model.name not in _NO_STEPS and self._how == LOSE_ANSWER:
            raise ReadTimeoutError(endpoint_url=_URL)


@contextmanager
def real_bucket(store: RealStore) -> Iterator[Any]:
    """Give a client of the store, in which the bucket of the cases is new."""
    client = store.client()
    client.create_bucket(Bucket=DESTINATION.bucket)
    try:
        yield client
    finally:
        for each in client.list_objects_v2(Bucket=DESTINATION.bucket).get("Contents", []):
            client.delete_object(Bucket=DESTINATION.bucket, Key=each["Key"])
        for upload in client.list_multipart_uploads(Bucket=DESTINATION.bucket).get("Uploads", []):
            client.abort_multipart_upload(
                Bucket=DESTINATION.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )
        client.delete_bucket(Bucket=DESTINATION.bucket)


def replay(
    store: RealStore, case: Case, path: Sequence[Step], folder: Path
) -> Iterator[tuple[Store, list[RealAttempt]]]:
    """Yield what the bucket holds, and the attempts, after each step and then at their ends."""
    with real_bucket(store) as client:
        _prepare(store, client, case, folder)
        attempts = [
            RealAttempt(store.client(), partial(each.publish, folder=folder))
            for each in case.attempts
        ]
        try:
            for number, how in path:
                if not attempts[number].has_ended:
                    attempts[number].step(how)
                    yield _read(client), attempts
            for attempt in attempts:
                while not attempt.has_ended:
                    attempt.step()
            yield _read(client), attempts
        finally:
            for attempt in attempts:
                attempt.close()


def _prepare(store: RealStore, client: Any, case: Case, folder: Path) -> None:
    if case.before:
        case.before.publish(client, folder)
    if case.died:
        download, requests = case.died
        attempt = RealAttempt(store.client(), partial(download.publish, folder=folder))
        while attempt.requests < requests:
            attempt.step()
        attempt.close()
    if case.lost:
        client.delete_object(Bucket=DESTINATION.bucket, Key=object_key(case.lost))


def _read(client: Any) -> Store:
    """Return what the bucket holds."""
    store = Store()
    for each in client.list_objects_v2(Bucket=DESTINATION.bucket).get("Contents", []):
        answer = client.get_object(Bucket=DESTINATION.bucket, Key=each["Key"])
        metadata = tuple(sorted(answer["Metadata"].items()))
        store.objects[each["Key"]] = Stored(answer["Body"].read(), answer["ETag"], metadata)
    return store
