"""Functions that reduce the pixels of a region to one value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.columns import reducer_function
from airflow_provider.earthengine.emulator.expressions.functions.projection import read_transform
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import Reducer
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.grids import PixelGrid
from airflow_provider.earthengine.emulator.values.images import Band, Image
from airflow_provider.earthengine.emulator.values.projections import Projection

_NAME = "Image.reduceRegion"
_MOST_PIXELS = 1e7
_PIXELS_PER_STRIP = 1 << 22


def _reduce_region(session: Session, arguments: Arguments) -> dict[str, Any]:
    """Return for each band 1 if a valid pixel of the region is not zero, else 0."""
    image: Image = arguments["image"]
    reducer: Reducer = arguments["reducer"]
    geometry: Geometry | None = arguments["geometry"]
    if reducer != Reducer("anyNonZero"):
        raise unsupported(f"{_NAME} with Reducer.{reducer.name}")
    if geometry is None or arguments["crs"] is None or arguments["crsTransform"] is None:
        raise unsupported(f"{_NAME} without geometry, crs and crsTransform")
    transform = read_transform(_NAME, arguments["crsTransform"])
    grid = _grid_around(geometry, Projection(arguments["crs"].crs, transform))
    count = grid.width * grid.height
    if count > arguments["maxPixels"]:
        # The real service's text, seen in public error reports.
        raise invalid_argument(
            f"{_NAME}: Too many pixels in the region. Found {count}, but maxPixels allows only "
            f"{arguments['maxPixels']:.0f}."
        )
    return {band.id: _any_non_zero(band, geometry, grid) for band in image.bands}


def _grid_around(geometry: Geometry, projection: Projection) -> PixelGrid:
    box = geometry.box_in(projection)
    if box is None:
        raise invalid_argument(f"{_NAME}: The geometry must be bounded.")
    whole = box.snapped()
    return PixelGrid(projection.offset(whole.left, whole.top), whole.width, whole.height)


def _any_non_zero(band: Band, geometry: Geometry, grid: PixelGrid) -> int | None:
    """Return 1 or 0; None if no pixel is valid."""
    found = None
    for strip in _strips(grid):
        pixels = band.render(strip)
        is_counted = pixels.is_valid & geometry.covers_centres(strip)
        if (is_counted & (pixels.values != 0)).any():
            return 1
        found = 0 if is_counted.any() else found
    return found


def _strips(grid: PixelGrid) -> Iterator[PixelGrid]:
    rows = max(1, _PIXELS_PER_STRIP // max(1, grid.width))
    for top in range(0, grid.height, rows):
        projection = grid.projection.offset(0, top)
        yield replace(grid, projection=projection, height=min(rows, grid.height - top))


FUNCTIONS = (
    Function(
        _NAME,
        (
            Parameter("image", IMAGE),
            Parameter("reducer", "Reducer"),
            Parameter("geometry", "Geometry", None),
            Parameter("scale", "Float", None, is_served=False),
            Parameter("crs", "Projection", None),
            Parameter("crsTransform", "List<Float>", None),
            Parameter("bestEffort", "Boolean", False, is_served=False),
            Parameter("maxPixels", "Long", _MOST_PIXELS),
            Parameter("tileScale", "Float", 1.0, is_served=False),
        ),
        "Dictionary<Object>",
        "the provider, if it sees no valid pixel",
        _reduce_region,
    ),
    reducer_function("anyNonZero", (), "the provider, if it sees no valid pixel"),
)
