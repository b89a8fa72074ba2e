"""HTTP connections: configured by the user's environment, and interruptible at any time.

A signal handler or another thread can stop a download: no request is started, and threads that wait
for a server are woken by closing their connections. A blocked read would otherwise last until the
server sends something.
"""

from __future__ import annotations

import os
import socket
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider.earthengine.download.transport.bounded_content import ACCEPTED_ENCODING
from airflow_provider.earthengine.exceptions import DownloadCancelledError


class Cancellation:
    """The cancellation of one download, shared by all its threads."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._interruptions: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """Stop the download: start no request, and interrupt those in flight."""
        self._cancelled.set()
        for interrupt in list(self._interruptions):
            interrupt()

    def call_when_cancelled(self, interrupt: Callable[[], None]) -> None:
        """Register ``interrupt()``, called on cancellation, possibly by a signal handler."""
        self._interruptions.append(interrupt)

    def check(self) -> None:
        """Raise if the download was cancelled.

        :raises DownloadCancelledError: if it was.
        """
        if self._cancelled.is_set():
            raise DownloadCancelledError("The download was cancelled.")

    def sleep(self, seconds: float) -> None:
        """Wait, unless the download is cancelled.

        :raises DownloadCancelledError: immediately when it is.
        """
        self._cancelled.wait(seconds)
        self.check()


def open_session(adapter: HTTPAdapter) -> requests.Session:
    """Return a session that uses the adapter's connections.

    Proxies and certificates come from the environment variables that ``requests`` reads
    (``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``), and from ``SSL_CERT_FILE``.
    """
    session = requests.Session()
    # OpenSSL and most programs read it, but requests does not; its own variables take precedence.
    session.verify = os.environ.get("SSL_CERT_FILE") or True
    # Otherwise an entry of ~/.netrc, even its default entry, replaces or adds credentials.
    session.auth = _leave_unchanged
    session.headers["Accept-Encoding"] = ACCEPTED_ENCODING
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _leave_unchanged(request: Any) -> Any:
    return request


class _Sockets:
    """The open sockets of an adapter."""

    def __init__(self) -> None:
        # Not the connections: they release their socket as soon as an answer starts.
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._interruptions = 0

    def connect(self, connection: Any, connect: Callable[[], None]) -> None:
        """Connect; shut the socket down at once if it was interrupted in the meantime."""
        interruptions = self._interruptions
        connect()
        self._open.add(connection.sock)
        if interruptions != self._interruptions:
            _shut_down(connection.sock)

    def limit_silence(self, seconds: float) -> None:
        """Set the timeout of reads and writes until the next request on the connection."""
        for sock in list(self._open):
            with suppress(OSError):  # It may be closed already.
                sock.settimeout(seconds)

    def close(self) -> None:
        """Close all sockets."""
        for sock in list(self._open):
            sock.close()

    def interrupt(self) -> None:
        """Shut down all sockets, including those that are just connecting."""
        self._interruptions += 1
        for sock in list(self._open):
            _shut_down(sock)


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # It may be closed already, which is fine.
        sock.shutdown(socket.SHUT_RDWR)


class InterruptibleAdapter(HTTPAdapter):
    """Connections of a ``requests`` session that can be interrupted during a read."""

    def __init__(self, **options: Any) -> None:
        self._sockets = _Sockets()
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create pools whose sockets are tracked."""
        super().init_poolmanager(*args, **kwargs)
        self._know_sockets_of(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Return a proxy's pools, whose sockets are tracked too."""
        manager = super().proxy_manager_for(*args, **kwargs)
        self._know_sockets_of(manager)
        return manager

    def interrupt(self) -> None:
        """Interrupt every connection; reads and writes in progress fail at once."""
        self._sockets.interrupt()

    def limit_silence(self, seconds: float) -> None:
        """Shorten the read timeout of answers that have started.

        The next request on a connection sets its own timeout again.
        """
        self._sockets.limit_silence(seconds)

    def close(self) -> None:
        """Close all connections now.

        urllib3 closes idle ones when their pool is garbage-collected, which an error's traceback
        can delay. Source: https://github.com/urllib3/urllib3, ``connectionpool.py``,
        ``weakref.finalize``, release 2.8.
        """
        super().close()
        self._sockets.close()

    def _know_sockets_of(self, manager: Any) -> None:
        sockets = self._sockets

        class KnownHTTPConnection(HTTPConnection):
            def connect(self) -> None:
                sockets.connect(self, super().connect)

        class KnownHTTPSConnection(HTTPSConnection):
            def connect(self) -> None:
                sockets.connect(self, super().connect)

        class KnownHTTPPool(HTTPConnectionPool):
            ConnectionCls = KnownHTTPConnection

        class KnownHTTPSPool(HTTPSConnectionPool):
            ConnectionCls = KnownHTTPSConnection

        manager.pool_classes_by_scheme = {"http": KnownHTTPPool, "https": KnownHTTPSPool}
