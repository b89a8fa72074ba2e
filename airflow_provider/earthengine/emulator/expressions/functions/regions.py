"""Functions that reduce the pixels of regions to numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from airflow_provider.earthengine.emulator.expressions.functions.composites import statistics_of
from airflow_provider.earthengine.emulator.expressions.functions.image import DEFAULT_PROJECTION
from airflow_provider.earthengine.emulator.expressions.functions.projection import read_transform
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.coverage import centres_inside, shares_inside
from airflow_provider.earthengine.emulator.values.elements import Collection, Feature, geometry_of
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.grids import PixelGrid
from airflow_provider.earthengine.emulator.values.images import Band, Image
from airflow_provider.earthengine.emulator.values.projections import Projection
from airflow_provider.earthengine.emulator.values.statistics import Numbers, Statistic

_MOST_PIXELS = 1e7
_PIXELS_PER_STRIP = 1 << 22


@dataclass(frozen=True)
class _Reduction:
    """What to compute of each region.

    :param function: whose it is, for messages.
    :param most_pixels: of the box around a region.
    :param is_best_effort: whether a region with more pixels is to have larger ones, which is
        refused: which scale the real service chooses is not known.
    """

    function: str
    image: Image
    outputs: tuple[tuple[str, Statistic], ...]
    projection: Projection
    most_pixels: float
    is_best_effort: bool = False

    def of(self, geometry: Geometry) -> list[list[float | None]]:
        """Return, for each band, its outputs in a region."""
        grid = self._grid_around(geometry)
        return [self._outputs_of(band, geometry, grid) for band in self.image.bands]

    def _grid_around(self, geometry: Geometry) -> PixelGrid:
        box = None if geometry.covers_the_globe else geometry.box_in(self.projection)
        if box is None:
            raise invalid_argument(f"{self.function}: The geometry must be bounded.")
        if "Point" in geometry.kind:
            # A point is in the pixel to its lower right, also on that pixel's edge.
            box = replace(box, right=np.floor(box.right) + 1, bottom=np.floor(box.bottom) + 1)
        whole = box.snapped()
        grid = PixelGrid(self.projection.offset(whole.left, whole.top), whole.width, whole.height)
        count = grid.width * grid.height
        if count > self.most_pixels and self.is_best_effort:
            raise unsupported(f"'bestEffort' of {self.function} for more than 'maxPixels' pixels")
        if count > self.most_pixels:
            # The real service's text, seen in public error reports.
            raise invalid_argument(
                f"{self.function}: Too many pixels in the region. Found {count}, but maxPixels "
                f"allows only {self.most_pixels:.0f}."
            )
        return grid

    def _outputs_of(self, band: Band, geometry: Geometry, grid: PixelGrid) -> list[float | None]:
        is_weighted = any(statistic.is_weighted for _, statistic in self.outputs)
        values, centres, shares = _pixels_inside(band, geometry, grid, is_weighted)
        results = []
        for _, statistic in self.outputs:
            weights = shares if statistic.is_weighted else centres
            counted = weights > 0
            results.append(
                statistic.over_region(values[counted], weights[counted])
                if counted.any()
                else statistic.of_nothing
            )
        return results


def _pixels_inside(
    band: Band, geometry: Geometry, grid: PixelGrid, is_weighted: bool
) -> tuple[Numbers, Numbers, Numbers]:
    """Return the valid values of a region, whether their centres are inside, and their shares."""
    parts: list[tuple[Numbers, Numbers, Numbers]] = []
    for strip in _strips(grid):
        pixels = band.render(strip)
        centres = centres_inside(geometry, strip)
        shares = shares_inside(geometry, strip) if is_weighted else centres
        chosen = pixels.is_valid & ((centres > 0) | (shares > 0))
        parts.append((pixels.values[chosen], centres[chosen], shares[chosen]))
    if not parts:
        return np.empty(0), np.empty(0), np.empty(0)
    values, centres, shares = (np.concatenate(column) for column in zip(*parts, strict=True))
    return values, centres, shares


def _strips(grid: PixelGrid) -> Iterator[PixelGrid]:
    rows = max(1, _PIXELS_PER_STRIP // max(1, grid.width))
    for top in range(0, grid.height, rows):
        projection = grid.projection.offset(0, top)
        yield replace(grid, projection=projection, height=min(rows, grid.height - top))


def _projection_of(function: str, image: Image, arguments: Arguments) -> Projection:
    """Return the projection to work in: the first band's, unless another or a scale is given."""
    crs, numbers, scale = (arguments[name] for name in ("crs", "crsTransform", "scale"))
    if numbers is not None and scale is not None:
        raise invalid_argument(
            f"{function}: Only one of 'crsTransform' and 'scale' may be specified."
        )
    own: Projection = crs or image.bands[0].projection
    if numbers is not None:
        return Projection(own.crs, read_transform(function, numbers))
    if scale is None:
        if crs is None and own == DEFAULT_PROJECTION:
            # Source: https://developers.google.com/earth-engine/guides/projections (2025-08).
            raise invalid_argument(
                "The default WGS84 projection is invalid for aggregations. "
                "Specify a scale or crs & crs_transform."
            )
        return own
    if not 0 < scale < float("inf"):
        raise invalid_argument(f"{function}: Scale must be a positive number, not {scale}.")
    return own.scaled_to(scale)


def _names(
    bands: tuple[Band, ...], outputs: tuple[tuple[str, Statistic], ...]
) -> Iterator[list[str]]:
    """Yield, for each band, the names of its outputs: its own if there is only one."""
    for band in bands:
        if len(outputs) == 1:
            yield [band.id]
        else:
            yield [f"{band.id}_{name}" for name, _ in outputs]


def _reduce_region(session: Session, arguments: Arguments) -> dict[str, Any]:
    function, image = REDUCE_REGION.name, arguments["image"]
    outputs = statistics_of(function, arguments["reducer"])
    if not image.bands:
        return {}
    geometry = arguments["geometry"] or geometry_of(image)
    if geometry is None:
        raise invalid_argument(f"{function}: The geometry must be bounded.")
    projection = _projection_of(function, image, arguments)
    most, is_best_effort = arguments["maxPixels"], arguments["bestEffort"]
    reduction = _Reduction(function, image, outputs, projection, most, is_best_effort)
    results = zip(_names(image.bands, outputs), reduction.of(geometry), strict=True)
    return {
        name: value for names, values in results for name, value in zip(names, values, strict=True)
    }


def _reduce_regions(session: Session, arguments: Arguments) -> Collection:
    function, image = REDUCE_REGIONS.name, arguments["image"]
    outputs = statistics_of(function, arguments["reducer"])
    collection: Collection = arguments["collection"]
    if not image.bands:
        return collection
    projection = _projection_of(function, image, arguments)
    most = arguments["maxPixelsPerRegion"] or _MOST_PIXELS
    reduction = _Reduction(function, image, outputs, projection, most)
    all_names = list(_names(image.bands, outputs))
    if len(image.bands) == 1:
        all_names = [[name for name, _ in outputs]]

    def reduce(feature: Feature) -> Feature:
        added: dict[str, Any] = {}
        geometry = geometry_of(feature)
        if geometry is not None:
            for names, values in zip(all_names, reduction.of(geometry), strict=True):
                added |= dict(zip(names, values, strict=True))
        known = {name: value for name, value in added.items() if value is not None}
        return replace(feature, properties={**feature.properties, **known})

    features = tuple(
        reduce(element)
        if isinstance(element, Feature)
        else reduce(Feature(geometry_of(element), element.properties, element.id))
        for element in collection.elements
    )
    return collection.with_elements(features)


_PLACE = (
    Parameter("scale", "Float", None),
    Parameter("crs", "Projection", None),
    Parameter("crsTransform", "List<Float>", None),
)
REDUCE_REGION = Function(
    "Image.reduceRegion",
    (
        Parameter("image", IMAGE),
        Parameter("reducer", "Reducer"),
        Parameter("geometry", "Geometry", None),
        *_PLACE,
        Parameter("bestEffort", "Boolean", False),
        Parameter("maxPixels", "Long", _MOST_PIXELS),
        Parameter("tileScale", "Float", 1.0),
    ),
    "Dictionary<Object>",
    "the provider, if it sees no valid pixel; a DAG, for a statistic of a region",
    _reduce_region,
)
REDUCE_REGIONS = Function(
    "Image.reduceRegions",
    (
        Parameter("image", IMAGE),
        Parameter("collection", "FeatureCollection"),
        Parameter("reducer", "Reducer"),
        *_PLACE,
        Parameter("tileScale", "Float", 1.0),
        Parameter("maxPixelsPerRegion", "Long", None),
    ),
    "FeatureCollection",
    "a DAG, for a statistic of each region of a table",
    _reduce_regions,
)
FUNCTIONS = (REDUCE_REGION, REDUCE_REGIONS)
