"""A forwarding proxy: CONNECT for https, and every name leads to this machine."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socketserver import BaseRequestHandler

from tests.support.loopback_server import LoopbackServer, serving


@dataclass(frozen=True)
class ForwardProxy:
    """Where it listens, and what it was asked for.

    :param targets: "host:port" of every CONNECT, in their order.
    """

    address: str
    targets: list[str]


@contextmanager
def forward_proxy(password: str = "") -> Iterator[ForwardProxy]:
    """Forward while the block runs.

    :param password: of the user ``user``; without it nobody is asked who they are.
    """
    targets: list[str] = []
    wanted = "Basic " + base64.b64encode(f"user:{password}".encode()).decode()

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            head = _read_head(self.request)
            if not head:
                return  # The client looked whether somebody listens.
            method, target, _ = head.split("\r\n", 1)[0].split(" ")
            if method != "CONNECT":
                self.request.sendall(b"HTTP/1.1 405 Only CONNECT\r\n\r\n")
                return
            targets.append(target)
            if password and f"\r\nProxy-Authorization: {wanted}\r\n" not in head:
                self.request.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            port = int(target.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as upstream:
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pump, args=(upstream, self.request))
                back.start()
                _pump(self.request, upstream)
                back.join()

    with serving(LoopbackServer(Handler)) as server:
        yield ForwardProxy(f"127.0.0.1:{server.port}", targets)


def _read_head(connection: socket.socket) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        # One byte at a time: what comes behind the head is the target's.
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    return head.decode("latin-1")


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(1 << 16):
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
