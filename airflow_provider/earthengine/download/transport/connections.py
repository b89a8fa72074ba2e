"""HTTP connections: opened as the user's environment says, and ended from outside at any time.

A signal handler or another thread stops a download: nothing new is begun, and whoever waits for a
server is woken by the end of its connection. A read that is under way would otherwise last until
the server says something.
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

from airflow_provider.earthengine.exceptions import DownloadCancelledError


class Cancellation:
    """One download's stop, for all who work on it."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._interruptions: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """Stop the download: no new request, and the end of those under way."""
        self._cancelled.set()
        for interrupt in list(self._interruptions):
            interrupt()

    def call_when_cancelled(self, interrupt: Callable[[], None]) -> None:
        """Have ``interrupt()`` called, maybe by a signal handler, to end what is under way."""
        self._interruptions.append(interrupt)

    def check(self) -> None:
        """Raise if the download was cancelled.

        :raises DownloadCancelledError: always then.
        """
        if self._cancelled.is_set():
            raise DownloadCancelledError("The download was cancelled.")

    def sleep(self, seconds: float) -> None:
        """Wait, as long as the download is not cancelled.

        :raises DownloadCancelledError: at once when it is.
        """
        self._cancelled.wait(seconds)
        self.check()


def open_session(adapter: HTTPAdapter) -> requests.Session:
    """Return a session whose connections are the adapter's.

    Proxies and certificates are those that ``requests`` takes from the environment
    (``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``), and ``SSL_CERT_FILE``.
    """
    session = requests.Session()
    # What OpenSSL and most programs read, and requests does not; its own variables go first.
    session.verify = os.environ.get("SSL_CERT_FILE") or True
    # Otherwise an entry of ~/.netrc, its default entry too, replaces or adds credentials.
    session.auth = _leave_unchanged
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _leave_unchanged(request: Any) -> Any:
    return request


class _Sockets:
    """The open sockets of an adapter."""

    def __init__(self) -> None:
        # Not the connections: one lets go of its socket as soon as an answer has begun.
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._interruptions = 0

    def connect(self, connection: Any, connect: Callable[[], None]) -> None:
        """Make the connection, whose socket is ended at once if that was wanted meanwhile."""
        interruptions = self._interruptions
        connect()
        self._open.add(connection.sock)
        if interruptions != self._interruptions:
            _shut_down(connection.sock)

    def limit_silence(self, seconds: float) -> None:
        """Let reads and writes that wait longer fail, until the next request on the connection."""
        for sock in list(self._open):
            with suppress(OSError):  # It may be closed already.
                sock.settimeout(seconds)

    def close(self) -> None:
        """Close them all."""
        for sock in list(self._open):
            sock.close()

    def interrupt(self) -> None:
        """End them all, and those that are just being made."""
        self._interruptions += 1
        for sock in list(self._open):
            _shut_down(sock)


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # It may be closed already, which is what is wanted.
        sock.shutdown(socket.SHUT_RDWR)


class InterruptibleAdapter(HTTPAdapter):
    """Connections of a ``requests`` session that can be ended while somebody reads from them."""

    def __init__(self, **options: Any) -> None:
        self._sockets = _Sockets()
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make pools whose sockets are known here."""
        super().init_poolmanager(*args, **kwargs)
        self._know_sockets_of(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Return a proxy's pools, whose sockets are known here too."""
        manager = super().proxy_manager_for(*args, **kwargs)
        self._know_sockets_of(manager)
        return manager

    def interrupt(self) -> None:
        """End every connection; reads and writes under way fail at once."""
        self._sockets.interrupt()

    def limit_silence(self, seconds: float) -> None:
        """Let the read of an answer that has begun fail after a shorter silence.

        The next request on a connection sets its own limit again.
        """
        self._sockets.limit_silence(seconds)

    def close(self) -> None:
        """Close all connections now.

        urllib3 closes idle ones when their pool is collected, which an error's traceback can keep
        for long. Source: https://github.com/urllib3/urllib3, ``connectionpool.py``,
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
