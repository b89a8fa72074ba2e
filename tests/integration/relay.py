"""A server that stands before another, passes everything on, and remembers what was asked of it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.loopback_server import LoopbackServer, QuietHandler, serving

# Headers of one connection, which are not passed on.
_OF_THE_CONNECTION = frozenset({"connection", "content-length", "host", "transfer-encoding"})


@dataclass(frozen=True)
class Relay:
    """A running relay.

    :param bodies: the JSON of every POST, with its path without the query, in order.
    """

    url: str
    bodies: list[tuple[str, Any]]

    def take(self, ending: str) -> list[Any]:
        """Return the bodies of the POSTs to paths with this ending, and forget all of them."""
        taken = [body for path, body in self.bodies if path.endswith(ending)]
        self.bodies.clear()
        return taken


@contextmanager
def relay_to(url: str) -> Iterator[Relay]:
    """Serve on a free loopback port while the block runs.

    :param url: what is asked is asked again of this server.
    """
    bodies: list[tuple[str, Any]] = []

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self._pass_on(None)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append((self.path.partition("?")[0], json.loads(content)))
            self._pass_on(content)

        def _pass_on(self, content: bytes | None) -> None:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _OF_THE_CONNECTION}
            request = urllib.request.Request(url + self.path, content, headers, method=self.command)
            try:
                answer = urllib.request.urlopen(request, timeout=30)
            except urllib.error.HTTPError as refused:
                answer = refused
            with answer:
                body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in _OF_THE_CONNECTION:
                        self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(LoopbackServer(Handler)) as server:
        yield Relay(f"http://127.0.0.1:{server.port}", bodies)
