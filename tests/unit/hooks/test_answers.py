"""Every answer, and every exception of the client, becomes an error of this package."""

from __future__ import annotations

import logging
import time
from email.utils import formatdate
from typing import Any

import ee
import pytest
import requests

from airflow_provider.earthengine import exceptions
from airflow_provider.earthengine.download.client import DownloadId
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from tests.unit.hooks.scripted_earthengine import (
    COMPUTE,
    DOCID,
    THUMBNAILS,
    Answer,
    ScriptedEarthEngine,
    google_error,
)

RATE = {"details": [{"@type": "x/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"}]}
OLD_RATE = {"errors": [{"reason": "userRateLimitExceeded"}]}
DISABLED = {"details": [{"@type": "x/Help"}, {"reason": "SERVICE_DISABLED"}]}

TABLE: list[tuple[Answer, str, str, str]] = [
    (google_error(400, "Image.select: no band X."), "RequestRejectedError", "", "no band X"),
    (google_error(401, "Who are you?"), "AccessDeniedError", "", "is anonymous"),
    (google_error(403, "Not signed up.", **DISABLED), "AccessDeniedError", "SERVICE_DISABLED", ""),
    (google_error(403, "Slowly.", **RATE), "QuotaExceededError", "RATE_LIMIT_EXCEEDED", "Slowly"),
    (google_error(403, "Slowly.", **OLD_RATE), "QuotaExceededError", "userRateLimitExceeded", ""),
    (google_error(404, "Gone."), "AssetNotFoundError", "", "Gone"),
    (google_error(400, "Image asset 'X' not found."), "AssetNotFoundError", "", "'X' not found"),
    (google_error(429, "Too many."), "QuotaExceededError", "", "Too many"),
    (google_error(400, "Too many concurrent aggregations."), "QuotaExceededError", "", ""),
    (google_error(500, "Oops."), "ServiceUnavailableError", "", "Oops"),
    (Answer(502, "<html>bad</html>"), "ServiceUnavailableError", "", "Bad Gateway"),
    (Answer(503, [{"error": {"message": "In a list."}}]), "ServiceUnavailableError", "", "a list"),
    (Answer(503, {"error": "a text"}), "ServiceUnavailableError", "", "Service Unavailable"),
    (Answer(200, "<html>a proxy</html>"), "ServiceUnavailableError", "", "does not come"),
    (Answer(200, {"other": 1}), "ServiceUnavailableError", "", "does not come from Earth Engine"),
    (Answer(200, "[]"), "ServiceUnavailableError", "", "does not come from Earth Engine"),
    (Answer(0), "ServiceUnavailableError", "", "the connection failed"),
]


@pytest.mark.slow
@pytest.mark.parametrize("what", [THUMBNAILS, COMPUTE])
@pytest.mark.parametrize(("answer", "name", "reason", "text"), TABLE)
def test_an_answer_becomes_the_error_that_it_means(
    server: ScriptedEarthEngine,
    hook: EarthEngineHook,
    what: str,
    answer: Answer,
    name: str,
    reason: str,
    text: str,
) -> None:
    expected = getattr(exceptions, name)
    is_transient = issubclass(expected, exceptions.TransientError)
    image = hook.get_conn().Image("A/B")
    server.answer(what, *[answer] * 3)
    with pytest.raises(expected) as caught:
        hook.get_download_id({"image": image}) if what == THUMBNAILS else hook.compute_value(image)
    assert type(caught.value) is expected
    assert text in str(caught.value)
    assert caught.value.facts.get("reason", "") == reason
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert server.count(what) == (3 if is_transient else 1)


def test_retry_after_may_be_a_date(server: ScriptedEarthEngine, hook: EarthEngineHook) -> None:
    image = hook.get_conn().Image("A/B")
    date = formatdate(time.time() + 600, usegmt=True)
    server.answer(THUMBNAILS, Answer(503, "", {"Retry-After": date}))
    with pytest.raises(exceptions.ServiceUnavailableError) as caught:
        hook.get_download_id({"image": image})
    assert caught.value.retry_after_seconds == pytest.approx(600, abs=3)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"bands": [1, 2]}, "create a download id"),
        ({"dimensions": "axb"}, "invalid literal"),
        ({"region": "foo"}, "Expecting value"),
        ({"image": None}, "create a download id"),
        ({"image": "A/B"}, "Image as JSON string not supported"),
        ({"id": "A/B"}, "Image ID string is not supported"),
        ({"crs_transform": [1, 0, 0, 0, 1, 0]}, 'Must specify "crs"'),
    ],
)
def test_what_the_client_refuses_is_a_mistake_in_the_parameters(
    server: ScriptedEarthEngine, hook: EarthEngineHook, params: dict[str, Any], text: str
) -> None:
    image = hook.get_conn().Image("A/B")
    server.answer(COMPUTE, google_error(403, "an older failure"))
    try:
        image.getInfo()
    except ee.EEException:
        # The answer that the caller is handling is not the answer to this request.
        with pytest.raises(exceptions.DownloadParamsError) as caught:
            hook.get_download_id({"image": image, **params})
    assert text in str(caught.value)
    assert server.count(THUMBNAILS) == 0


def test_a_download_id_is_given_and_its_url_is_the_clients(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    params = {"image": hook.get_conn().Image("A/B"), "bands": ["B1", "B2"], "scale": 30}
    before = dict(params)
    download_id = hook.get_download_id(params)
    assert download_id == DownloadId(docid=DOCID, token="")
    assert params == before
    url = hook.make_download_url(download_id)
    assert url == f"{server.url}/v1/{DOCID}:getPixels"
    assert url == ee.data.makeDownloadUrl({"docid": DOCID, "token": ""})


def test_a_callback_gets_the_id_or_the_error_and_close_waits_for_it(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    image = hook.get_conn().Image("A/B")
    seen: list[tuple[DownloadId | None, Exception | None]] = []
    server.answer(THUMBNAILS, google_error(404, "Gone."))
    with hook:
        assert hook.get_download_id({"image": image}, lambda *got: seen.append(got)) is None
    with hook:
        hook.get_download_id({"image": image}, lambda *got: seen.append(got))
        hook.get_download_id({"image": None}, lambda *got: seen.append(got))
    assert len(seen) == 3
    assert seen[0][0] is None
    assert isinstance(seen[0][1], exceptions.AssetNotFoundError)
    later = sorted(seen[1:], key=lambda got: got[0] is None)
    assert later[0] == (DownloadId(DOCID), None)
    assert isinstance(later[1][1], exceptions.DownloadParamsError)


def test_a_callback_that_fails_is_logged(
    hook: EarthEngineHook, capfd: pytest.CaptureFixture[str]
) -> None:
    image = hook.get_conn().Image("A/B")

    def fail(_download_id: DownloadId | None, _error: Exception | None) -> None:
        raise ArithmeticError("of the user's own")

    with hook:
        hook.get_download_id({"image": image}, fail)
    log = "".join(capfd.readouterr())
    assert "A callback of get_download_id failed." in log
    assert "of the user's own" in log


def test_urllib3_does_not_log_the_download_url_even_at_debug(
    hook: EarthEngineHook, caplog: pytest.LogCaptureFixture
) -> None:
    download_id = hook.get_download_id({"image": hook.get_conn().Image("A/B")})
    with caplog.at_level(logging.DEBUG):
        requests.get(hook.make_download_url(download_id), timeout=5)
    assert "GET /v1/projects/demo/thumbnails/***:getPixels" in caplog.text
    assert DOCID.rpartition("/")[2] not in caplog.text + repr(download_id)
