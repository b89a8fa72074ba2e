"""Does a download have suspiciously few or coarse pixels?

It only gets a warning: a single pixel of a coarse grid may be intended.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.region import Region
from airflow_provider.earthengine.download.plan.describe import Description
from airflow_provider.earthengine.download.plan.grid import PixelGrid

_FEW = 16
# Ratios of pixel sides, and of areas; too large for rounding or a rotation to explain.
_MUCH_COARSER, _MUCH_LARGER = 10, 100
# The nominal metres of a degree: in Earth Engine's files, 30 m are 0.00026949458523585647 degrees.
# Source: https://github.com/gee-community/qgis-earthengine-plugin, test_extent_transformation.tif.
_METRES_PER_DEGREE = 111319.49079327357


def warn_of_few_pixels(description: Description, params: DownloadParams) -> Iterator[str]:
    """Yield a warning for each suspiciously small or coarse grid, naming its first band."""
    region = _sides_of(params.region)
    own = {band.id: band.grid for band in description.whole.bands}
    seen: set[PixelGrid] = set()
    for band in description.asked.bands:
        grid = band.grid
        if grid is None or grid in seen or band.is_apart or grid.is_empty or not grid.is_placed:
            continue
        seen.add(grid)
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
        f"the result is {grid.width} x {grid.height} px of about {_shown(pixel)} m, but the image "
        f"has pixels of about {_shown(native)} m; with crs alone, a pixel is one unit of the crs, "
        "so give scale too."
    )


def _warn_of_region(grid: PixelGrid, pixel: float, region: tuple[float, float]) -> str | None:
    across, down = region
    if max(across, down) < pixel:
        return (
            f"the region of about {_shown(across)} x {_shown(down)} m is smaller than one pixel "
            f"of {_shown(pixel)} m."
        )
    count = grid.width * grid.height
    if count <= _FEW and across * down > _MUCH_LARGER * count * pixel**2:
        return (
            f"the result is {grid.width} x {grid.height} px of about {_shown(pixel)} m, but the "
            f"region is about {_shown(across)} x {_shown(down)} m; the image does not cover more."
        )
    return None


def _shown(metres: float) -> str:
    return f"{metres:,.0f}" if metres >= 10 else f"{metres:.2g}"


def _metres(grid: PixelGrid | None) -> float | None:
    """Return the nominal side of a pixel; None if the crs or the grid is unknown."""
    from airflow_provider.earthengine.download.crs import resolve_crs

    crs = resolve_crs(grid.crs) if grid and grid.is_placed else None
    if grid is None or crs is None:
        return None
    metres = _METRES_PER_DEGREE if crs.is_geographic else float(crs.linear_units_factor[1])
    return grid.pixel_side * metres


def _sides_of(region: Region | None) -> tuple[float, float] | None:
    """Return the extent of a region in metres, from west to east and from south to north."""
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
