"""A query of a collection: window, region, properties, coverage -> one computation.

The query itself needs no session; its computations are ``ee`` objects, so creating them does. Each
is one ``value:compute`` request, with a function that reads its answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.catalog.property_conditions import PropertyCondition
from airflow_provider.earthengine.download.fields.region import Region
from airflow_provider.earthengine.download.fields.source import ListedImage
from airflow_provider.earthengine.download.fields.values import shown_names
from airflow_provider.earthengine.download.foreign import (
    MICROSECOND,
    MILLISECOND,
    Foreign,
    ForeignValueError,
)
from airflow_provider.earthengine.download.transport.answers import reading_answer
from airflow_provider.earthengine.exceptions import (
    AssetNotFoundError,
    DownloadParamsError,
    EarthEngineProviderError,
    RequestRejectedError,
)

TIME_START = "system:time_start"
VERSION = "system:version"
LISTED_COLUMNS = ("system:index", TIME_START, VERSION)
_COVERAGE = "earthengine:coverage_percent"
# The error of outlines in metres; and the tolerance that it needs, so that 100 % can be reached.
_MAX_ERROR_METRES = 1
COVERAGE_TOLERANCE_PERCENT = 0.1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_COLLECTION = "is not an ImageCollection"
_INDEX_LENGTH = 1_000


@dataclass(frozen=True)
class ImageQuery:
    """Which images of a collection, and in which order.

    :param collection: the asset id of an image collection.
    :param start: images start at or after it.
    :param end: images start before it.
    :param region: images intersect it; None: everywhere.
    :param conditions: conditions on their properties.
    :param min_coverage_percent: how much of the region an image's outline must cover.
    :param sort: the property to sort by; descending with "-" before it.
    :param limit: the maximum number of images; None: all.
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
        """Return the ``ee.ImageCollection`` of the queried images, neither sorted nor limited."""
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
        # The original images, not the mapped ones: only the originals are sure to have a version.
        indexes = enough.aggregate_array("system:index")
        return images.filter(ee.Filter.inList("system:index", indexes))

    def availability(self) -> Any:
        """Return the computation of the number of images and the time of the latest change.

        :func:`read_availability` reads its answer.
        """
        import ee

        images = self.to_ee()
        return ee.List([images.size(), images.reduceColumns(ee.Reducer.minMax(), [VERSION])])

    def listing(self) -> Any:
        """Return the computation of the images; :func:`read_listing` reads its answer."""
        import ee

        images = self.to_ee().sort(self.sort.removeprefix("-"), not self.sort.startswith("-"))
        if self.limit is not None:
            images = images.limit(self.limit)
        # Only the index is required: an image without a time is still listed.
        columns = ee.Reducer.toList(len(LISTED_COLUMNS), len(LISTED_COLUMNS) - 1)
        rows = images.reduceColumns(columns, list(LISTED_COLUMNS)).get("list")
        return ee.List([rows, *self._known_properties()])

    def _candidates(self) -> Any:
        """Return the images of the window and the region, with any properties."""
        import ee

        images = ee.ImageCollection(self.collection).filterDate(
            _milliseconds(self.start), _milliseconds(self.end)
        )
        return images if self.region is None else images.filterBounds(region_geometry(self.region))

    def _known_properties(self) -> list[Any]:
        """Return what distinguishes an unmet condition from one on an unknown property."""
        import ee

        if not self.conditions:
            return [[], []]
        candidates = self._candidates()
        # A list of at most one: first() of an empty collection would fail.
        names = candidates.limit(1).toList(1).map(lambda image: ee.Image(image).propertyNames())
        counts = [
            candidates.filter(ee.Filter.notNull([condition.property_name])).size()
            for condition in self.conditions
        ]
        return [names, counts]


@dataclass(frozen=True)
class Availability:
    """How many images a query finds.

    :param latest_update: when the newest of them was ingested; None if there are none.
    """

    count: int
    latest_update: datetime | None


@dataclass(frozen=True)
class Listing:
    """The images that a query finds, in its order, and warnings about the query."""

    images: tuple[ListedImage, ...]
    warnings: tuple[str, ...] = ()


def read_availability(answer: Any) -> Availability:
    """Return the availability in an answer to :meth:`ImageQuery.availability`.

    :raises ServiceUnavailableError: if it is not such an answer.
    """
    with reading_answer("a collection"):
        count, versions = Foreign(answer).items(2)
        latest = versions.at("max")
        return Availability(
            count.whole(least=0), None if latest.is_absent else latest.moment(MICROSECOND)
        )


def read_listing(query: ImageQuery, answer: Any) -> Listing:
    """Return the listing in an answer to :meth:`ImageQuery.listing`.

    :raises ServiceUnavailableError: if it is not such an answer.
    """
    with reading_answer("a collection"):
        rows, names, counts = Foreign(answer).items(3)
        images = _read_rows(query.collection, rows)
        return Listing(images, tuple(_odd_conditions(query, names, counts)))


def read_rows(query: ImageQuery, answer: Any) -> tuple[ListedImage, ...]:
    """Return the images in the rows of a listing.

    :raises ServiceUnavailableError: if they are no such rows.
    """
    with reading_answer("a collection"):
        return _read_rows(query.collection, Foreign(answer))


def read_version(version: Foreign) -> int | None:
    """Return an image's version; None if it has none.

    :raises ForeignValueError: if it is not a version.
    """
    return None if version.is_absent else version.whole(least=0)


def _read_rows(collection: str, rows: Foreign) -> tuple[ListedImage, ...]:
    return tuple(_read_row(collection, *row.items(3)) for row in rows.items())


def _read_row(collection: str, index: Foreign, start: Foreign, version: Foreign) -> ListedImage:
    return ListedImage(
        asset_id=f"{collection}/{index.text(_INDEX_LENGTH)}",
        start=_read_start(start),
        version=read_version(version),
    )


def _read_start(start: Foreign) -> datetime | None:
    """Return the time; None also if the property is not a time, as its author can set anything."""
    try:
        return None if start.is_absent else start.moment(MILLISECOND)
    except ForeignValueError:
        return None


def explain_refused_query(
    query: ImageQuery, error: RequestRejectedError | AssetNotFoundError
) -> EarthEngineProviderError:
    """Return the error that explains why Earth Engine refused to compute with the collection."""
    if isinstance(error, AssetNotFoundError):
        return AssetNotFoundError(
            f"The image collection {query.collection} does not exist, or the credentials have no "
            "access to it; check its id and its readers.",
            server_text=error.server_text,
        )
    if _NO_COLLECTION in error.server_text:
        return DownloadParamsError(
            f"collection is {query.collection}, which is not an image collection; pass a single "
            "image as the image of EarthEngineToS3Operator.",
            server_text=error.server_text,
            field="collection",
        )
    return error


def region_geometry(region: Region | None) -> Any:
    """Return the region as an ``ee.Geometry``, with the same edges as in downloads."""
    import ee

    if isinstance(region, str):
        return ee.FeatureCollection(region).geometry(_MAX_ERROR_METRES)
    if isinstance(region, Mapping):
        return ee.Geometry(dict(region), None, False)
    if isinstance(region, Sequence) and not isinstance(region[0], Sequence):
        return ee.Geometry.Rectangle(list(region), "EPSG:4326", False)
    return ee.Geometry.Polygon([region], None, False)


def coverage_percent(outline: Any, region: Any) -> Any:
    """Return the computation of how much of the region is inside the outline, in percent."""
    covered = outline.intersection(region, _MAX_ERROR_METRES).area(_MAX_ERROR_METRES)
    return covered.divide(region.area(_MAX_ERROR_METRES)).multiply(100)


def reaches(percent: float, least_percent: float) -> bool:
    """Return whether a coverage is enough, within the accuracy of outlines."""
    return percent >= least_percent - COVERAGE_TOLERANCE_PERCENT


def joint_coverage(asset_ids: Sequence[str], region: Any) -> Any:
    """Return the computation of how much of the region is inside any of the images."""
    import ee

    first, *others = (ee.Image(asset_id).geometry(_MAX_ERROR_METRES) for asset_id in asset_ids)
    for outline in others:
        first = first.union(outline, _MAX_ERROR_METRES)
    return coverage_percent(first, region)


def _odd_conditions(query: ImageQuery, names: Foreign, counts: Foreign) -> list[str]:
    first = [name.text() for names_of_first in names.items()[:1] for name in names_of_first.items()]
    counted = [count.whole(least=0) for count in counts.items()]
    if not first:
        return []
    counts.items(len(query.conditions))
    known = shown_names(sorted(first))
    return [
        f"No image of {query.collection} in the window and region has the property "
        f"{condition.property_name}; the properties are {known}."
        for condition, count in zip(query.conditions, counted, strict=True)
        if count == 0
    ]


def _milliseconds(moment: datetime) -> int:
    return round((moment - _EPOCH) / timedelta(milliseconds=1))
