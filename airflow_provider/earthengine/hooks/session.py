"""The Earth Engine session of this process. There is only one, because ``ee`` keeps it in a global.

Callers hold the session while they use it; it switches to another connection only when nobody does.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.transport.answers import reading_answer
from airflow_provider.earthengine.download.transport.redaction import install_secrets_filter
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.download.usage import Meter
from airflow_provider.earthengine.exceptions import ConnectionConfigError
from airflow_provider.earthengine.hooks.connection_config import ConnectionConfig
from airflow_provider.earthengine.hooks.credentials import load_login
from airflow_provider.earthengine.hooks.translation import translated
from airflow_provider.earthengine.hooks.transport import BEFORE_REQUEST, METER, Transport

T = TypeVar("T")

# The functions that downloads use, and their arguments.
_FUNCTIONS = {
    "Image.load": {"id"},
    "Image.select": {"input", "bandSelectors"},
    "Image.addBands": {"dstImg", "srcImg"},
    "Image.clip": {"input", "geometry"},
    "Image.clipToBoundsAndScale": {"input", "geometry", "width", "height", "scale"},
    "Image.reproject": {"image", "crs", "crsTransform"},
    "Image.setDefaultProjection": {"image", "crs", "crsTransform"},
    "Projection": {"crs"},
}


@dataclass(frozen=True)
class SessionSettings:
    """The settings that a session is opened with; equal settings share a session.

    :param deadline_seconds: the longest silence of the server while it computes.
    """

    config: ConnectionConfig
    deadline_seconds: float


class _ProcessSession:
    def __init__(self) -> None:
        self.start_afresh()

    def start_afresh(self) -> None:
        """Forget the session and all holders."""
        self._changed = threading.Condition()
        self._holders = 0
        self._settings: SessionSettings | None = None
        self._transport: Transport | None = None

    @contextmanager
    def hold(self, settings: SessionSettings) -> Iterator[Any]:
        """Yield the ``ee`` module with the session of these settings; open it if needed.

        :raises EarthEngineProviderError: if it cannot be opened; no session is left then.
        """
        import ee

        with self._changed:
            self._changed.wait_for(lambda: self._holders == 0 or self._is_open(ee, settings))
            if not self._is_open(ee, settings):
                self._open(ee, settings)
            self._holders += 1
        try:
            yield ee
        finally:
            with self._changed:
                self._holders -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Close the session, once nobody holds it."""
        import ee

        with self._changed:
            self._changed.wait_for(lambda: self._holders == 0)
            self._close(ee)

    def interrupt(self) -> None:
        """Interrupt every request in flight; takes no lock, so it is safe in a signal handler."""
        transport = self._transport
        if transport is not None:
            transport.interrupt()

    def _is_open(self, ee: Any, settings: SessionSettings) -> bool:
        # Other code may have called ee.Reset.
        return self._settings == settings and bool(ee.data.is_initialized())

    def _open(self, ee: Any, settings: SessionSettings) -> None:
        self._close(ee)
        install_secrets_filter()
        config = settings.config
        action = f"open a session for connection {config.conn_id!r}"
        with translated(action, refused=ConnectionConfigError):
            login = load_login(config)
            self._transport = Transport(config.endpoint_url, settings.deadline_seconds)
            # The client's own retries ignore Retry-After, and would multiply ours.
            ee.data.setMaxRetries(0)
            _skip_catalog_of_deprecated_assets(ee)
            try:
                ee.Initialize(
                    login.credentials,
                    url=config.endpoint_url,
                    project=login.project,
                    http_transport=self._transport,
                )
                _check_functions(ee)
            except BaseException:
                # A client that failed halfway reports itself as initialised.
                self._close(ee)
                raise
        self._settings = settings

    def _close(self, ee: Any) -> None:
        self._settings = None
        ee.Reset()
        if self._transport is not None:
            self._transport.close()
            self._transport = None


def _check_functions(ee: Any) -> None:
    """Raise unless the endpoint lists the functions that downloads use.

    The client accepts any list of functions, even that of an empty answer. It then requests the
    list again for each function, and fails where one is called.

    :raises ServiceUnavailableError: if a function is missing, or lacks an argument.
    """
    signatures = ee.ApiFunction.allSignatures()
    with reading_answer("its functions"):
        for name, arguments in _FUNCTIONS.items():
            listed = Foreign(signatures.get(name), name).at("args")
            if not arguments <= {argument.at("name").text() for argument in listed.items()}:
                listed.refuse(f"a list with {', '.join(sorted(arguments))}")


def _skip_catalog_of_deprecated_assets(ee: Any) -> None:
    """Keep ``ee.Initialize`` from fetching a catalog that it only uses for warnings.

    It is fetched from storage.googleapis.com, a different host from the connection's, without a
    timeout: behind a firewall that drops packets, it hangs forever. It is not fetched if there
    already is a catalog; the one entry here is not the name of any asset. Remove this once the
    fetch has a timeout or an option. Source:
    https://github.com/google/earthengine-api, ``python/ee/deprecation.py``,
    ``InitializeDeprecatedAssets``, release 1.7.50.
    """
    ee.deprecation.deprecated_assets = {"": None}


SESSION = _ProcessSession()

# A forked child has neither the threads that hold the session nor its own connections.
os.register_at_fork(after_in_child=SESSION.start_afresh)


def run_in_session(
    operation: Callable[[Any], T],
    settings: SessionSettings,
    policy: RetryPolicy,
    before_request: Callable[[], None],
    meter: Meter,
) -> T:
    """Return the operation's result for the ``ee`` module; open, hold and retry as needed.

    :param before_request: called before each request; may raise.
    :param meter: counts the requests.
    """

    def attempt() -> T:
        # Held per try, not during waits, when a hook of another connection may take it.
        with meter.counting_refusals(), SESSION.hold(settings) as client:
            return operation(client)

    token, counting = BEFORE_REQUEST.set(before_request), METER.set(meter)
    try:
        return policy.run(attempt)
    finally:
        BEFORE_REQUEST.reset(token)
        METER.reset(counting)
