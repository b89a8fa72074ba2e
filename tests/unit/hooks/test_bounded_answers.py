"""No answer takes more memory than an answer of Earth Engine can: not gzip bombs, not long ones."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from airflow_provider.earthengine.download.fetch.body import BodyRequest, fetch_body
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    AssetNotFoundError,
    EarthEngineProviderError,
    RasterMismatchError,
    RequestRejectedError,
    ServiceUnavailableError,
    TransientError,
)
from airflow_provider.earthengine.hooks.computation import ExpressionClient
from airflow_provider.earthengine.hooks.connection_config import ConnectionConfig
from airflow_provider.earthengine.hooks.transport import MAX_ANSWER_BYTE_COUNT, Transport
from tests.support.loopback_server import LoopbackServer, QuietHandler, serving
from tests.unit.hooks.conftest import Connect
from tests.unit.hooks.scripted_earthengine import (
    ALGORITHMS,
    COMPUTE,
    DISCOVERY,
    DOCID,
    EXCHANGE,
    IMPERSONATE,
    THUMBNAILS,
    TOKEN,
    Answer,
    ScriptedEarthEngine,
)

BOMB_BYTE_COUNT = 8 * MAX_ANSWER_BYTE_COUNT
# The longest answer, twice while it is put together, and what its parser makes of a megabyte.
MOST_MEMORY = 3 * MAX_ANSWER_BYTE_COUNT
GET_PIXELS = f"{DOCID.rpartition('/')[2]}:getPixels"
ONCE = RetryPolicy(attempts=1)


@cache
def bomb(start: bytes = b'{"result": "', byte_count: int = BOMB_BYTE_COUNT) -> bytes:
    """Return a gzip that unpacks to a thousand times its length."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"0" * (1 << 20)
    pieces = [packer.compress(start)]
    pieces += [packer.compress(zeros) for _ in range(byte_count >> 20)]
    return b"".join([*pieces, packer.flush()])


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


def gzipped(content: bytes, status: int = 200) -> Answer:
    return Answer(status, content, {"Content-Encoding": "gzip"})


def open_session(hook: Any) -> None:
    hook.get_conn()


def compute(hook: Any) -> None:
    hook.compute_value(hook.get_conn().Number(1))


def create_id(hook: Any) -> None:
    hook.get_download_id({"image": hook.get_conn().Image("A/B")})


# They share the transport: one is enough before each commit.
STEPS: dict[str, tuple[str, str, Callable[[Any], None]]] = {
    "a token": (TOKEN, "service_account", open_session),
    "an exchanged token": (EXCHANGE, "federation", open_session),
    "an impersonated token": (IMPERSONATE, "impersonation", open_session),
    "the discovery document": (DISCOVERY, "service_account", open_session),
    "the functions": (ALGORITHMS, "service_account", open_session),
    "a value": (COMPUTE, "service_account", compute),
    "an id": (THUMBNAILS, "service_account", create_id),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "way", "step"),
    [
        pytest.param(*step, id=name, marks=[] if name == "a token" else pytest.mark.slow)
        for name, step in STEPS.items()
    ],
)
def test_a_bomb_as_any_answer_takes_little_memory(
    server: ScriptedEarthEngine, connect: Connect, ways: dict[str, Any],
    what: str, way: str, step: Callable[[Any], None],
) -> None:  # fmt: skip
    hook = connect(ways[way])
    server.answer(what, *[gzipped(bomb())] * 4)
    with little_memory(), pytest.raises(TransientError) as caught:
        step(hook)
    assert len(str(caught.value)) < 1_500
    assert server.count(what) >= 1


def test_the_triggerers_client_takes_little_memory_either(server: ScriptedEarthEngine) -> None:
    client = ExpressionClient(ConnectionConfig("earth", "anonymous", server.url, "demo"))
    server.answer(COMPUTE, gzipped(bomb()))
    with little_memory(), pytest.raises(ServiceUnavailableError, match="more than 33,554,432"):
        client.compute("{}", "look", 10.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRejectedError),
        pytest.param(401, AccessDeniedError, marks=pytest.mark.slow),
        pytest.param(404, AssetNotFoundError, marks=pytest.mark.slow),
        pytest.param(500, ServiceUnavailableError, marks=pytest.mark.slow),
    ],
)
def test_a_refusal_is_what_its_status_says_however_long_it_is(
    server: ScriptedEarthEngine, connect: Connect, status: int, kind: type[Exception]
) -> None:
    hook = connect({"auth": "anonymous"})
    hook.get_conn()
    server.answer(COMPUTE, gzipped(bomb(b'{"error": {"message": "'), status))
    with little_memory(), pytest.raises(kind):
        compute(hook)


@pytest.mark.parametrize("status", [200, 400])
def test_a_bomb_as_pixels_ends_at_the_most_that_they_can_take(
    server: ScriptedEarthEngine, connect: Connect, tmp_path: Any, status: int
) -> None:
    hook = connect({"auth": "anonymous"})
    request = BodyRequest(
        {"image": hook.get_conn().Image("A/B")}, "A/B", tmp_path / "body", 5 << 20, lambda _: None
    )
    server.answer(GET_PIXELS, gzipped(bomb(), status))
    kind = RasterMismatchError if status == 200 else RequestRejectedError
    with little_memory(), pytest.raises(kind):
        fetch_body(hook, request, ONCE)
    assert sum(path.stat().st_size for path in tmp_path.glob("body*")) <= 5 << 20


def test_nested_lists_are_not_parsed_into_many_times_their_length(
    server: ScriptedEarthEngine, connect: Connect
) -> None:
    hook = connect({"auth": "anonymous"})
    hook.get_conn()
    server.answer(COMPUTE, Answer(200, '{"result": [' + "[]," * 1_000_000 + "1]}"))
    with little_memory(), pytest.raises(ServiceUnavailableError, match="lists and objects"):
        compute(hook)


class Encoded(QuietHandler):
    """Answers with a content that the path chooses."""

    def do_GET(self) -> None:
        headers, chunks = ENCODED[self.path]
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")


WHOLE = json.dumps({"result": list(range(1000))}).encode() * 100
PACKED = gzip.compress(WHOLE)
GZIP = {"Content-Encoding": "gzip"}
ENCODED = {
    "/plain": ({}, [WHOLE]),
    "/identity": ({"Content-Encoding": "identity"}, [WHOLE]),
    "/gzip": (GZIP, [PACKED]),
    "/x-gzip": ({"Content-Encoding": "X-GZip"}, [PACKED]),
    "/in-pieces": (GZIP, [PACKED[at : at + 7] for at in range(0, len(PACKED), 7)]),
    "/one-after-the-other": (GZIP, [gzip.compress(WHOLE[:50]) + gzip.compress(WHOLE[50:])]),
    "/cut": (GZIP, [PACKED[:-9]]),
    "/damaged": (GZIP, [PACKED[:40] + b"\0\0\0\0" + PACKED[44:]]),
    "/not": (GZIP, [WHOLE]),
    "/twice": ({"Content-Encoding": "gzip, gzip"}, [gzip.compress(PACKED)]),
    "/other": ({"Content-Encoding": "br"}, [b"x"]),
    "/empty": (GZIP, []),
}
READ = {"/empty": b""} | dict.fromkeys(
    ["/plain", "/identity", "/gzip", "/x-gzip", "/in-pieces", "/one-after-the-other"], WHOLE
)


@pytest.mark.parametrize("path", ENCODED)
def test_content_is_decoded_or_refused(path: str) -> None:
    with serving(LoopbackServer(Encoded)) as server:
        transport = Transport(f"http://127.0.0.1:{server.port}", 5.0)
        try:
            url = f"http://127.0.0.1:{server.port}{path}"
            if path in READ:
                assert transport.request(url)[1] == READ[path]
            else:
                with pytest.raises((OSError, EarthEngineProviderError)):
                    transport.request(url)
        finally:
            transport.close()
