"""A server that opens sessions as Earth Engine does, and then answers what a test tells it to."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ee

from tests.support.loopback_server import LoopbackServer, QuietHandler, serving

_SHIPPED = Path(ee.__file__).parent / "tests"
# The shipped document describes v1alpha, the client of the same wheel speaks v1.
_DISCOVERY = (_SHIPPED / "cloud_api_discovery_document.json").read_text().replace("v1alpha", "v1")
_KEPT = (
    *("Image.", "ImageCollection.", "Collection", "AggregateFeatureCollection.", "Element."),
    *("Filter", "Reducer.", "Date", "Dictionary.get", "Number.", "ErrorMargin"),
    *("Geometry", "Projection", "Feature", "List."),
)
_ALGORITHMS = {
    "algorithms": [
        algorithm
        for algorithm in json.loads((_SHIPPED / "algorithms.json").read_text())["algorithms"]
        if algorithm["name"].removeprefix("algorithms/").startswith(_KEPT)
    ]
}

DISCOVERY, ALGORITHMS, THUMBNAILS, COMPUTE = ("rest", "algorithms", "thumbnails", "value:compute")
# What the token endpoints end in: the one for keys and refresh tokens, the exchange of a federated
# identity's token, and the impersonation of a service account.
TOKEN, EXCHANGE, IMPERSONATE = ("token", "exchange", "generateAccessToken")
DOCID = "projects/demo/thumbnails/0123456789abcdef-fedcba9876543210"


@dataclass(frozen=True)
class Answer:
    """What is sent for one request; ``status`` 0 closes the connection without an answer.

    :param after: the answer waits for it, ten seconds at most.
    """

    status: int = 200
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    after: threading.Event | None = None

    def to_bytes(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()


_USUAL = {
    DISCOVERY: Answer(body=_DISCOVERY),
    ALGORITHMS: Answer(body=_ALGORITHMS),
    THUMBNAILS: Answer(body={"name": DOCID}),
    COMPUTE: Answer(body={"result": 1}),
    TOKEN: Answer(body={"access_token": "ya29.of-token", "expires_in": 3600}),
    EXCHANGE: Answer(body={"access_token": "ya29.of-exchange", "expires_in": 3600}),
    IMPERSONATE: Answer(
        body={"accessToken": "ya29.of-impersonate", "expireTime": "2099-01-01T00:00:00Z"}
    ),
}


@dataclass(frozen=True)
class ScriptedEarthEngine:
    """Its answers by the last part of the path; without any, it answers as usual.

    :param paths: the path and the body of every request, in the order of ``requests``.
    """

    url: str
    script: dict[str, list[Answer]]
    requests: list[tuple[str, dict[str, str]]]
    paths: list[tuple[str, str]]

    def answer(self, what: str, *answers: Answer) -> None:
        self.script[what].extend(answers)

    def count(self, what: str) -> int:
        return sum(1 for seen, _ in self.requests if seen == what)

    def bodies(self, what: str) -> list[str]:
        seen = zip(self.requests, self.paths, strict=True)
        return [body for (asked, _), (_, body) in seen if asked == what]

    def bearers(self, what: str) -> list[str]:
        """The Authorization headers of the requests, empty texts where there is none."""
        return [
            headers.get("authorization", "") for asked, headers in self.requests if asked == what
        ]


def google_error(status: int, message: str, **more: Any) -> Answer:
    return Answer(status, {"error": {"code": status, "message": message, **more}})


@contextmanager
def scripted_earthengine(
    tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[ScriptedEarthEngine]:
    """Serve while the block runs.

    :param tls: with the server's certificate; then the URL is https.
    :param host: the name in the URL; it listens on 127.0.0.1 whatever that is.
    """
    script: dict[str, list[Answer]] = defaultdict(list)
    requests: list[tuple[str, dict[str, str]]] = []
    paths: list[tuple[str, str]] = []

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _body(self) -> str:
            return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

        def _answer(self) -> None:
            paths.append((self.path, self._body()))
            what = self.path.partition("?")[0].rpartition("/")[2]
            what = IMPERSONATE if what.endswith(f":{IMPERSONATE}") else what
            requests.append((what, {name.lower(): text for name, text in self.headers.items()}))
            answer = script[what].pop(0) if script[what] else _USUAL.get(what, Answer(404))
            if answer.status == 0:
                self.close_connection = True
                return
            if answer.after is not None:
                answer.after.wait(10)
            body = answer.to_bytes()
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    server = LoopbackServer(Handler)
    if tls is not None:
        # The handshake is left to the thread that answers: it must not hold up the others.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    with serving(server):
        url = f"{'http' if tls is None else 'https'}://{host}:{server.port}"
        yield ScriptedEarthEngine(url, script, requests, paths)


@dataclass(frozen=True)
class SilentListener:
    """A listener that accepts connections and never answers."""

    url: str
    accepted: list[socket.socket]


@contextmanager
def silent_listener() -> Iterator[SilentListener]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    accepted.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield SilentListener(f"http://127.0.0.1:{listener.getsockname()[1]}", accepted)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in accepted:
                connection.close()


def closed_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
