"""The trigger of image collections: it watches one for an asset, or waits for the sensor.

It sends expressions with google-auth and in threads; it never opens a session of ``ee``, of which a
process can have only one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider.earthengine.catalog.watching import check_watched, read_window
from airflow_provider.earthengine.download.fields.values import (
    is_unset,
    read_number,
    read_text,
    read_time,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.triggers.image_wait import ImageCollectionWait
from airflow_provider.earthengine.triggers.image_watch import MemoryStore, Watch, watch


class WatchFieldError(DownloadParamsError, TypeError):
    """A watcher's field can never be right: the import error of its DAG file.

    It is also a TypeError: Airflow's triggerer outlives no other error of a trigger that it makes.
    """


class EarthEngineImageCollectionTrigger(BaseEventTrigger):
    """Watch a collection for an asset: an event whenever images are new or reprocessed.

    ::

        trigger = EarthEngineImageCollectionTrigger(
            collection="COPERNICUS/S2_SR_HARMONIZED",
            region=[-122.0859, 37.0436, -122.0626, 37.0586],
            filters={"CLOUDY_PIXEL_PERCENTAGE": {"lt": 20}},
        )
        scenes = Asset("scenes", watchers=[AssetWatcher(name="earthengine", trigger=trigger)])

    The extra of an event has a ``payload`` with ``images``, each with its ``key``, ``asset_id``,
    ``version``, ``update_time`` and ``start_time``, and ``download``, the fields of
    ``EarthEngineToS3Operator``. An image is announced at least once; if it is announced again, its
    ``key`` is the same. No field is rendered.

    With the sensor's own arguments it is the sensor's, and has a single event.

    :param collection: the asset id of an image collection.
    :param region: images intersect it: GeoJSON, ``[west, south, east, north]``, a ring, or the
        asset id of a table; None: everywhere.
    :param filters: conditions on properties, as of ``EarthEngineListImagesOperator``.
    :param start: images start at or after it; None: the window moves.
    :param end: images start before it; None: the window has no end.
    :param days: how long before the present a window without start begins.
    :param since: at the first look, images that were ingested since then count as new; None: what
        is there is not new.
    :param poll_seconds: the interval between requests, which watchers of the same images share.
    :param earthengine_conn_id: the Earth Engine connection.
    :param wait: the sensor's arguments.
    """

    def __init__(
        self,
        *,
        collection: str | None = None,
        region: Any = None,
        filters: Mapping[str, Any] | None = None,
        start: Any = None,
        end: Any = None,
        days: float = 30.0,
        since: Any = None,
        poll_seconds: float = 300.0,
        earthengine_conn_id: str = "earthengine_default",
        **wait: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow annotates little here
        self._wait: ImageCollectionWait | None = None
        if collection is None and wait:
            self._wait = ImageCollectionWait(
                poll_seconds=poll_seconds, earthengine_conn_id=earthengine_conn_id, **wait
            )
            # As any trigger of a task, and unlike those of assets.
            self.supports_triggerer_queue = True
            return
        if wait:
            raise WatchFieldError(
                f"A watcher has no field {', '.join(map(shown, wait))}.", field=next(iter(wait))
            )
        self._fields = {"collection": collection, "region": region, "filters": filters}
        self._times = {"start": start, "end": end, "days": days, "since": since}
        self._polling = {"poll_seconds": poll_seconds, "earthengine_conn_id": earthengine_conn_id}
        try:
            self._watch = self._read()
        except DownloadParamsError as error:
            raise WatchFieldError(error.message, **error.facts) from None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, without secrets, as JSON holds them."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        if self._wait is not None:
            return path, self._wait.arguments()
        given = {**self._fields, **self._times, **self._polling}
        return path, json.loads(json.dumps(given, default=str))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each look that finds images; for the sensor, a single one."""
        if self._wait is not None:
            yield _event(await self._wait.end())
            return
        # Airflow sets it before; older ones have none.
        store = MemoryStore(getattr(self, "asset_state_store", None), self._watch.memory_key)
        async for payload in watch(self._watch, store):
            yield _event(payload)

    def _read(self) -> Watch:
        """Return what to watch.

        :raises DownloadParamsError: if a field is invalid.
        """
        window = read_window(self._times["start"], self._times["end"], self._times["days"])
        check_watched(self._fields, window)
        since, seconds = (
            self._times["since"],
            read_number("poll_seconds", self._polling["poll_seconds"]),
        )
        if seconds <= 0:
            raise DownloadParamsError(
                f"poll_seconds is {seconds}; write a number above 0.", field="poll_seconds"
            )
        return Watch(
            fields=self._fields,
            window=window,
            since=None if is_unset(since) else read_time("since", since),
            poll_seconds=seconds,
            conn_id=read_text("earthengine_conn_id", self._polling["earthengine_conn_id"]),
        )


def _event(payload: dict[str, Any]) -> TriggerEvent:
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]  # likewise
