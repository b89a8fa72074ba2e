"""Which images of a collection: a window, a region, properties, coverage -> one computation.

What is asked for is text work and needs no session; the computations are ``ee`` objects, so that
making them needs one. Each is one ``value:compute``, and beside it stands the reader of its answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.catalog.property_conditions import PropertyCondition
from airflow_provider.earthengine.download.fields.region import Region
from airflow_provider.earthengine.download.fields.source import ListedImage, update_time
from airflow_provider.earthengine.exceptions import (
    AssetNotFoundError,
    DownloadParamsError,
    EarthEngineProviderError,
    RequestRejectedError,
    ServiceUnavailableError,
)

TIME_START = "system:time_start"
VERSION = "system:version"
_COLUMNS = ("system:index", TIME_START, VERSION)
_COVERAGE = "earthengine:coverage_percent"
# How far outlines may be off, in metres; and what that does to a share, so that 100 % can be had.
_MAX_ERROR_METRES = 1
COVERAGE_TOLERANCE_PERCENT = 0.1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_COLLECTION = "is not an ImageCollection"


@dataclass(frozen=True)
class ImageQuery:
    """Which images of a collection, and in which order.

    :param collection: the asset id of an image collection.
    :param start: images begin at or after it.
    :param end: images begin before it.
    :param region: images meet it; None: everywhere.
    :param conditions: what their properties must be.
    :param min_coverage_percent: how much of the region an image's outline has to cover.
    :param sort: the property by which they are ordered; with "-" before it, from high to low.
    :param limit: the first so many; None: all.
    """

    collection: str
    start: datetime
    end: datetime
    region: Region | None = None
    conditions: tuple[PropertyCondition, ...] = ()
    min_coverage_percent: float | None = None
    sort: str = TIME_START
    limit: int | None = None

    def to_ee(self) -> Any:
        """Return the ``ee.ImageCollection`` of the images asked for, not yet ordered or cut."""
        import ee

        images = self._candidates()
        for condition in self.conditions:
            images = images.filter(condition.to_ee())
        if self.min_coverage_percent is None:
            return images
        region = region_geometry(self.region)

        def measure(image: Any) -> Any:
            return image.set(_COVERAGE, coverage_percent(image.geometry(_MAX_ERROR_METRES), region))

        least = self.min_coverage_percent - COVERAGE_TOLERANCE_PERCENT
        enough = images.map(measure).filter(ee.Filter.gte(_COVERAGE, least))
        # The images themselves, not those that were made of them: these have a version for sure.
        indexes = enough.aggregate_array("system:index")
        return images.filter(ee.Filter.inList("system:index", indexes))

    def availability(self) -> Any:
        """Return the computation of how many images there are, and the time of the newest change.

        Its answer is read by :func:`read_availability`.
        """
        import ee

        images = self.to_ee()
        return ee.List([images.size(), images.reduceColumns(ee.Reducer.minMax(), [VERSION])])

    def listing(self) -> Any:
        """Return the computation of the images; its answer is read by :func:`read_listing`."""
        import ee

        images = self.to_ee().sort(self.sort.removeprefix("-"), not self.sort.startswith("-"))
        if self.limit is not None:
            images = images.limit(self.limit)
        # Only the index is required: an image without a time is still listed.
        columns = ee.Reducer.toList(len(_COLUMNS), len(_COLUMNS) - 1)
        rows = images.reduceColumns(columns, list(_COLUMNS)).get("list")
        return ee.List([rows, *self._known_properties()])

    def _candidates(self) -> Any:
        """Return the images of the window and the region, whatever their properties."""
        import ee

        images = ee.ImageCollection(self.collection).filterDate(
            _milliseconds(self.start), _milliseconds(self.end)
        )
        return images if self.region is None else images.filterBounds(region_geometry(self.region))

    def _known_properties(self) -> list[Any]:
        """Return what tells a condition that is not met from one on a property that nobody has."""
        import ee

        if not self.conditions:
            return [[], []]
        candidates = self._candidates()
        # A list of one or of none: the first image of nothing could not be asked.
        names = candidates.limit(1).toList(1).map(lambda image: ee.Image(image).propertyNames())
        counts = [
            candidates.filter(ee.Filter.notNull([condition.property_name])).size()
            for condition in self.conditions
        ]
        return [names, counts]


@dataclass(frozen=True)
class Availability:
    """How many images a query finds.

    :param latest_update: when the newest of them was ingested; None where there is none.
    """

    count: int
    latest_update: datetime | None


@dataclass(frozen=True)
class Listing:
    """The images that a query finds, in its order, and what is odd about the query."""

    images: tuple[ListedImage, ...]
    warnings: tuple[str, ...] = ()


def read_availability(answer: Any) -> Availability:
    """Return what the answer to :meth:`ImageQuery.availability` says.

    :raises ServiceUnavailableError: it is no such answer.
    """
    try:
        count, versions = answer
        return Availability(int(count), update_time(versions["max"]))
    except (TypeError, ValueError, KeyError):
        raise _not_an_answer() from None


def read_listing(query: ImageQuery, answer: Any) -> Listing:
    """Return what the answer to :meth:`ImageQuery.listing` says.

    :raises ServiceUnavailableError: it is no such answer.
    """
    try:
        rows, names, counts = answer
        images = tuple(
            ListedImage(
                asset_id=f"{query.collection}/{index}",
                start=None if start is None else _EPOCH + timedelta(milliseconds=start),
                version=None if version is None else int(version),
            )
            for index, start, version in rows
        )
        return Listing(images, tuple(_odd_conditions(query, names, counts)))
    except (TypeError, ValueError):
        raise _not_an_answer() from None


def explain_refused_query(
    query: ImageQuery, error: RequestRejectedError | AssetNotFoundError
) -> EarthEngineProviderError:
    """Return the error that a refusal to compute with the collection means."""
    if isinstance(error, AssetNotFoundError):
        return AssetNotFoundError(
            f"There is no image collection {query.collection}, or these credentials may not see "
            "it; check its id, and who may read it.",
            server_text=error.server_text,
        )
    if _NO_COLLECTION in error.server_text:
        return DownloadParamsError(
            f"collection is {query.collection}, which is no image collection; an image is "
            "downloaded by its own id.",
            server_text=error.server_text,
            field="collection",
        )
    return error


def region_geometry(region: Region | None) -> Any:
    """Return the region as an ``ee.Geometry``; its edges are those that downloads are cut with."""
    import ee

    if isinstance(region, str):
        return ee.FeatureCollection(region).geometry(_MAX_ERROR_METRES)
    if isinstance(region, Mapping):
        return ee.Geometry(dict(region))
    if isinstance(region, Sequence) and not isinstance(region[0], Sequence):
        return ee.Geometry.Rectangle(list(region), "EPSG:4326", False)
    return ee.Geometry.Polygon([region])


def coverage_percent(outline: Any, region: Any) -> Any:
    """Return the computation of how much of the region lies within the outline, in percent."""
    covered = outline.intersection(region, _MAX_ERROR_METRES).area(_MAX_ERROR_METRES)
    return covered.divide(region.area(_MAX_ERROR_METRES)).multiply(100)


def reaches(percent: float, least_percent: float) -> bool:
    """Return whether a coverage is enough, as far as outlines are exact."""
    return percent >= least_percent - COVERAGE_TOLERANCE_PERCENT


def joint_coverage(asset_ids: Sequence[str], region: Any) -> Any:
    """Return the computation of how much of the region lies within any of the images."""
    import ee

    first, *others = (ee.Image(asset_id).geometry(_MAX_ERROR_METRES) for asset_id in asset_ids)
    for outline in others:
        first = first.union(outline, _MAX_ERROR_METRES)
    return coverage_percent(first, region)


def _odd_conditions(query: ImageQuery, names: Any, counts: Any) -> list[str]:
    if not names:
        return []
    known = ", ".join(sorted(names[0]))
    return [
        f"No image of {query.collection} in the window and region has the property "
        f"{condition.property_name}; there are {known}."
        for condition, count in zip(query.conditions, counts, strict=True)
        if count == 0
    ]


def _milliseconds(moment: datetime) -> int:
    return round((moment - _EPOCH) / timedelta(milliseconds=1))


def _not_an_answer() -> ServiceUnavailableError:
    return ServiceUnavailableError(
        "Earth Engine answered a question about a collection with something else; if that stays "
        "so, check endpoint_url in the connection's extra, and proxies."
    )
