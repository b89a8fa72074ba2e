"""A collection -> what an asset watcher's events say: its images as they come or are reprocessed.

Nothing is announced twice while the memory lasts, and nothing is lost: the memory is only written
at the next look, when Airflow has long stored the events of the last one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.catalog.image_query import (
    explain_refused_query,
    read_rows,
)
from airflow_provider.earthengine.catalog.query_expression import write_listing
from airflow_provider.earthengine.catalog.watching import (
    Memory,
    Window,
    compare,
    describe_images,
    first_memory,
    query_of,
    read_memory,
)
from airflow_provider.earthengine.download.fields.source import ListedImage
from airflow_provider.earthengine.exceptions import (
    AssetNotFoundError,
    EarthEngineProviderError,
    RequestRejectedError,
)
from airflow_provider.earthengine.one_line import one_line
from airflow_provider.earthengine.triggers.expression_clients import open_expression_client
from airflow_provider.earthengine.triggers.request_threads import run_request
from airflow_provider.earthengine.triggers.shared_polls import ask_together

# After a failed request, Airflow's or Earth Engine's, if the next look is not sooner.
_RETRY_SECONDS = 30.0
# An answer is as good as a new one until nearly the next look.
_SHARED_PART = 0.95
DEADLINE_SECONDS = limits.MAX_REQUEST_SECONDS + 30.0
FORGETFUL_SECONDS = 86_400.0
"""Without a memory, images that were ingested so shortly before the start count as new."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watch:
    """What is watched, and how often.

    :param fields: ``collection``, ``region`` and ``filters``, as the user wrote them.
    :param since: images ingested since then count as new at the first look; None: none do.
    :param poll_seconds: the interval between looks.
    """

    fields: Mapping[str, Any]
    window: Window
    since: datetime | None
    poll_seconds: float
    conn_id: str

    @property
    def question(self) -> str:
        """What is asked, and of whom: the same for watchers that can share an answer."""
        asked = {"conn_id": self.conn_id, **self._asked()}
        return json.dumps(asked, sort_keys=True, default=str)

    @property
    def memory_key(self) -> str:
        """The name of the memory; another question has another one."""
        text = json.dumps(self._asked(), sort_keys=True, default=str)
        return f"earthengine:images:{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def _asked(self) -> dict[str, Any]:
        moves = {"days": self.window.days} if self.window.start is None else {}
        return {**self.fields, "start": self.window.start, "end": self.window.end, **moves}


class MemoryStore:
    """Where Airflow keeps what was seen: with each asset of the watcher, since Airflow 3.3.

    :param accessors: those of the trigger's assets; None: this Airflow has none.
    """

    def __init__(self, accessors: Any, key: str) -> None:
        self._key = key
        # Watchers with equal fields are one trigger, which has an accessor for each of its assets.
        # It has no public list of them, and refuses to choose one.
        by_asset = (getattr(accessors, name, {}) for name in ("_by_name", "_by_uri"))
        found = [each for some in by_asset for each in some.values()]
        self._accessors = found or ([] if accessors is None else [accessors])

    @property
    def lasts(self) -> bool:
        """Whether there is a place for a memory."""
        return bool(self._accessors)

    async def load(self) -> Memory | None:
        """Return what was seen; None if nothing was."""
        for accessor in self._accessors:
            memory = read_memory(await accessor.aget(self._key))
            if memory is not None:
                return memory
        return None

    async def save(self, memory: Memory) -> None:
        for accessor in self._accessors:
            await accessor.aset(self._key, memory.to_json())


async def watch(what: Watch, store: MemoryStore) -> AsyncIterator[dict[str, Any]]:
    """Yield what the event of each look that finds new or reprocessed images says; never ends.

    Failures of any kind are logged, and the look is repeated: a trigger that ends is started again
    at once by Airflow, and would fail again.
    """
    memory = unsaved = None
    is_loaded, failure = False, ""
    while True:
        try:
            if unsaved is not None:
                await store.save(unsaved)
                unsaved = None
            if not is_loaded:
                memory, is_loaded = await store.load(), True
            images = await ask_together(
                what.question, what.poll_seconds * _SHARED_PART, partial(_ask, what)
            )
            if memory is None:
                # Saved at once: what comes next is new, even to another triggerer.
                memory = unsaved = await asyncio.to_thread(_start, what, store, images)
                continue
        except (EarthEngineProviderError, AirflowRuntimeError, OSError) as error:
            if str(error) != failure:
                log.warning("Watching %s: %s", what.fields["collection"], one_line(str(error)))
            failure = str(error)
            await asyncio.sleep(min(what.poll_seconds, _RETRY_SECONDS))
            continue
        failure = ""
        # Of a hundred thousand images, this takes longer than other triggers may be held up.
        new, after = await asyncio.to_thread(compare, images, memory)
        if new:
            # One event for all. Of several at once, Airflow's scheduler takes the first, and leaves
            # the others until there is another. Source: https://github.com/apache/airflow,
            # ``airflow-core/src/airflow/jobs/scheduler_job_runner.py``, release 3.3.2.
            yield describe_images(new)
            log.info("%d images of %s are new", len(new), what.fields["collection"])
        if after != memory:
            memory = unsaved = after
        await asyncio.sleep(what.poll_seconds)


def _start(what: Watch, store: MemoryStore, images: Sequence[ListedImage]) -> Memory:
    """Return what counts as seen where there is no memory."""
    since = what.since
    if not store.lasts:
        recent = datetime.now(UTC) - timedelta(seconds=FORGETFUL_SECONDS)
        since = recent if since is None else max(since, recent)
    return first_memory(images, since)


async def _ask(what: Watch) -> tuple[ListedImage, ...]:
    """Return the images that there are now, with one request."""
    client = await open_expression_client(what.conn_id)
    action = f"list the images of {what.fields['collection']}"

    def send(seconds_left: float) -> tuple[ListedImage, ...]:
        # Regions are settled with shapely, which is imported here and not in the event loop.
        query = query_of(what.fields, what.window, datetime.now(UTC))
        try:
            return read_rows(query, client.compute(write_listing(query), action, seconds_left))
        except (RequestRejectedError, AssetNotFoundError) as error:
            raise explain_refused_query(query, error) from None

    return await run_request(what.conn_id, action, DEADLINE_SECONDS, send, client.interrupt)
