"""A sensor that waits until an image collection holds enough images of a window and a region."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    BaseSensorOperator,
    PokeReturnValue,
)

from airflow_provider.earthengine import exceptions
from airflow_provider.earthengine.catalog.image_query import ImageQuery, explain_refused_query
from airflow_provider.earthengine.catalog.listing import list_images
from airflow_provider.earthengine.catalog.read_query import check_query
from airflow_provider.earthengine.catalog.waiting import (
    Sighting,
    Wait,
    read_quiet_seconds,
    read_sighting,
)
from airflow_provider.earthengine.download.fields.literals import is_literal
from airflow_provider.earthengine.download.fields.values import read_count, shown
from airflow_provider.earthengine.exceptions import (
    AssetNotFoundError,
    DownloadParamsError,
    PermanentError,
    RequestRejectedError,
)
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.one_line import one_line
from airflow_provider.earthengine.task.outcome import failing_for_good
from airflow_provider.earthengine.task.query_fields import QueryFields
from airflow_provider.earthengine.triggers.image_collection import (
    EarthEngineImageCollectionTrigger,
)
from airflow_provider.earthengine.triggers.image_wait import FAILED, FOUND, TIMED_OUT

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


# The trigger enforces the deadline and reports what it saw; Airflow ends waits without a triggerer.
_GRACE_SECONDS = 120.0


class EarthEngineImageCollectionSensor(QueryFields, BaseSensorOperator):
    """Wait until a collection holds enough images, optionally unchanged for a while.

    It checks once in the worker, and then waits in the triggerer, where it takes no slot. Returns
    the number of images.

    ``poke_interval`` and ``timeout`` are those of every sensor. ``soft_fail`` skips the task on
    timeout; any other failure fails it.

    :param collection: the asset id of an image collection. (templated)
    :param start: images start at or after it: a datetime, or text such as "2021-01-09"; None: the
        start of the run's data interval. (templated)
    :param end: images start before it; None: the end of the data interval. (templated)
    :param region: images intersect it: GeoJSON, ``[west, south, east, north]``, a ring of
        positions, or the asset id of a table; None: everywhere. (templated)
    :param filters: conditions on properties of the images, such as
        ``{"CLOUDY_PIXEL_PERCENTAGE": {"lt": 20}}``. (templated)
    :param min_coverage_percent: how much of the region an image must cover. (templated)
    :param min_images: the minimum number of images. (templated)
    :param quiet_period: how long the images must stay unchanged before the wait is over, in seconds
        or as a timedelta; None: not at all.
    :param deferrable: wait in the triggerer; otherwise in the worker, in the sensor's ``mode``.
    :param earthengine_conn_id: the Earth Engine connection. (templated)
    """

    template_fields: Sequence[str] = (*QueryFields.query_template_fields, "min_images")
    checked_fields = (
        *QueryFields.query_checked_fields, "min_images", "quiet_period", "deferrable", "mode"
    )  # fmt: skip
    required_fields = ("collection",)

    def __init__(
        self,
        *,
        collection: str,
        min_images: int | str = 1,
        quiet_period: timedelta | float | None = None,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(collection=collection, **kwargs)
        self.min_images = min_images
        self.quiet_period = quiet_period
        self.deferrable = deferrable
        self._seen: Sighting | None = None
        self.check_literals()

    @classmethod
    def check_fields(cls, fields: Mapping[str, Any]) -> None:
        """Raise if a literal can never be right."""
        check_query(fields)
        if "min_images" in fields and is_literal(fields["min_images"]):
            read_count("min_images", fields["min_images"])
        if "quiet_period" in fields and is_literal(fields["quiet_period"]):
            seconds = read_quiet_seconds(fields["quiet_period"])
            _check_memory(seconds, fields.get("deferrable", True), fields.get("mode", "poke"))

    def execute(self, context: Context) -> Any:
        """Return the number of images, or wait for them."""
        with failing_for_good():
            query = self.read_query(context)
            wait = self._read_wait(query.collection)
            if not self.deferrable:
                self._seen = None
                return super().execute(context)
            deadline = time.time() + self.timeout
            with EarthEngineHook(self.earthengine_conn_id) as hook:
                seen = _look(hook, query)
                expression = _serialised(query)
                self._warn_of_unknown_properties(hook, query, seen)
            if not seen.ends(wait, time.time()):
                self.log.info("Found %s; waiting in the triggerer", seen.describe(wait))
                self._wait_in_triggerer(wait, expression, deadline, seen)
            self.log.info("Found %s", seen.describe(wait))
            return seen.image_count

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> int:
        """Return the number of images that the trigger found.

        :raises AirflowSensorTimeout: if the wait timed out; ``soft_fail`` then skips the task.
        :raises EarthEngineProviderError: if retrying would not have helped.
        """
        status = (event or {}).get("status")
        message = str((event or {}).get("message"))
        self.log.info("%s", message)
        if event is not None and status == FOUND:
            return int(event["image_count"] or 0)
        if status == TIMED_OUT:
            raise AirflowSensorTimeout(message)
        if event is not None and status == FAILED:
            raise _permanent_error(str(event["error"]))(message)
        raise RequestRejectedError(
            f"The trigger sent {shown(event)}, which this version of airflow-provider-earthengine "
            "does not understand; install the same version on workers and triggerer, and clear the "
            "task to start the wait again."
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Return whether the wait is over, for sensors that are not deferrable."""
        query = self.read_query(context)
        wait = self._read_wait(query.collection)
        with EarthEngineHook(self.earthengine_conn_id) as hook:
            seen = self._seen = _look(hook, query).after(self._seen)
        is_over = seen.ends(wait, time.time())
        self.log.info("Found %s", seen.describe(wait))
        return PokeReturnValue(is_over, seen.image_count if is_over else None)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """Continue after the wait, with permanent errors failing the task for good."""
        with failing_for_good():
            return super().resume_execution(next_method, next_kwargs, context)

    def _wait_in_triggerer(
        self, wait: Wait, expression: str, deadline: float, seen: Sighting
    ) -> NoReturn:
        self.defer(
            trigger=EarthEngineImageCollectionTrigger(
                expression=expression,
                wait=asdict(wait),
                poll_seconds=self.poke_interval,
                deadline=deadline,
                seen=asdict(seen),
                earthengine_conn_id=self.earthengine_conn_id,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout + _GRACE_SECONDS),
        )

    def _warn_of_unknown_properties(
        self, hook: EarthEngineHook, query: ImageQuery, seen: Sighting
    ) -> None:
        # A misspelt property matches no image, and the wait itself would not report it.
        if query.conditions and not seen.image_count:
            for warning in list_images(hook, replace(query, limit=1)).warnings:
                self.log.warning("%s", one_line(warning))

    def _read_wait(self, collection: str) -> Wait:
        seconds = read_quiet_seconds(self.quiet_period)
        _check_memory(seconds, self.deferrable, self.mode)
        return Wait(collection, read_count("min_images", self.min_images), seconds)


def _check_memory(quiet_seconds: float, deferrable: object, mode: object) -> None:
    if quiet_seconds and not deferrable and mode == "reschedule":
        raise DownloadParamsError(
            "quiet_period is given, but a rescheduled sensor does not remember what it saw; "
            "leave deferrable and mode out, or use mode='poke'.",
            field="quiet_period",
        )


def _look(hook: EarthEngineHook, query: ImageQuery) -> Sighting:
    hook.get_conn()
    try:
        answer = hook.compute_value(query.availability())
    except (RequestRejectedError, AssetNotFoundError) as error:
        raise explain_refused_query(query, error) from None
    return read_sighting(answer, time.time())


def _serialised(query: ImageQuery) -> str:
    """Return the trigger's expression; needs an initialised session."""
    import ee

    return json.dumps(ee.serializer.encode(query.availability(), for_cloud_api=True))


def _permanent_error(name: str) -> type[PermanentError]:
    kind = getattr(exceptions, name, PermanentError)
    if isinstance(kind, type) and issubclass(kind, PermanentError):
        return kind
    return PermanentError
