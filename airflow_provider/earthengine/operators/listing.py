"""What the operators of this room share: how they fail, their window, how much may be expanded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, conf

from airflow_provider.earthengine.download.collection import (
    ImageQuery,
    Listing,
    explain_refused_query,
    joint_coverage,
    reaches,
    read_listing,
    region_geometry,
)
from airflow_provider.earthengine.download.fields.values import shown
from airflow_provider.earthengine.download.ingestion import Ingestion, each_date, each_image
from airflow_provider.earthengine.exceptions import (
    AssetNotFoundError,
    DownloadParamsError,
    PermanentError,
    RequestRejectedError,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook

IMAGE, DATE = "image", "date"


@contextmanager
def failing_for_good() -> Iterator[None]:
    """Fail the task without a retry where a retry cannot help; everything else passes through."""
    try:
        yield
    except PermanentError as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


def window_of(start: Any, end: Any, context: Context) -> tuple[Any, Any]:
    """Return the window's fields, each the run's own where it is not given.

    :raises DownloadParamsError: the run has none.
    """
    window = {"start": start, "end": end}
    for field, value in window.items():
        if value in (None, ""):
            window[field] = context.get(f"data_interval_{field}")
        if window[field] is None:
            raise DownloadParamsError(
                f"{field} is not given, and this run has no data interval, as a manual run without "
                f"a date; give {field}, or trigger the run with a logical date.",
                field=field,
            )
    return window["start"], window["end"]


def read_by(value: Any) -> str:
    """Return "image" or "date".

    :raises DownloadParamsError: for anything else.
    """
    if value not in (IMAGE, DATE):
        raise DownloadParamsError(f"by is {shown(value)}; known are {IMAGE}, {DATE}.", field="by")
    return str(value)


def list_images(hook: EarthEngineHook, query: ImageQuery) -> Listing:
    """Return what the catalogue has; one request.

    :raises DownloadParamsError: what the query names is no image collection.
    """
    hook.get_conn()
    try:
        return read_listing(query, hook.compute_value(query.listing()))
    except (RequestRejectedError, AssetNotFoundError) as error:
        raise explain_refused_query(query, error) from None


def cover_dates(
    hook: EarthEngineHook, query: ImageQuery, dates: Sequence[Ingestion]
) -> list[Ingestion]:
    """Return the dates whose images together cover enough of the region; one request."""
    import ee

    if query.min_coverage_percent is None or not dates:
        return list(dates)
    region = region_geometry(query.region)
    percents = hook.compute_value(
        ee.List([joint_coverage([each.asset_id for each in day.images], region) for day in dates])
    )
    return [
        day
        for day, percent in zip(dates, percents, strict=True)
        if reaches(percent, query.min_coverage_percent)
    ]


def list_ingestions(
    hook: EarthEngineHook, query: ImageQuery, by: str
) -> tuple[list[Ingestion], tuple[str, ...]]:
    """Return the downloads that a query means, and warnings.

    One request; by date with a coverage, two.

    By date, the coverage and the limit are the dates', not the images'.
    """
    if by == IMAGE:
        listing = list_images(hook, query)
        return each_image(listing.images), listing.warnings
    listing = list_images(hook, replace(query, min_coverage_percent=None, limit=None))
    dates = cover_dates(hook, query, each_date(listing.images))
    return dates[: query.limit], listing.warnings


def check_map_length(count: int) -> None:
    """Raise before Airflow does, if a task cannot be expanded over so many.

    :raises DownloadParamsError: names the setting.
    """
    most = conf.getint("core", "max_map_length", fallback=1024)
    if count > most:
        raise DownloadParamsError(
            f"There are {count:,} downloads, and Airflow expands a task over at most {most:,}: "
            "that is [core] max_map_length (AIRFLOW__CORE__MAX_MAP_LENGTH); raise it, or take a "
            "shorter window, a smaller region, by='date', or a limit.",
            count=count,
        )
