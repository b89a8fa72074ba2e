"""Are the pixels fewer, or coarser, than who asked for the region can have meant?

Nothing is refused here: a single pixel of a coarse grid can be what is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.region import Region
from airflow_provider.earthengine.download.plan.describe import Description
from airflow_provider.earthengine.download.plan.grid import PixelGrid

_FEW = 16
# Sides of pixels as multiples, areas as multiples: far from what rounding or a slant could do.
_MUCH_COARSER, _MUCH_LARGER = 10, 100
# The nominal metres of a degree. Source: the files that Earth Engine makes, 30 m of which are
# 0.00026949458523585647 degrees; https://github.com/gee-community/qgis-earthengine-plugin.
_METRES_PER_DEGREE = 111319.49079327357


def warn_of_few_pixels(description: Description, params: DownloadParams) -> Iterator[str]:
    """Yield a sentence for each grid that is suspiciously small or coarse; one for like bands."""
    region = _sides_of(params.region)
    own = {band.id: band.grid for band in description.whole.bands}
    told: set[PixelGrid] = set()
    for band in description.asked.bands:
        grid = band.grid
        if grid is None or grid in told or band.is_apart or grid.is_empty or not grid.is_placed:
            continue
        told.add(grid)
        pixel, native = _metres(grid), _metres(own.get(band.id))
        if pixel is None:
            continue
        sentence = None
        if native and not params.names_pixels_of(band.id):
            sentence = _warn_of_coarse_pixels(grid, pixel, native)
        if not sentence and region:
            sentence = _warn_of_region(grid, pixel, region)
        if sentence:
            yield f"Band {band.id}: {sentence}"


def _warn_of_coarse_pixels(grid: PixelGrid, pixel: float, native: float) -> str | None:
    if grid.width * grid.height > _FEW or pixel < _MUCH_COARSER * native:
        return None
    return (
        f"the result is {grid.width} x {grid.height} px of about {_told(pixel)} m, and the image "
        f"has pixels of about {_told(native)} m; a crs alone has pixels of one of its units: give "
        "scale."
    )


def _warn_of_region(grid: PixelGrid, pixel: float, region: tuple[float, float]) -> str | None:
    across, down = region
    if max(across, down) < pixel:
        return (
            f"the region, about {_told(across)} x {_told(down)} m, is smaller than one pixel of "
            f"{_told(pixel)} m."
        )
    count = grid.width * grid.height
    if count <= _FEW and across * down > _MUCH_LARGER * count * pixel**2:
        return (
            f"the result is {grid.width} x {grid.height} px of about {_told(pixel)} m, and the "
            f"region is about {_told(across)} x {_told(down)} m: the image covers no more of it."
        )
    return None


def _told(metres: float) -> str:
    return f"{metres:,.0f}" if metres >= 10 else f"{metres:.2g}"


def _metres(grid: PixelGrid | None) -> float | None:
    """Return the nominal side of a pixel; None where the crs or the pixels are not known."""
    from airflow_provider.earthengine.download.plan.crs import resolve_crs

    crs = resolve_crs(grid.crs) if grid and grid.is_placed else None
    if grid is None or crs is None:
        return None
    metres = _METRES_PER_DEGREE if crs.is_geographic else float(crs.linear_units_factor[1])
    return grid.pixel_side * metres


def _sides_of(region: Region | None) -> tuple[float, float] | None:
    """Return how far a region of degrees reaches from west to east and from south to north."""
    from shapely.geometry import Polygon, box, shape

    if region is None or isinstance(region, str):
        return None
    if isinstance(region, dict):
        place = shape(region)
    elif isinstance(region[0], list):
        place = Polygon(region)
    else:
        place = box(*region)
    west, south, east, north = place.bounds
    if max(map(abs, (west, east))) > 360 or max(map(abs, (south, north))) > 90:
        return None
    middle = math.radians((south + north) / 2)
    return (
        (east - west) * _METRES_PER_DEGREE * math.cos(middle),
        (north - south) * _METRES_PER_DEGREE,
    )
