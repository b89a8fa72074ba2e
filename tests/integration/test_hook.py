"""The hook against the emulator, over real sockets: sessions, ids, permissions, keys."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ee
import pytest
import requests

from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.emulator.server import serve
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    AssetNotFoundError,
    DownloadParamsError,
    RequestRejectedError,
)
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.hooks.session import SESSION
from tests.support.service_account import EMAIL, make_key
from tests.unit.hooks.scripted_earthengine import closed_port, silent_listener

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator

SCENE = "COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG"
ONCE = RetryPolicy(attempts=1)
Connect = Callable[..., EarthEngineHook]


@pytest.fixture(autouse=True)
def no_session_left() -> Iterator[None]:
    SESSION.close()
    before = set(threading.enumerate())
    yield
    SESSION.close()
    assert not ee.data.is_initialized()
    # Daemon threads are the emulator's.
    left = [thread for thread in set(threading.enumerate()) - before if not thread.daemon]
    assert left == []


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return what makes a hook for a connection with this extra."""

    def connect(**extra: Any) -> EarthEngineHook:
        connection = {"conn_type": "earthengine", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_EARTH", json.dumps(connection))
        return EarthEngineHook("earth", retry_policy=ONCE)

    return connect


@pytest.fixture
def hook(earthengine_default: str) -> Iterator[EarthEngineHook]:
    with EarthEngineHook(earthengine_default, retry_policy=ONCE) as made:
        yield made


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Emulator, dict[str, Any]]]:
    """An emulator that wants to know who asks, and the key of the one account that it knows."""
    key, public_key = make_key("to be known when it serves")
    accounts = {"accounts": [{"email": EMAIL, "public_key": public_key}]}
    (tmp_path / "service_accounts.json").write_text(json.dumps(accounts))
    with serve(catalog=tmp_path, project="demo", require_auth=True) as running:
        yield running, {**key, "token_uri": f"{running.url}/token"}


def test_a_session_takes_two_requests(emulator: Emulator, hook: EarthEngineHook) -> None:
    hook.get_conn()
    assert emulator.counts() == {"discovery": 1, "algorithms": 1}
    hook.get_conn()
    assert emulator.counts() == {"discovery": 1, "algorithms": 1}


def test_a_download_id_leads_to_the_pixels(hook: EarthEngineHook) -> None:
    image = hook.get_conn().Image(SCENE)
    region = [-122.0859, 37.0436, -122.0826, 37.0486]
    params = {"image": image, "bands": ["B3", "B8"], "region": region, "scale": 20}
    download_id = hook.get_download_id({**params, "format": "GEO_TIFF"})
    answer = requests.get(hook.make_download_url(download_id), timeout=30)
    assert answer.status_code == 200
    assert answer.content[:4] in (b"II*\x00", b"MM\x00*")


def test_a_callback_gets_an_id_from_the_emulator(hook: EarthEngineHook) -> None:
    seen: list[Any] = []
    params = {"image": hook.get_conn().Image(SCENE), "bands": ["B3"], "scale": 1000}
    with hook:
        hook.get_download_id(params, lambda *got: seen.append(got))
    ((download_id, error),) = seen
    assert error is None
    assert download_id.docid.startswith("projects/demo/thumbnails/")


def test_image_info_is_a_computed_value(hook: EarthEngineHook) -> None:
    info = hook.compute_value(hook.get_conn().Image(SCENE).select(["B3", "B11"]))
    assert [band["id"] for band in info["bands"]] == ["B3", "B11"]
    assert {band["crs"] for band in info["bands"]} == {"EPSG:32610"}
    assert [band["crs_transform"][0] for band in info["bands"]] == [10, 20]


@pytest.mark.parametrize(
    ("asset_id", "params", "expected"),
    [
        ("NOT/THERE", {}, AssetNotFoundError),
        (SCENE, {"bands": ["B99"]}, RequestRejectedError),
        (SCENE, {"format": "NPY", "region": "foo"}, DownloadParamsError),
    ],
)
def test_what_is_refused_gets_its_own_error(
    hook: EarthEngineHook, asset_id: str, params: dict[str, Any], expected: type[Exception]
) -> None:
    image = hook.get_conn().Image(asset_id)
    with pytest.raises(expected) as caught:
        hook.get_download_id({"image": image, "scale": 1000, **params})
    assert type(caught.value) is expected


def test_a_service_accounts_key_is_accepted(
    guarded: tuple[Emulator, dict[str, Any]], connect: Connect
) -> None:
    running, key = guarded
    hook = connect(endpoint_url=running.url, keyfile_dict=json.dumps(key))
    assert hook.test_connection() == (True, f"Earth Engine at {running.url} answers.")
    # One token, two requests that open the session, one that computes.
    assert sum(running.counts().values()) == 4


def test_a_service_accounts_token_goes_to_its_endpoint_only(
    guarded: tuple[Emulator, dict[str, Any]],
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, key = guarded
    # Everything that is not on loopback, the host that google-auth asks behind our back among it.
    with silent_listener() as listener:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, listener.url)
        connect(endpoint_url=running.url, keyfile_dict=key).get_conn()
        time.sleep(0.3)
        assert listener.accepted == []


def test_a_key_that_is_not_known_is_refused_by_the_token_endpoint(
    guarded: tuple[Emulator, dict[str, Any]], connect: Connect
) -> None:
    running, key = guarded
    stranger, _ = make_key(key["token_uri"])
    is_good, message = connect(endpoint_url=running.url, keyfile_dict=stranger).test_connection()
    assert not is_good
    assert "the token endpoint rejected the credentials; create a new key" in message
    assert "invalid_grant" in message
    assert stranger["private_key"].splitlines()[2] not in message


def test_credentials_are_asked_for_when_the_connection_is_anonymous(
    guarded: tuple[Emulator, dict[str, Any]], connect: Connect
) -> None:
    running, _ = guarded
    hook = connect(endpoint_url=running.url, auth="anonymous", project="demo")
    is_good, message = hook.test_connection()
    assert not is_good
    assert "the connection is anonymous; set a service account's key" in message


def test_a_project_that_one_may_not_use_is_refused(emulator: Emulator, connect: Connect) -> None:
    hook = connect(endpoint_url=emulator.url, auth="anonymous", project="somebody-elses")
    with pytest.raises(AccessDeniedError) as caught:
        hook.get_conn()
    assert caught.value.facts["status"] == 403
    is_good, message = hook.test_connection()
    assert not is_good
    assert "somebody-elses" in message
    assert "register the project for Earth Engine, and grant the account" in message


def test_no_project_is_said(emulator: Emulator, connect: Connect) -> None:
    hook = connect(endpoint_url=emulator.url, auth="anonymous")
    is_good, message = hook.test_connection()
    assert (is_good, message) == (
        False,
        "Connection 'earth': it names no project; set project in its extra.",
    )
    assert emulator.counts() == {}


def test_an_endpoint_that_is_not_there_is_said(connect: Connect) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    hook = connect(endpoint_url=url, auth="anonymous", project="demo")
    is_good, message = hook.test_connection()
    assert not is_good
    assert "Connection refused" in message
    assert "Check endpoint_url, proxies and firewalls" in message


def test_a_connection_that_does_not_exist_is_said() -> None:
    is_good, message = EarthEngineHook("nowhere").test_connection()
    assert (is_good, message) == (False, "The connection 'nowhere' does not exist; create it.")
