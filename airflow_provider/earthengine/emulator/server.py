"""Runs the emulator on a socket of its own: the context manager for tests, and for the program."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from airflow_provider.earthengine.emulator.catalog import Catalog, read_catalog
from airflow_provider.earthengine.emulator.journal import LoggedRequest
from airflow_provider.earthengine.emulator.routes import Service, Settings

_SHUTDOWN_SECONDS = 3
_START_SECONDS = 30


class _QuietProtocol(H11Protocol):
    """HTTP without an access log, whose lines would hold the ids of downloads.

    uvicorn's own switch is undone by a program that configures logging after it, as Airflow does.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False


@dataclass(frozen=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0


class Emulator:
    """A running emulator.

    :param url: what clients take as Earth Engine's URL, without a slash at its end.
    """

    def __init__(self, url: str, service: Service) -> None:
        self.url = url
        self._journal = service.journal

    @property
    def requests(self) -> list[LoggedRequest]:
        """The requests that were answered, in their order."""
        return self._journal.requests()

    def counts(self) -> dict[str, int]:
        """Returns the number of answered requests per operation."""
        return self._journal.counts()

    def clear_requests(self) -> None:
        """Forgets the requests that were answered so far."""
        self._journal.clear()


@contextmanager
def serve(
    catalog: Path | None,
    project: str = "demo",
    require_auth: bool = False,
    *,
    service_accounts: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
    address: Address | None = None,
) -> Iterator[Emulator]:
    """Serves a catalogue while the block runs.

    :param catalog: the directory of descriptions; None for an empty catalogue.
    :param project: the one project that callers may use.
    :param require_auth: whether requests without credentials are refused.
    :param service_accounts: public keys (PEM) by e-mail, besides the catalogue's own.
    :param clock: seconds since 1970; download ids and tokens expire by it.
    :raises CatalogError: naming the file and the field of a mistake in the catalogue.
    :raises OSError: where the address cannot be listened on.
    """
    assets = read_catalog(catalog) if catalog is not None else Catalog()
    keys = {**assets.public_keys, **(service_accounts or {})}
    settings = Settings(replace(assets, public_keys=keys), project, require_auth, clock)
    service = Service(settings)
    place = address or Address()
    with socket.create_server((place.host, place.port)) as listener:
        port = listener.getsockname()[1]
        with _running(service, listener):
            yield Emulator(f"http://{place.host}:{port}", service)


@contextmanager
def _running(service: Service, listener: socket.socket) -> Iterator[None]:
    """Runs the HTTP server in a thread; it is stopped and joined at the end."""
    config = uvicorn.Config(
        service.application(),
        http=_QuietProtocol,
        lifespan="off",
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(config)
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
        server.should_exit = True
        thread.join(_SHUTDOWN_SECONDS + 5)
