"""Run the emulator on its own socket: the context manager for tests and for the program."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from airflow_provider.earthengine.emulator.access.identities import Identities
from airflow_provider.earthengine.emulator.access.quotas import Quotas
from airflow_provider.earthengine.emulator.api.admin import put_asset
from airflow_provider.earthengine.emulator.api.downloads import Encoding
from airflow_provider.earthengine.emulator.api.journal import LoggedRequest
from airflow_provider.earthengine.emulator.api.routes import Service, Settings
from airflow_provider.earthengine.emulator.catalog.catalog import Catalog
from airflow_provider.earthengine.emulator.catalog.read_catalog import read_catalog
from airflow_provider.earthengine.emulator.faults.armed import (
    ArmedFault,
    Fault,
    Faults,
    UnfiredFaultError,
)

_SHUTDOWN_SECONDS = 3
_START_SECONDS = 30


class _QuietProtocol(H11Protocol):
    """HTTP without an access log, whose lines would contain download ids.

    uvicorn's own switch has no effect if a program configures logging later, as Airflow does.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # asyncio does this itself only for sockets that were created with the protocol's number;
        # without it, every answer on a kept connection waits 40 ms for an acknowledgement.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # For faults, which end connections in ways that no application should.
        self.app_state = {**self.app_state, "transport": transport}

    def shutdown(self) -> None:
        super().shutdown()
        # Otherwise it waits in vain for a client that left without closing TLS.
        if self.scheme == "https" and self.conn.our_state is h11.CLOSED:
            self.transport.abort()


@dataclass(frozen=True)
class Address:
    """Where to listen; port 0 chooses a free one."""

    host: str = "127.0.0.1"
    port: int = 0


@dataclass(frozen=True)
class Tls:
    """The files (PEM) to serve https with."""

    certfile: Path
    keyfile: Path

    def check(self) -> None:
        """Load both once, before the server's thread would fail with them.

        :raises OSError: if a file cannot be read, or they are no certificate and its key.
        """
        for path in (self.certfile, self.keyfile):
            path.open("rb").close()  # names the file if it cannot be read; ssl does not
        try:
            # Without a password, OpenSSL would ask for that of an encrypted key on the terminal.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certfile, self.keyfile, password="")
        except (ssl.SSLError, ValueError) as error:
            raise OSError(
                f"{self.certfile} and {self.keyfile} are not a certificate and its private key, "
                f"both PEM and unencrypted: {error}"
            ) from None


class Emulator:
    """A running emulator.

    :param url: the URL for clients to use as Earth Engine's, without a trailing slash.
    :param faults: the armed faults; see :meth:`fault`.
    """

    def __init__(self, url: str, service: Service) -> None:
        self.url = url
        self.faults: Faults = service.faults
        self._journal = service.journal
        self._catalog = service.catalog

    @property
    def requests(self) -> list[LoggedRequest]:
        """The answered requests, in order."""
        return self._journal.requests()

    def requests_for(self, asset_id: str) -> list[LoggedRequest]:
        """Return the answered requests that read an asset, in order."""
        return self._journal.requests(asset_id)

    def counts(self, asset_id: str | None = None) -> dict[str, int]:
        """Return the number of answered requests per operation.

        :param asset_id: only of those that read this asset; None for all.
        """
        return self._journal.counts(asset_id)

    @property
    def most_at_once(self) -> int:
        """The largest number of requests in flight at the same time since the last clearing."""
        return self._journal.most_at_once()

    def clear_requests(self) -> None:
        """Forget the requests that have arrived so far, also those that are not answered yet."""
        self._journal.clear()

    def put_asset(self, description: Mapping[str, Any]) -> None:
        """Add a described asset, or replace the one with the same id.

        :raises CatalogError: if the description is wrong; names the first wrong field.
        """
        put_asset(self._catalog, description)

    def remove_asset(self, asset_id: str) -> None:
        """Remove an asset.

        :raises KeyError: if it does not exist.
        """
        if not self._catalog.remove(asset_id):
            raise KeyError(asset_id)

    @contextmanager
    def restored_assets(self) -> Iterator[None]:
        """Undo, at the end of the block, its changes to the catalog."""
        before = self._catalog.now()
        try:
            yield
        finally:
            self._catalog.restore(before)

    @contextmanager
    def fault(
        self, operation: str, fault: Fault, times: int = 1, skip: int = 0
    ) -> Iterator[ArmedFault]:
        """Let a fault happen to requests of an operation in the block.

        :param times: to how many requests.
        :param skip: how many requests are spared first.
        :raises UnfiredFaultError: at the end of the block, if it has not happened that often.
        """
        armed = self.faults.arm(operation, fault, times, skip)
        try:
            yield armed
        finally:
            self.faults.disarm(armed)
        if armed.remaining:
            raise UnfiredFaultError(str(armed))


@contextmanager
def serve(
    catalog: Path | None,
    project: str = "demo",
    require_auth: bool = False,
    *,
    service_accounts: Mapping[str, str] | None = None,
    identities: Identities | None = None,
    clock: Callable[[], float] = time.time,
    address: Address | None = None,
    tls: Tls | None = None,
    admin_token: str | None = None,
    quotas: Quotas | None = None,
    encoding: Encoding | None = None,
) -> Iterator[Emulator]:
    """Serve a catalog while the block runs.

    :param catalog: the directory of descriptions; None for an empty catalog.
    :param project: the one project that callers may use.
    :param require_auth: whether requests without credentials are refused.
    :param service_accounts: public keys (PEM) by e-mail, in addition to the catalog's own.
    :param identities: additional accounts, users and pools.
    :param clock: seconds since 1970; download ids and tokens expire by it.
    :param tls: the certificate to serve https with; None for http.
    :param admin_token: the token that clients on other machines need for the admin routes; None to
        refuse them there.
    :param quotas: the project's quotas; None for no limits.
    :param encoding: how bodies are written; None for the real service's way.
    :raises CatalogError: if the catalog is wrong; names the file and the field.
    :raises OSError: if the emulator cannot listen on the address, or not read the certificate.
    """
    known = Identities(service_accounts or {}).joined(identities or Identities())
    limits, form = quotas or Quotas(), encoding or Encoding()
    settings = Settings(
        _catalog(catalog, known), project, require_auth, clock, admin_token, limits, form
    )
    with _listening(Service(settings), address or Address(), tls) as emulator:
        yield emulator


@contextmanager
def _listening(service: Service, place: Address, tls: Tls | None) -> Iterator[Emulator]:
    if tls is not None:
        tls.check()
    with socket.create_server((place.host, place.port)) as listener:
        port = listener.getsockname()[1]
        scheme = "https" if tls else "http"
        with _running(service, listener, tls):
            yield Emulator(f"{scheme}://{place.host}:{port}", service)


def _catalog(directory: Path | None, known: Identities) -> Catalog:
    """Return the catalog of a directory, with additional identities."""
    catalog = read_catalog(directory) if directory is not None else Catalog()
    return replace(catalog, identities=catalog.identities.joined(known))


@contextmanager
def _running(service: Service, listener: socket.socket, tls: Tls | None) -> Iterator[None]:
    """Run the HTTP server in a thread; stop and join it at the end."""
    config = uvicorn.Config(
        service.application(),
        # Never uvloop, even if installed: it leaves sockets of failed handshakes open.
        loop="asyncio",
        http=_QuietProtocol,
        lifespan="off",
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        ssl_certfile=tls.certfile if tls else None,
        ssl_keyfile=tls.keyfile if tls else None,
    )
    server = uvicorn.Server(config)
    service.host.close_door = partial(_close_door, server, listener.getsockname()[:2])
    thread = threading.Thread(
        target=server.run, args=([listener],), name="earth-engine-emulator", daemon=True
    )
    thread.start()
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the emulator's HTTP server did not start")
        time.sleep(0.005)
    try:
        yield
    finally:
        service.host.is_stopping = True
        server.should_exit = True
        thread.join(_SHUTDOWN_SECONDS + 5)


def _close_door(server: uvicorn.Server, address: tuple[str, int], seconds: float) -> None:
    """Stop listening, and listen again after a time; called in the server's event loop."""
    loop = asyncio.get_running_loop()
    for listening in server.servers:
        listening.close()

    async def reopen() -> None:
        await asyncio.sleep(seconds)
        if not server.should_exit:
            await server.startup([socket.create_server(address)])

    server.server_state.tasks.add(task := loop.create_task(reopen()))
    task.add_done_callback(server.server_state.tasks.discard)
