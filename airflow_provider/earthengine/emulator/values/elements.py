"""Values other than images: features, collections, dates and filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from airflow_provider.earthengine.emulator.values.geojson import read_geojson
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.grids import Footprint
from airflow_provider.earthengine.emulator.values.images import Band, Image
from airflow_provider.earthengine.emulator.values.projections import map_points, transform_points
from airflow_provider.earthengine.emulator.values.statistics import Statistic

# The property that holds an image's outline.
FOOTPRINT = "system:footprint"
IMAGES = "ImageCollection"
FEATURES = "FeatureCollection"


@dataclass(frozen=True, eq=False)
class Feature:
    """A geometry with properties.

    :param geometry: None for a feature without one.
    """

    geometry: Geometry | None
    properties: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what ``getInfo()`` shows of it."""
        document: dict[str, Any] = {
            "type": "Feature",
            "geometry": None if self.geometry is None else self.geometry.as_json(),
            "properties": dict(self.properties),
        }
        return document if self.id is None else document | {"id": self.id}


Element = Image | Feature


@dataclass(frozen=True, eq=False)
class Collection:
    """An ordered collection of images or features.

    :param kind: ``ImageCollection`` or ``FeatureCollection``.
    :param id: the asset it was loaded from, even after filtering; None if it was computed.
    """

    kind: str
    elements: tuple[Element, ...]
    properties: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    version: int | None = None

    def with_elements(self, elements: tuple[Element, ...]) -> Collection:
        return replace(self, elements=elements)

    def images(self) -> tuple[Image, ...]:
        """Return the elements that are images: all elements of an ImageCollection."""
        return tuple(element for element in self.elements if isinstance(element, Image))

    def as_json(self) -> dict[str, Any]:
        """Return what ``getInfo()`` shows of it."""
        document: dict[str, Any] = {"type": self.kind}
        if self.id is not None:
            document["id"] = self.id
        if self.version is not None:
            document["version"] = self.version
        if self.kind == IMAGES:
            document["bands"] = []
        else:
            document["columns"] = {}
        if self.properties:
            document["properties"] = dict(self.properties)
        document["features"] = [element.as_json() for element in self.elements]
        return document


@dataclass(frozen=True)
class Date:
    """An instant.

    :param milliseconds: since 1970-01-01 UTC.
    """

    milliseconds: int

    def as_json(self) -> dict[str, Any]:
        return {"type": "Date", "value": self.milliseconds}


@dataclass(frozen=True)
class DateRange:
    """A half-open span of time, in milliseconds since 1970-01-01 UTC."""

    start: int
    end: int

    def as_json(self) -> dict[str, Any]:
        return {"type": "DateRange", "dates": [self.start, self.end]}


@dataclass(frozen=True)
class ErrorMargin:
    """The error that a result may have. Results here are exact, so it has no effect."""

    metres: float


@dataclass(frozen=True, eq=False)
class Filter:
    """Which elements of two collections match; of one collection, which match themselves.

    :param matches: whether an element of the first collection and one of the second match.
    :param measure: how far apart the two are; None if the filter does not tell.
    """

    matches: Callable[[Element, Element], bool]
    measure: Callable[[Element, Element], float] | None = None

    def passes(self, element: Element) -> bool:
        """Return whether an element of a single collection is kept."""
        return self.matches(element, element)


@dataclass(frozen=True)
class Match:
    """An element of the second collection of a join.

    :param measure: how far it is from that of the first; None if the condition does not tell.
    """

    element: Element
    measure: float | None


@dataclass(frozen=True, eq=False)
class Join:
    """What becomes of an element of the first collection and its matches in the second.

    :param unite: makes the elements of the result from an element and all its matches.
    :param is_measured: whether it needs to know how far apart elements are.
    :param makes_pairs: whether the result has features, whatever the first collection has.
    """

    unite: Callable[[Element, Sequence[Match]], Sequence[Element]]
    is_measured: bool = False
    makes_pairs: bool = False


@dataclass(frozen=True)
class Reducer:
    """A function that reduces many values to one or a few.

    :param name: ``toList``, ``minMax`` or that of a statistic.
    :param inputs: the number of columns that it takes.
    :param optional: how many of the last columns may lack a value in a row.
    :param outputs: its statistics by the names of its outputs; none for what makes no numbers.
    """

    name: str
    inputs: int = 1
    is_repeated: bool = False
    is_tuples: bool = False
    optional: int = 0
    outputs: tuple[tuple[str, Statistic], ...] = ()


def property_of(element: Element, name: str) -> Any:
    """Return the value of a property, including the system's id and version; None if missing.

    Source: https://developers.google.com/earth-engine/guides/image_info (2025-08), which reads
    ``system:version``, the time of ingestion in microseconds since 1970.
    """
    if name == "system:id":
        return element.id
    if name == "system:version" and isinstance(element, Image):
        return element.version
    value = element.properties.get(name)
    if name == FOOTPRINT and isinstance(value, Mapping):
        return _footprint_of(value)
    return value


def _footprint_of(document: Mapping[str, Any]) -> Any:
    """Return the geometry in the property of a footprint; the value itself if it holds none.

    Programs pass it on as a geometry, so it is one.
    """
    try:
        return read_geojson(document, document.get("geodesic", True) is not False)
    except (KeyError, TypeError, ValueError):
        return document


def outline_of(bands: Sequence[Band]) -> list[list[float]] | None:
    """Return the closed ring of corners, in longitudes and latitudes, of the first bounded band."""
    footprint = next((band.footprint for band in bands if band.footprint is not None), None)
    return None if footprint is None else [list(corner) for corner in _corners_of(footprint)]


@lru_cache(maxsize=256)
def _corners_of(footprint: Footprint) -> tuple[tuple[float, float], ...]:
    box = footprint.box
    xs = np.array([box.left, box.right, box.right, box.left, box.left], dtype=np.float64)
    ys = np.array([box.top, box.top, box.bottom, box.bottom, box.top], dtype=np.float64)
    xs, ys = map_points(footprint.projection.transform, xs, ys)
    xs, ys = transform_points(footprint.projection.crs, "EPSG:4326", xs, ys)
    return tuple(zip(xs.tolist(), ys.tolist(), strict=True))


def geometry_of(element: Element) -> Geometry | None:
    """Return the geometry of an element; None if it has no bounds.

    For an image, it is that of the first band with a footprint.
    """
    if isinstance(element, Feature):
        return element.geometry
    for band in element.bands:
        if band.footprint is not None:
            box, projection = band.footprint.box, band.footprint.projection
            corners = [
                (box.left, box.top),
                (box.right, box.top),
                (box.right, box.bottom),
                (box.left, box.bottom),
            ]
            return Geometry("Polygon", (np.array(corners, dtype=np.float64),), (0,), projection)
    return None
