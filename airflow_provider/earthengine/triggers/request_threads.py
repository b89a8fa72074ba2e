"""Blocking requests of triggers -> threads of their own, which never run out for anybody else.

The event loop's default threads serve every trigger of the process. A server that never answers
would take all of them.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from airflow_provider.earthengine.exceptions import FetchTimeoutError

T = TypeVar("T")

THREADS = 20
"""Of each connection; requests that find none free wait their turn.

Half of the 40 requests that a project may have in flight: the other half is left for downloads.
A poll takes about a second, so that 20 threads serve 1,000 waits that poll once a minute, which is
as many triggers as a triggerer runs by default. Sources:
https://developers.google.com/earth-engine/guides/usage ("concurrent requests") and
https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html (``[triggerer]
capacity``), both read 2026-11.
"""

_POOLS: dict[str, ThreadPoolExecutor] = {}
_POOLS_LOCK = threading.Lock()


async def run_request(
    conn_id: str,
    action: str,
    seconds: float,
    send: Callable[[float], T],
    interrupt: Callable[[], None],
) -> T:
    """Return the result of ``send(seconds_left)``, which runs in one of the connection's threads.

    :param action: what it does, to follow "Earth Engine could not".
    :param seconds: the longest that it may take, the wait for a thread included.
    :param interrupt: makes ``send`` end soon; called when its result is no longer wanted.
    :raises FetchTimeoutError: if it takes longer.
    """
    what = f"Earth Engine could not {action}"
    too_late = FetchTimeoutError(f"{what}: no answer within {seconds:.0f} s.")
    ends = time.monotonic() + seconds

    def run_in_time() -> T:
        left = ends - time.monotonic()
        if left <= 0:
            raise too_late
        return send(left)

    # As asyncio.to_thread does: Airflow finds a trigger's log by it.
    run = partial(contextvars.copy_context().run, run_in_time)
    future = asyncio.get_running_loop().run_in_executor(_pool_of(conn_id), run)
    try:
        # A request that still waits for a thread is not sent after it was cancelled.
        async with asyncio.timeout(seconds):
            return await future
    except TimeoutError:
        if future.done() and not future.cancelled():
            return future.result()  # It may raise a TimeoutError of its own.
        interrupt()
        raise too_late from None
    except asyncio.CancelledError:
        # Otherwise the thread keeps waiting, and the triggerer waits for the thread.
        interrupt()
        raise


def _pool_of(conn_id: str) -> ThreadPoolExecutor:
    """Return the threads of a connection: one whose server is silent holds up no other."""
    with _POOLS_LOCK:
        if conn_id not in _POOLS:
            _POOLS[conn_id] = ThreadPoolExecutor(THREADS, f"earthengine-trigger-{conn_id}")
        return _POOLS[conn_id]
