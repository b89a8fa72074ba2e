"""Fetching from a real HTTP server that answers each GET as the test says."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider.earthengine.download.client import DownloadId
from airflow_provider.earthengine.download.fetch import body as fetch
from airflow_provider.earthengine.download.fetch.body import BodyRequest, FetchedBody, fetch_body
from airflow_provider.earthengine.download.transport.connections import Cancellation
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.download.usage import Meter, Usage
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    DownloadCancelledError,
    DownloadIdExpiredError,
    EarthEngineProviderError,
    FetchTimeoutError,
    QuotaExceededError,
    RasterMismatchError,
    RequestRejectedError,
    ServiceUnavailableError,
    TruncatedBodyError,
)
from tests.support.loopback_server import LoopbackServer, QuietHandler, serving

BODY = bytes(range(256)) * 20_000
CAPABILITY = "ea7146b7f5c19ac8bffcdd3f55b7a51a-f3ea35f9bce59fc7a631a12884e380fd"

Answer = Callable[[BaseHTTPRequestHandler], None]


def answer(status: int, content: bytes = b"", **headers: str) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(content)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(content)

    return send


def google_error(status: int, message: str, **headers: str) -> Answer:
    content = json.dumps({"error": {"code": status, "message": message, "status": "X"}}).encode()
    return answer(status, content, Content_Type="application/json", **headers)


def cut(handler: BaseHTTPRequestHandler) -> None:
    answer(200, BODY[: len(BODY) // 2], Content_Length=str(len(BODY)))(handler)


def in_chunks(content: bytes, *, cut: bool = False) -> Answer:
    """Return an answer of gzip in two chunks, whose length nobody announces.

    :param cut: whether the connection ends after the first one.
    """

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for chunk in (content[:100],) if cut else (content[:100], content[100:], b""):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        handler.close_connection = True

    return send


def reset(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


class EarthEngine:
    """Gives out download ids, and answers each GET of one with the next answer of the script."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.ids: list[str] = []
        self.paths: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.url = ""

    def get_download_id(self, params: Mapping[str, Any]) -> DownloadId:
        self.ids.append(f"projects/demo/thumbnails/{len(self.ids)}-{CAPABILITY}")
        return DownloadId(self.ids[-1])

    def make_download_url(self, download_id: DownloadId) -> str:
        return f"{self.url}/v1/{download_id.docid}:getPixels"


@pytest.fixture
def earth_engine() -> Iterator[EarthEngine]:
    service = EarthEngine()

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            service.paths.append(self.path)
            service.headers.append(dict(self.headers))
            service.script.pop(0)(self)

    with serving(LoopbackServer(Handler)) as server:
        service.url = f"http://127.0.0.1:{server.port}"
        yield service
    assert service.script == []


Fetch = Callable[..., FetchedBody]


@pytest.fixture
def run(earth_engine: EarthEngine, tmp_path: Path) -> Fetch:
    def fetch_it(check: Callable[[Path], None] = lambda _: None, **policy: Any) -> FetchedBody:
        request = BodyRequest(
            {"format": "GEO_TIFF"}, "scene", tmp_path / "body", 2 * len(BODY), check
        )
        return fetch_body(earth_engine, request, RetryPolicy(sleep=lambda _: None, **policy))

    return fetch_it


def test_a_body_is_streamed_to_disk(earth_engine: EarthEngine, run: Fetch, tmp_path: Path) -> None:
    earth_engine.script = [answer(200, BODY)]
    body = run()
    assert body.path.read_bytes() == BODY
    assert (body.byte_count, body.attempts) == (len(BODY), 1)
    assert [path.name for path in tmp_path.iterdir()] == ["body"]
    assert "Authorization" not in earth_engine.headers[0]


@pytest.mark.parametrize(
    "failure",
    [
        google_error(429, "Too Many Requests"),
        google_error(500, "Internal"),
        answer(503, b"<html>busy</html>", Retry_After="2"),
        google_error(400, "An internal error has occurred"),
        cut,
        reset,
    ],
)
def test_a_passing_failure_is_retried_with_the_same_id(
    earth_engine: EarthEngine, run: Fetch, failure: Answer
) -> None:
    earth_engine.script = [failure, failure, answer(200, BODY)]
    assert run().attempts == 3
    assert len(earth_engine.ids) == 1
    assert len(set(earth_engine.paths)) == 1


def test_an_expired_id_is_replaced_once(earth_engine: EarthEngine, run: Fetch) -> None:
    earth_engine.script = [google_error(404, "gone"), answer(200, BODY)]
    assert run().byte_count == len(BODY)
    assert len(earth_engine.ids) == len(set(earth_engine.paths)) == 2
    earth_engine.script = [google_error(404, "gone"), google_error(404, "gone")]
    with pytest.raises(DownloadIdExpiredError) as caught:
        run()
    assert caught.value.facts["status"] == 404


def test_a_body_that_fails_its_check_is_fetched_again(
    earth_engine: EarthEngine, run: Fetch
) -> None:
    def check(path: Path) -> None:
        if path.read_bytes() != BODY:
            raise TruncatedBodyError("The body is not a tif file.")

    earth_engine.script = [answer(200, b"<html>Sign in</html>"), answer(200, BODY)]
    assert run(check).attempts == 2


@pytest.mark.parametrize(
    ("failure", "cls"),
    [
        (google_error(400, "Image.select: Band pattern"), RequestRejectedError),
        (google_error(401, "no"), AccessDeniedError),
        (google_error(403, "no"), AccessDeniedError),
        (answer(302, Location="http://127.0.0.1:9/elsewhere"), RequestRejectedError),
        (answer(200, bytes(3 * len(BODY))), RasterMismatchError),
    ],
)
def test_what_waiting_cannot_mend_is_not_retried(
    earth_engine: EarthEngine, run: Fetch, failure: Answer, cls: type[Exception], tmp_path: Path
) -> None:
    earth_engine.script = [failure]
    with pytest.raises(cls) as caught:
        run()
    if cls is not RasterMismatchError:
        assert str(caught.value).startswith("Earth Engine could not send the pixels of ")
    assert not (tmp_path / "body").exists()


@pytest.mark.parametrize(
    ("failure", "cls"),
    [
        (google_error(429, "Too Many Requests", Retry_After="5"), QuotaExceededError),
        (answer(502, b"<html>bad gateway</html>"), ServiceUnavailableError),
        (cut, TruncatedBodyError),
        (reset, ServiceUnavailableError),
    ],
)
def test_a_failure_that_does_not_pass_is_told_without_the_capability(
    earth_engine: EarthEngine, run: Fetch, failure: Answer, cls: type[EarthEngineProviderError]
) -> None:
    earth_engine.script = [failure] * 3
    with pytest.raises(cls) as caught:
        run(attempts=3)
    error: BaseException | None = caught.value
    while error:
        assert CAPABILITY not in f"{error} {error!r}"
        error = error.__cause__


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "limit"),
    [(None, "READ_SECONDS"), (0, "BODY_SILENCE_SECONDS"), (1000, "BODY_SILENCE_SECONDS")],
)
def test_a_server_that_stops_sending_is_left(
    earth_engine: EarthEngine,
    run: Fetch,
    monkeypatch: pytest.MonkeyPatch,
    sent: int | None,
    limit: str,
) -> None:
    leave = threading.Event()

    def stall(handler: BaseHTTPRequestHandler) -> None:
        if sent is not None:
            answer(200, BODY[:sent], Content_Length=str(len(BODY)))(handler)
            handler.wfile.flush()
        leave.wait(10)

    monkeypatch.setattr(fetch, limit, 0.2)
    earth_engine.script = [stall]
    with pytest.raises(FetchTimeoutError):
        run(attempts=1)
    leave.set()


@pytest.mark.parametrize("sent", [0, 1000])
def test_a_cancelled_download_ends_at_once_and_asks_no_more(
    earth_engine: EarthEngine, tmp_path: Path, sent: int
) -> None:
    asked, leave = threading.Event(), threading.Event()

    def stall(handler: BaseHTTPRequestHandler) -> None:
        if sent:
            answer(200, BODY[:sent], Content_Length=str(len(BODY)))(handler)
            handler.wfile.flush()
        asked.set()
        leave.wait(30)

    earth_engine.script = [stall]
    cancellation = Cancellation()
    request = BodyRequest({}, "scene", tmp_path / "body", 2 * len(BODY), lambda _: None)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            fetch_body(earth_engine, request, cancellation=cancellation)
        except DownloadCancelledError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert asked.wait(60)
    cancellation.cancel()
    thread.join(10)
    is_over = not thread.is_alive()
    leave.set()
    assert is_over
    assert len(errors) == 1
    assert len(earth_engine.paths) == 1


def test_progress_is_told(
    earth_engine: EarthEngine,
    run: Fetch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(fetch, "PROGRESS_SECONDS", 0.0)
    caplog.set_level(logging.INFO)
    earth_engine.script = [answer(200, BODY)]
    run()
    assert "scene: 1,048,576 of 5120000 bytes" in caplog.text


def test_the_time_of_a_body_is_that_of_its_requests_alone(
    earth_engine: EarthEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def passes(seconds: float) -> None:
        nonlocal now
        now += seconds

    def after(seconds: float, answered: Answer) -> Answer:
        def send(handler: BaseHTTPRequestHandler) -> None:
            passes(seconds)
            answered(handler)

        return send

    monkeypatch.setattr(fetch, "time", SimpleNamespace(monotonic=lambda: now))
    earth_engine.script = [after(3, google_error(503, "Unavailable")), after(4, answer(200, BODY))]
    # Neither the wait before the second try counts, nor what becomes of the body.
    policy = RetryPolicy(sleep=lambda _: passes(1000))
    path = tmp_path / "body"
    request = BodyRequest({}, "scene", path, 2 * len(BODY), lambda _: passes(100))
    body = fetch_body(earth_engine, request, policy)
    assert (body.seconds, now) == (7, 1107)


def test_every_try_is_counted_with_what_it_sent(earth_engine: EarthEngine, tmp_path: Path) -> None:
    packed = gzip.compress(bytes(500_000))
    earth_engine.script = [
        google_error(429, "Too Many Requests"),
        cut,
        google_error(503, "Unavailable"),
        in_chunks(packed, cut=True),
        in_chunks(packed),
    ]
    request = BodyRequest({}, "scene", tmp_path / "body", 2 * len(BODY), lambda _: None)
    meter = Meter()
    body = fetch_body(earth_engine, request, RetryPolicy(sleep=lambda _: None), meter=meter)
    assert body.byte_count == 500_000
    # As sent: half a body that was cut, and the packed one, once in part and once whole.
    sent = len(BODY) // 2 + 100 + len(packed)
    assert meter.usage == Usage(requests=5, refusals=1, byte_count=sent)
