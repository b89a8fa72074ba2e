"""A server that stands before an S3 server, passes everything on, and remembers what was asked.

With a certificate it speaks TLS, as real stores do; there the S3 client puts checksums behind a
body instead of before it. Requests are passed on as they came: their signatures stay valid.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.loopback_server import LoopbackServer, QuietHandler, serving

_OF_THE_CONNECTION = frozenset({"connection", "transfer-encoding", "expect"})


@dataclass(frozen=True)
class S3Request:
    """One request as it came.

    :param headers: by their lower-case names.
    """

    method: str
    target: str
    headers: dict[str, str]

    @property
    def operation(self) -> str:
        """The name that AWS gives to it."""
        query = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        if "uploadId" in query:
            return {"PUT": "UploadPart", "POST": "CompleteMultipartUpload",
                    "DELETE": "AbortMultipartUpload"}[self.method]  # fmt: skip
        if "uploads" in query:
            return "CreateMultipartUpload"
        if "list-type" in query:
            return "ListObjectsV2"
        if "delete" in query:
            return "DeleteObjects"
        return f"{self.method.capitalize()}Object"


Refuse = Callable[[S3Request], tuple[int, str] | None]
"""What makes the relay answer a request itself: a status and S3's name of the error, or None."""


@dataclass(frozen=True)
class S3Relay:
    """A running relay.

    :param requests: every request so far, in order.
    """

    url: str
    requests: list[S3Request] = field(default_factory=list)

    @property
    def operations(self) -> set[str]:
        return {request.operation for request in self.requests}


@contextmanager
def s3_relay_to(
    url: str,
    *,
    context: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    refuse: Refuse = lambda _: None,
) -> Iterator[S3Relay]:
    """Serve on a free loopback port while the block runs.

    :param url: what is asked is asked again of this server.
    :param context: of TLS.
    :param host: the name that clients know it by.
    """
    requests: list[S3Request] = []

    class Handler(QuietHandler):
        def _pass_on(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = S3Request(self.command, self.path, headers)
            requests.append(request)
            if refusal := refuse(request):
                status, code = refusal
                body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
                self._answer(status, {"Content-Type": "application/xml"}, body)
            else:
                self._answer(*ask(url, request, content))

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            is_head = self.command == "HEAD"
            self.send_response_only(status)
            for name, value in headers.items():
                if is_head or name.lower() != "content-length":
                    self.send_header(name, value)
            if not is_head:
                self.send_header("Content-Length", str(len(body)))
                body = b"" if status == http.client.NO_CONTENT else body
            self.end_headers()
            self.wfile.write(b"" if is_head else body)

    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._pass_on)
    scheme = "http" if context is None else "https"
    server = LoopbackServer(Handler)
    if context is not None:
        # The handshake is left to the thread that answers: it must not hold up the others.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    with serving(server):
        yield S3Relay(f"{scheme}://{host}:{server.port}", requests)


def ask(url: str, request: S3Request, content: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer to a request, asked again of a server."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.items():
        if name not in _OF_THE_CONNECTION:
            connection.putheader(name, value)
    connection.endheaders(content)
    answer = connection.getresponse()
    try:
        headers: dict[str, Any] = {
            name: value for name, value in answer.getheaders()
            if name.lower() not in _OF_THE_CONNECTION
        }  # fmt: skip
        return answer.status, headers, answer.read()
    finally:
        connection.close()
