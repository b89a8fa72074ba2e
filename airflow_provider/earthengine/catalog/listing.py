"""A query of a collection -> the downloads that it lists, by image or by date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.catalog.image_query import (
    ImageQuery,
    Listing,
    explain_refused_query,
    joint_coverage,
    reaches,
    read_listing,
    region_geometry,
)
from airflow_provider.earthengine.catalog.listed_downloads import (
    ListedDownload,
    each_date,
    each_image,
)
from airflow_provider.earthengine.download.fields.values import read_choice
from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.transport.answers import reading_answer
from airflow_provider.earthengine.exceptions import (
    AssetNotFoundError,
    RequestRejectedError,
)

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.client import Session


IMAGE, DATE = "image", "date"


def read_by(value: Any) -> str:
    """Return "image" or "date".

    :raises DownloadParamsError: if the value is anything else.
    """
    return read_choice("by", value, (IMAGE, DATE))


def list_images(session: Session, query: ImageQuery) -> Listing:
    """Return the images in the catalog, with one request.

    :raises DownloadParamsError: if the query's collection is not an image collection.
    """
    session.get_conn()
    try:
        return read_listing(query, session.compute_value(query.listing()))
    except (RequestRejectedError, AssetNotFoundError) as error:
        raise explain_refused_query(query, error) from None


def cover_dates(
    session: Session, query: ImageQuery, dates: Sequence[ListedDownload]
) -> list[ListedDownload]:
    """Return the dates whose images together cover enough of the region, with one request."""
    import ee

    if query.min_coverage_percent is None or not dates:
        return list(dates)
    region = region_geometry(query.region)
    answer = session.compute_value(
        ee.List([joint_coverage([each.asset_id for each in day.images], region) for day in dates])
    )
    with reading_answer("how much of the region is covered"):
        percents = [percent.finite() for percent in Foreign(answer).items(len(dates))]
    return [
        day
        for day, percent in zip(dates, percents, strict=True)
        if reaches(percent, query.min_coverage_percent)
    ]


def list_downloads(
    session: Session, query: ImageQuery, by: str
) -> tuple[list[ListedDownload], tuple[str, ...]]:
    """Return the downloads that a query finds, and warnings.

    Sends one request; by date with a minimum coverage, two.

    By date, the coverage and the limit apply to dates, not to images.
    """
    if by == IMAGE:
        listing = list_images(session, query)
        return each_image(listing.images), listing.warnings
    listing = list_images(session, replace(query, min_coverage_percent=None, limit=None))
    dates = cover_dates(session, query, each_date(listing.images))
    return dates[: query.limit], listing.warnings
