"""The session is opened once, in two requests, cannot hang, and is whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import ee
import pytest

from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    ConnectionConfigError,
    FetchTimeoutError,
    QuotaExceededError,
    ServiceUnavailableError,
)
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from tests.unit.hooks.conftest import HookMaker
from tests.unit.hooks.scripted_earthengine import (
    ALGORITHMS,
    COMPUTE,
    DISCOVERY,
    THUMBNAILS,
    Answer,
    ScriptedEarthEngine,
    closed_port,
    google_error,
    scripted_earthengine,
    silent_listener,
)


def test_a_session_takes_two_requests_and_is_shared(
    server: ScriptedEarthEngine, hook: EarthEngineHook, make_hook: HookMaker
) -> None:
    assert hook.get_conn() is ee
    assert [what for what, _ in server.requests] == [DISCOVERY, ALGORITHMS]
    make_hook(server.url).get_conn()
    hook.compute_value(ee.Number(1))
    assert len(server.requests) == 3


def test_a_session_that_somebody_reset_is_opened_again(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    one = hook.get_conn().Number(1)
    ee.Reset()
    assert hook.compute_value(one) == 1
    assert server.count(ALGORITHMS) == 2


def test_another_connection_replaces_the_session(
    server: ScriptedEarthEngine, hook: EarthEngineHook, make_hook: HookMaker
) -> None:
    with scripted_earthengine() as other_server:
        other = make_hook(other_server.url, conn_id="other")
        hook.compute_value(hook.get_conn().Number(1))
        other.compute_value(other.get_conn().Number(1))
        hook.compute_value(hook.get_conn().Number(1))
        assert (server.count(COMPUTE), other_server.count(COMPUTE)) == (2, 1)
        assert (server.count(ALGORITHMS), other_server.count(ALGORITHMS)) == (2, 1)


def test_a_session_in_use_is_not_replaced_before_its_answer_has_come(
    server: ScriptedEarthEngine, hook: EarthEngineHook, make_hook: HookMaker
) -> None:
    release = threading.Event()
    one = hook.get_conn().Number(1)
    with scripted_earthengine() as other_server, ThreadPoolExecutor(2) as threads:
        server.answer(COMPUTE, Answer(body={"result": server.url}, after=release))
        other_server.answer(COMPUTE, Answer(body={"result": other_server.url}))
        first = threads.submit(hook.compute_value, one)
        while server.count(COMPUTE) == 0:
            time.sleep(0.01)
        second = threads.submit(make_hook(other_server.url, conn_id="other").compute_value, one)
        time.sleep(0.2)
        assert other_server.requests == []
        release.set()
        assert (first.result(), second.result()) == (server.url, other_server.url)


def test_calls_of_one_connection_run_at_the_same_time(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    one = hook.get_conn().Number(1)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(hook.compute_value, [one] * 16)) == [1] * 16
    assert server.count(ALGORITHMS) == 1


@pytest.mark.parametrize("what", [DISCOVERY, ALGORITHMS])
def test_opening_is_retried_as_a_whole(
    server: ScriptedEarthEngine, hook: EarthEngineHook, sleeps: list[float], what: str
) -> None:
    server.answer(what, google_error(503, "Try later."))
    hook.get_conn()
    assert sleeps == [1.0]
    assert server.count(ALGORITHMS) == (2 if what == ALGORITHMS else 1)


@pytest.mark.parametrize("what", [DISCOVERY, ALGORITHMS])
def test_no_half_a_session_stays_when_opening_failed(
    server: ScriptedEarthEngine, hook: EarthEngineHook, what: str
) -> None:
    server.answer(what, google_error(403, "Not signed up for Earth Engine."))
    with pytest.raises(AccessDeniedError, match=r"open a session.*Not signed up"):
        hook.get_conn()
    assert not ee.data.is_initialized()
    hook.get_conn()
    assert ee.data.is_initialized()


def test_the_servers_wish_to_wait_is_honoured_while_opening(
    server: ScriptedEarthEngine, hook: EarthEngineHook, sleeps: list[float]
) -> None:
    server.answer(ALGORITHMS, Answer(429, "slow down", {"Retry-After": "7"}))
    hook.get_conn()
    assert sleeps == [7.0 + 1.0]
    server.answer(COMPUTE, Answer(429, "slow down", {"Retry-After": "3600"}))
    with pytest.raises(QuotaExceededError) as caught:
        hook.compute_value(ee.Number(1))
    assert caught.value.retry_after_seconds == 3600


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_is_not_followed(
    server: ScriptedEarthEngine, hook: EarthEngineHook, status: int
) -> None:
    with scripted_earthengine() as elsewhere:
        server.answer(
            DISCOVERY, Answer(status, "", {"Location": f"{elsewhere.url}/$discovery/rest"})
        )
        with pytest.raises(Exception, match=f"HTTP {status}"):
            hook.get_conn()
        assert elsewhere.requests == []


def test_what_is_no_earth_engine_is_said_to_be_none(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    server.answer(DISCOVERY, Answer(404, "<html>nothing here</html>"))
    with pytest.raises(ConnectionConfigError, match="check endpoint_url"):
        hook.get_conn()
    server.answer(DISCOVERY, *[Answer(200, "<html>hello</html>")] * 3)
    with pytest.raises(ServiceUnavailableError, match="does not come from Earth Engine"):
        hook.get_conn()


def test_a_closed_port_is_unavailable_and_named_without_a_url(make_hook: HookMaker) -> None:
    with pytest.raises(ServiceUnavailableError, match="Connection refused") as caught:
        make_hook(f"http://127.0.0.1:{closed_port()}").get_conn()
    assert "http://" not in str(caught.value)


def test_a_lost_connection_is_tried_again(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    server.answer(THUMBNAILS, Answer(0))
    image = hook.get_conn().Image("A/B")
    hook.get_download_id({"image": image})
    assert server.count(THUMBNAILS) == 2


def test_an_endpoint_that_never_answers_ends_within_the_deadline(
    make_hook: HookMaker, sleeps: list[float]
) -> None:
    with silent_listener() as listener:
        started = time.monotonic()
        with pytest.raises(FetchTimeoutError, match="no answer in time"):
            make_hook(listener.url, deadline_seconds=0.3).get_conn()
        assert len(listener.accepted) == 3
    assert len(sleeps) == 2
    # Three waits for an answer; the machine may be slow besides.
    assert 0.9 <= time.monotonic() - started < 60


def test_a_catalog_address_that_never_answers_is_not_waited_for(
    hook: EarthEngineHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_listener() as listener:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, listener.url)
        hook.get_conn()
        assert listener.accepted == []


def test_a_call_that_hangs_ends_within_the_deadline(
    server: ScriptedEarthEngine, make_hook: HookMaker
) -> None:
    hook = make_hook(server.url, deadline_seconds=0.5)
    one = hook.get_conn().Number(1)
    release = threading.Event()

    server.answer(COMPUTE, *[Answer(body={"result": 1}, after=release)] * 3)
    try:
        with pytest.raises(FetchTimeoutError):
            hook.compute_value(one)
    finally:
        release.set()


def test_a_forked_child_opens_a_session_of_its_own(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    hook.get_conn()
    with warnings.catch_warnings():
        # The server of this test runs in a thread; the child uses none of it.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            hook.get_conn()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert server.count(ALGORITHMS) == 2


HEAVY = "ee google.auth googleapiclient requests httplib2 numpy rasterio boto3 botocore pystac"


@pytest.mark.slow
def test_importing_the_hook_imports_nothing_heavy() -> None:
    program = (
        "import sys, airflow_provider.earthengine.hooks.earthengine;"
        f"sys.exit(' '.join(name for name in '{HEAVY}'.split() if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
