"""How a download is stopped from outside: by a signal handler, or by another thread.

Nothing new is begun, and whoever waits for a server is woken by the end of its connection: a read
that is under way would otherwise last until the server says something.
"""

from __future__ import annotations

import socket
import threading
import weakref
from contextlib import suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider.earthengine.exceptions import DownloadCancelledError


class Cancellation:
    """One download's stop, for all who work on it."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._adapters: list[InterruptibleAdapter] = []

    def cancel(self) -> None:
        """Stop the download: no new request, and the end of those under way."""
        self._cancelled.set()
        for adapter in list(self._adapters):
            adapter.interrupt()

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

    def adapter(self, **options: Any) -> InterruptibleAdapter:
        """Return an adapter for a ``requests`` session, whose connections end with the download."""
        adapter = InterruptibleAdapter(**options)
        self._adapters.append(adapter)
        return adapter


class InterruptibleAdapter(HTTPAdapter):
    """Connections of a ``requests`` session that can be ended while somebody reads from them."""

    def __init__(self, **options: Any) -> None:
        # Not the connections: one lets go of its socket as soon as an answer has begun.
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
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
        for sock in list(self._sockets):
            with suppress(OSError):  # It may be closed already, which is what is wanted.
                sock.shutdown(socket.SHUT_RDWR)

    def _know_sockets_of(self, manager: Any) -> None:
        sockets = self._sockets

        class KnownHTTPConnection(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                sockets.add(self.sock)

        class KnownHTTPSConnection(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                sockets.add(self.sock)

        class KnownHTTPPool(HTTPConnectionPool):
            ConnectionCls = KnownHTTPConnection

        class KnownHTTPSPool(HTTPSConnectionPool):
            ConnectionCls = KnownHTTPSConnection

        manager.pool_classes_by_scheme = {"http": KnownHTTPPool, "https": KnownHTTPSPool}
