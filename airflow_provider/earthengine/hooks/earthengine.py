"""Airflow connection -> Earth Engine: the session, download ids, small computations.

This module knows nothing of rasters or buckets. DAG files import it on every parse, so ``ee`` and
Google's libraries are imported only when a connection is used.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.download.client import DownloadId, read_download_id
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.download.usage import Meter
from airflow_provider.earthengine.exceptions import (
    DownloadCancelledError,
    DownloadParamsError,
    EarthEngineProviderError,
    RequestRejectedError,
)
from airflow_provider.earthengine.hooks.connection_config import (
    ConnectionConfig,
    read_connection,
)
from airflow_provider.earthengine.hooks.connection_form import form_behaviour, form_widgets
from airflow_provider.earthengine.hooks.connection_trial import advice, compute_one
from airflow_provider.earthengine.hooks.keys import secrets_of
from airflow_provider.earthengine.hooks.lineage import report_computation
from airflow_provider.earthengine.hooks.session import SESSION, SessionSettings, run_in_session
from airflow_provider.earthengine.hooks.translation import translated

if TYPE_CHECKING:
    import ee

__all__ = ["DownloadId", "EarthEngineHook", "RetryPolicy"]

T = TypeVar("T")
DownloadIdCallback = Callable[[DownloadId | None, Exception | None], object]

CALLBACK_THREADS = 8
TEST_SECONDS = 15.0
# The server itself gives up after five minutes; wait for its answer.
DEADLINE_SECONDS = limits.MAX_REQUEST_SECONDS + 30.0

_API_VERSION = "v1"


class EarthEngineHook(BaseHook):
    """A session of Earth Engine, as an Airflow connection describes it.

    A process has one session, regardless of the number of hooks, because ``ee`` keeps it in a
    global. Hooks of one connection share it, even across threads; a hook of another connection
    replaces it as soon as no call is in progress. Code that calls ``ee.Initialize`` itself replaces
    it for all.

    :param earthengine_conn_id: a connection of type ``earthengine``, or an existing one of type
        ``google_cloud_platform``.
    :param retry_policy: for every request, including those that open the session.
    :param deadline_seconds: the longest silence of the server while it computes.
    :param workload_tag: the tag of this hook's requests in Earth Engine's usage reports.
    """

    conn_name_attr = "earthengine_conn_id"
    default_conn_name = "earthengine_default"
    conn_type = "earthengine"
    hook_name = "Google Earth Engine"
    reports_lineage = True
    """Whether what is read through this hook is an input of the task that uses it."""

    def __init__(
        self,
        earthengine_conn_id: str = default_conn_name,
        *,
        retry_policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen, so it can be shared
        deadline_seconds: float = DEADLINE_SECONDS,
        workload_tag: str = "",
    ) -> None:
        super().__init__()
        self.earthengine_conn_id = earthengine_conn_id
        self.retry_policy = retry_policy
        self.deadline_seconds = deadline_seconds
        self.workload_tag = workload_tag
        self.meter = Meter()
        self._pool: ThreadPoolExecutor | None = None
        self._pool_lock = threading.Lock()
        self._is_interrupted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait until every callback has been called. The process's session stays open."""
        with self._pool_lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True)

    @cached_property
    def config(self) -> ConnectionConfig:
        """The connection's configuration.

        :raises ConnectionConfigError: if it cannot be used.
        """
        config = read_connection(
            self.earthengine_conn_id, self.get_connection(self.earthengine_conn_id)
        )
        if config.key_text:
            # Not in the compatibility layer for Airflow 3.1; all versions have it here.
            from airflow.sdk.log import mask_secret

            for secret in secrets_of(json.loads(config.key_text, strict=False)):
                mask_secret(secret)
        return config

    def trying_once(self) -> EarthEngineHook:
        """Return a hook of the same session that sends each request once.

        It is for callers that retry themselves.
        """
        once = EarthEngineHook(
            self.earthengine_conn_id,
            retry_policy=dataclasses.replace(self.retry_policy, attempts=1),
            deadline_seconds=self.deadline_seconds,
            workload_tag=self.workload_tag,
        )
        once.meter, once.reports_lineage = self.meter, False
        return once

    def interrupt(self) -> None:
        """Interrupt the requests in flight, and send no more for this hook.

        It is safe in signal handlers, such as an operator's ``on_kill``.
        """
        # Not an Event: setting one takes a lock, which the interrupted thread may hold.
        self._is_interrupted = True
        SESSION.interrupt()

    def _check_interruption(self) -> None:
        if self._is_interrupted:
            raise DownloadCancelledError("The requests to Earth Engine were interrupted.")

    def get_conn(self) -> ModuleType:
        """Return the ``ee`` module, initialised for this connection.

        :raises EarthEngineProviderError: if the session cannot be opened.
        """
        client: ModuleType = self._run(lambda client: client)
        return client

    @overload
    def get_download_id(self, params: Mapping[str, Any], callback: None = None) -> DownloadId: ...

    @overload
    def get_download_id(self, params: Mapping[str, Any], callback: DownloadIdCallback) -> None: ...

    def get_download_id(
        self, params: Mapping[str, Any], callback: DownloadIdCallback | None = None
    ) -> DownloadId | None:
        """Return a download id; with a callback, return None at once and call it later.

        :param params: those of ``ee.data.getDownloadId``, with an ``ee.Image`` as ``image``. Not
            modified.
        :param callback: called as ``callback(download_id, error)`` from a thread of this hook;
            exactly one of the two is None. :meth:`close` waits for it.
        :raises DownloadParamsError: if the client refuses the parameters.
        """
        # Read here: connections can be read only in the task's own thread.
        settings = self._settings()
        if callback is None:
            return self._create_download_id(params, settings)
        with self._pool_lock:
            self._pool = self._pool or ThreadPoolExecutor(
                CALLBACK_THREADS, thread_name_prefix="earthengine-download-id"
            )
            self._pool.submit(self._call_back, callback, params, settings)
        return None

    def make_download_url(self, download_id: DownloadId) -> str:
        """Return the URL of the pixels, as ``ee.data.makeDownloadUrl`` does; sends no request.

        The URL is a capability: for about two hours, anyone who has it can fetch the pixels.
        """
        return f"{self.config.endpoint_url}/{_API_VERSION}/{download_id.docid}:getPixels"

    def compute_value(self, obj: ee.ComputedObject) -> Any:
        """Return the value of an object, computed by Earth Engine.

        :raises EarthEngineProviderError: if the computation fails.
        """

        def compute(client: Any) -> Any:
            with translated("compute a value", refused=RequestRejectedError):
                return client.data.computeValue(obj)

        value = self._run(compute)
        self._report(obj)
        return value

    def _report(self, computed: Any) -> None:
        """Report the assets that a computation has read to Airflow's hook lineage."""
        if self.reports_lineage:
            report_computation(self, computed)

    def test_connection(self) -> tuple[bool, str]:
        """Return whether Earth Engine computes a value; if not, what is wrong and what to do."""
        once = dataclasses.replace(self.retry_policy, attempts=1)
        try:
            # Only a computation shows whether the project can be used.
            self._run(compute_one, policy=once, settings=self._settings(TEST_SECONDS))
        except AirflowNotFoundException:
            return False, f"The connection {self.earthengine_conn_id!r} does not exist; create it."
        except EarthEngineProviderError as error:
            return False, f"{error}{advice(error)}"
        return True, f"Earth Engine at {self.config.endpoint_url} answers."

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the fields of Airflow 3.1's connection form; later versions read provider_info."""
        return form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the fields that Airflow 3.1's form hides; later versions read provider_info."""
        return form_behaviour()

    def _settings(self, deadline_seconds: float | None = None) -> SessionSettings:
        return SessionSettings(self.config, deadline_seconds or self.deadline_seconds)

    def _run(
        self,
        operation: Callable[[Any], T],
        *,
        policy: RetryPolicy | None = None,
        settings: SessionSettings | None = None,
    ) -> T:
        """Return the operation's result for the ``ee`` module; open, hold and retry as needed."""
        return run_in_session(
            self._tagged(operation),
            settings or self._settings(),
            policy or self.retry_policy,
            self._check_interruption,
            self.meter,
        )

    def _tagged(self, operation: Callable[[Any], T]) -> Callable[[Any], T]:
        def tagged(client: Any) -> T:
            # The client keeps it next to the session, for the whole process.
            client.data.setWorkloadTag(self.workload_tag)
            return operation(client)

        return tagged

    def _create_download_id(
        self, params: Mapping[str, Any], settings: SessionSettings
    ) -> DownloadId:
        def create(client: Any) -> DownloadId:
            with translated("create a download id", refused=DownloadParamsError):
                answer = client.data.getDownloadId(dict(params))
            return read_download_id(answer)

        created = self._run(create, settings=settings)
        self._report(params.get("image"))
        return created

    def _call_back(
        self,
        callback: DownloadIdCallback,
        params: Mapping[str, Any],
        settings: SessionSettings,
    ) -> None:
        download_id: DownloadId | None = None
        error: Exception | None = None
        try:
            download_id = self._create_download_id(params, settings)
        except Exception as failure:  # noqa: BLE001 - it is passed to the callback
            error = failure
        try:
            callback(download_id, error)
        except Exception:
            # The future is never read: without this line the failure would be silent.
            self.log.exception("A callback of get_download_id failed.")
            raise
