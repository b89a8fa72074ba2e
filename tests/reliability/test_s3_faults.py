"""The store as a whole: killed and restarted, gone, without conditional writes, write-only."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider.earthengine.download.bucket import conditional_writes as conditions
from stack.seaweedfs import SeaweedFS
from tests.reliability.conftest import make_impatient, proxied_connection
from tests.reliability.s3_proxy import (
    Answer,
    LoseAnswer,
    Meanwhile,
    Page,
    S3Proxy,
    proxy_to,
)
from tests.reliability.workplace import (
    STORED,
    Workplace,
    assert_item_is_true,
    assert_right_bytes,
)

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator

# One killable server for all of them, where tests run side by side.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("store faults")]

PER_BAND = "ZIPPED_GEO_TIFF_PER_BAND"
# A server that is killed is back after about one.
_START_SECONDS = 20.0
ITEM = "a/scene.bands.json"
WRITES = [
    ("CreateMultipartUpload", 0),
    ("CreateMultipartUpload", 1),
    ("UploadPart", 0),
    ("UploadPart", 1),
    ("CompleteMultipartUpload", 0),
    ("CompleteMultipartUpload", 1),
    ("PutObject", 0),
]


class Killable(SeaweedFS):
    """An S3 server that can be down for a while."""

    def kill(self) -> None:
        self._running_child().kill()

    def revive(self) -> None:
        self._start()


@pytest.fixture(scope="module")
def killable() -> Iterator[tuple[Killable, S3Proxy]]:
    server = Killable(buckets=["cells"])
    with server, proxy_to(server) as proxy:
        yield server, proxy


@pytest.fixture
def shaky(
    emulator: Emulator,
    earthengine_default: str,
    killable: tuple[Killable, S3Proxy],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Killable, Workplace]:
    """A server of this module's own, and a place to download into it; the bucket is empty."""
    server, proxy = killable
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", proxied_connection(proxy, _START_SECONDS))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    make_impatient(monkeypatch)
    monkeypatch.setitem(conditions._KNOWN, proxy.url, conditions.Conditions())
    place = Workplace(emulator, proxy, server.client(), "cells", tmp_path)
    place.empty()
    return server, place


@pytest.mark.parametrize(("operation", "number"), WRITES)
def test_a_store_that_is_killed_and_comes_back_does_not_show(
    shaky: tuple[Killable, Workplace], operation: str, number: int
) -> None:
    server, place = shaky
    before = place.begin()
    restart = Meanwhile(lambda: server.restart(signal.SIGKILL), holds_others=True)
    with place.proxy.fault(operation, restart, skip=number):
        # The proxy answers nothing while the server starts: the client may ask once more.
        assert place.attempt(PER_BAND) == STORED
    assert_item_is_true(place.objects())
    assert_right_bytes(place.objects(), PER_BAND)
    place.assert_nothing_is_left(before)


@pytest.mark.parametrize(("operation", "number"), WRITES)
def test_a_store_that_stays_away_is_named_and_the_next_attempt_completes(
    shaky: tuple[Killable, Workplace],
    operation: str,
    number: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, place = shaky
    before = place.begin()
    with place.proxy.fault(operation, Meanwhile(server.kill), skip=number):
        assert place.attempt(PER_BAND) == "ServiceUnavailableError"
    place.assert_nothing_is_left(before)
    server.revive()
    objects = place.objects()
    assert ITEM not in objects
    left = place.open_upload_count()
    told = re.findall(r"Could not abort (\d) open uploads in cells", caplog.text)
    assert sum(int(number) for number in told) == left
    assert place.attempt(PER_BAND) == STORED
    assert_right_bytes(place.objects(), PER_BAND)


def without_conditions(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.proxy.ignores_conditions = True
    monkeypatch.delitem(conditions._KNOWN, place.proxy.url)


@pytest.fixture
def careless(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """A store that ignores conditions, and that is not known to."""
    without_conditions(workplace, monkeypatch)
    return workplace


def test_a_store_without_conditions_is_found_out_and_recorded(
    careless: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    assert careless.attempt(PER_BAND) == STORED
    objects = careless.objects()
    assert_item_is_true(objects)
    assert_right_bytes(objects, PER_BAND)
    assert json.loads(objects[ITEM])["properties"]["earthengine:conditional_writes"] is False
    assert "does not honour conditional writes" in caplog.text


def test_where_conditions_hold_the_item_says_nothing_of_them(workplace: Workplace) -> None:
    assert workplace.attempt(PER_BAND) == STORED
    properties = json.loads(workplace.objects()[ITEM])["properties"]
    assert "earthengine:conditional_writes" not in properties


def test_without_conditions_the_last_writer_wins_and_its_item_is_true(careless: Workplace) -> None:
    outcomes = []

    def overtake() -> None:
        outcomes.append(careless.attempt(PER_BAND))

    with careless.proxy.fault("CompleteMultipartUpload", Meanwhile(overtake)):
        outcomes.append(careless.attempt(PER_BAND))
    assert outcomes == [STORED, STORED]
    assert_item_is_true(careless.objects())
    assert_right_bytes(careless.objects(), PER_BAND)


def test_without_conditions_another_download_is_replaced(careless: Workplace) -> None:
    careless.put_older_download(PER_BAND)
    assert careless.attempt(PER_BAND) == STORED
    assert_item_is_true(careless.objects())
    assert_right_bytes(careless.objects(), PER_BAND)


@pytest.mark.parametrize("operation", ["PutObject", "DeleteObject"])
def test_the_probe_of_conditions_survives_a_lost_answer(
    workplace: Workplace, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(conditions._KNOWN, workplace.proxy.url)
    with workplace.proxy.fault(operation, LoseAnswer()):
        assert workplace.attempt(PER_BAND) == STORED
    assert_right_bytes(workplace.objects(), PER_BAND)


def test_a_probe_that_may_not_be_removed_is_told_and_does_not_matter(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(conditions._KNOWN, workplace.proxy.url)
    with workplace.proxy.fault("DeleteObject", Answer(403, "AccessDenied")):
        assert workplace.attempt(PER_BAND) == STORED
    assert "Could not remove the probe" in caplog.text
    (probe,) = [key for key in workplace.objects() if "conditional-write" in key]
    workplace.client.delete_object(Bucket=workplace.bucket, Key=probe)
    assert_right_bytes(workplace.objects(), PER_BAND)


def test_a_role_that_may_not_look_at_objects_can_publish_where_nothing_is(
    workplace: Workplace,
) -> None:
    workplace.proxy.denies_head = True
    assert workplace.attempt(PER_BAND) == STORED
    assert_right_bytes(workplace.objects(), PER_BAND)
    # What is there is told by the item and the listing.
    assert workplace.attempt(PER_BAND) == STORED


def test_a_role_that_may_not_look_at_objects_replaces_nothing(workplace: Workplace) -> None:
    workplace.put_older_download(PER_BAND)
    before = workplace.objects()
    workplace.proxy.denies_head = True
    assert workplace.attempt(PER_BAND) == "AccessDeniedError"
    assert workplace.objects() == before
    assert workplace.open_upload_count() == 0


@pytest.mark.parametrize("operation", ["ListObjectsV2", "CreateMultipartUpload"])
def test_a_page_in_place_of_an_answer_is_asked_again_and_then_named(
    workplace: Workplace, operation: str
) -> None:
    with workplace.proxy.fault(operation, Page(), times=3):
        assert workplace.attempt(PER_BAND) == "ServiceUnavailableError"
    assert workplace.objects() == {}
    with workplace.proxy.fault(operation, Page()):
        assert workplace.attempt(PER_BAND) == STORED


def clean_up_fails(workplace: Workplace, fault: Answer) -> str:
    with (
        workplace.proxy.fault("CompleteMultipartUpload", Answer(403, "AccessDenied")),
        workplace.proxy.fault("AbortMultipartUpload", fault, times=2),
    ):
        return workplace.attempt(PER_BAND)


def test_an_error_while_cleaning_up_does_not_hide_the_first(
    workplace: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    assert clean_up_fails(workplace, Answer(400, "MalformedXML")) == "AccessDeniedError"
    assert "Could not abort the upload of" in caplog.text
    assert "2 open uploads in" in caplog.text
    assert workplace.open_upload_count() == 2


def test_what_the_connection_says_of_time_outs_goes_first(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

    def config() -> Any:
        operator = EarthEngineToS3Operator(
            task_id="t", image="x", download_params={}, s3_bucket="b"
        )
        return operator._s3_client().meta.config

    assert config().read_timeout == 1.0
    assert config().connect_timeout == 10
    connection = json.loads(proxied_connection(workplace.proxy))
    del connection["extra"]["config_kwargs"]
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    assert config().read_timeout == 60
    assert config().retries["mode"] == "standard"
    assert config().retries["total_max_attempts"] == 4
