"""A region and a lattice -> the parameters of a raster that is made of whole pixels of the lattice.

The raster is the smallest that covers the region's bounds in the lattice's crs. Edges that bend
there are followed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from airflow_provider.earthengine.download.fields.lattice import Lattice
from airflow_provider.earthengine.download.fields.params import BandParams, DownloadParams
from airflow_provider.earthengine.download.fields.region import Region
from airflow_provider.earthengine.download.fields.region_crs import WGS84
from airflow_provider.earthengine.download.fields.values import shown
from airflow_provider.earthengine.exceptions import DownloadParamsError

_CONTRADICTING = ("crs_transform", "dimensions", "scale")
# A region that ends on an edge of the lattice, but for rounding, ends there.
_PIXEL_TOLERANCE = 1e-6
_STEPS = 1000
_SAMPLES = 61
# In units of a crs: no place on Earth is so far away.
_FARTHEST = 1e9
# In radii of the Earth, some ten metres; in units of a crs, less than any pixel.
_ASTRAY = 2e-6


def check_alone(params: DownloadParams, name: str) -> None:
    """Raise if the parameters set pixels that the lattice sets.

    :param name: of the field that gives the lattice.
    :raises DownloadParamsError: if they do.
    """
    whole = BandParams(
        "download_params", None, params.crs_transform, params.dimensions, params.scale
    )
    for each in (whole, *params.bands):
        where = each.id if each is whole else f"band {shown(each.id)}"
        keys = _CONTRADICTING if each is whole else ("crs", *_CONTRADICTING)
        if twice := [key for key in keys if getattr(each, key) is not None]:
            raise DownloadParamsError(
                f"{where} has {' and '.join(twice)}, and {name} sets the pixels; leave one of them "
                "out.",
                field=twice[0],
            )


def snap_params(params: DownloadParams, lattice: Lattice, name: str) -> DownloadParams:
    """Return the parameters, with the pixels of the lattice that cover the region in its place.

    :param name: of the field that gives the lattice.
    :raises DownloadParamsError: if they contradict it, or there is no region with coordinates.
    """
    check_alone(params, name)
    if params.crs and not _is_same(params.crs, lattice.crs):
        raise DownloadParamsError(
            f"download_params has the crs {shown(params.crs)}, but {name} has "
            f"{shown(lattice.crs)}; leave it out of download_params.",
            field="crs",
        )
    if params.region is None or isinstance(params.region, str):
        what = "no region" if params.region is None else "a table as its region"
        raise DownloadParamsError(
            f"download_params has {what}, and {name} needs coordinates to snap; write GeoJSON, a "
            "file of it, or [west, south, east, north].",
            field="region",
        )
    left, top, right, bottom = _pixel_bounds(params.region, lattice, name)
    x, y = lattice.corner(left, top)
    a, b, _, d, e, _ = lattice.transform
    return replace(
        params,
        crs=lattice.crs,
        crs_transform=(a, b, x, d, e, y),
        dimensions=(right - left, bottom - top),
        region=None,
    )


def _is_same(one: str, other: str) -> bool:
    from airflow_provider.earthengine.download.crs import resolve_crs

    if one == other:
        return True
    first = resolve_crs(one)
    return first is not None and first == resolve_crs(other)


def _pixel_bounds(region: Region, lattice: Lattice, name: str) -> tuple[int, int, int, int]:
    """Return columns and rows of the lattice that cover a region: left, top, right, bottom."""
    import numpy as np

    xs, ys = _points_in(region, lattice.crs, name)
    columns, rows = lattice.steps_to(xs, ys)
    if not np.isfinite([columns, rows]).all() or np.abs([xs, ys]).max() > _FARTHEST:
        raise DownloadParamsError(
            f"region reaches places that the crs of {name}, {shown(lattice.crs)}, does not have; "
            "use a smaller region, or another crs.",
            field="region",
        )
    left, top = (math.floor(each.min() + _PIXEL_TOLERANCE) for each in (columns, rows))
    right, bottom = (math.ceil(each.max() - _PIXEL_TOLERANCE) for each in (columns, rows))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _sampled(outlines: Any) -> Any:
    """Return points along the edges, and some inside: not every projection keeps these inside."""
    import numpy as np
    import shapely

    west, south, east, north = shapely.total_bounds(outlines)
    longest = max(east - west, north - south) / _STEPS
    edges = shapely.get_coordinates(shapely.segmentize(outlines, longest))
    xs, ys = (np.linspace(*ends, _SAMPLES) for ends in ((west, east), (south, north)))
    samples = np.column_stack([each.ravel() for each in np.meshgrid(xs, ys)])
    inside = shapely.contains_xy(outlines[0], *samples.T)
    return np.vstack([edges, samples[inside]])


def _points_in(region: Region, crs: str, name: str) -> Any:
    """Return the x and the y of points of a region, in another crs."""
    import numpy as np

    from airflow_provider.earthengine.download.crs import resolve_crs

    own, shapes = _outlines(region)
    source, target = resolve_crs(own), resolve_crs(crs)
    if source is None or target is None:
        lacking = own if source is None else crs
        raise DownloadParamsError(
            f"{name} needs to transform the region, and PROJ does not know the crs "
            f"{shown(lacking)}; use another one.",
            field="region" if source is None else name,
        )
    points = _sampled(shapes)
    if source == target:
        return points[:, 0], points[:, 1]
    there = _transform(source, target, points)
    back = _transform(target, source, there)
    # Outside of what it is made for, a projection may put two places onto one.
    astray = _apart(points, back, is_geographic=source.is_geographic) > _ASTRAY
    xs, ys = np.where(astray[:, np.newaxis], np.nan, there).T
    return xs, ys


def _transform(source: Any, target: Any, points: Any) -> Any:
    """Return (x, y) of points in another crs; NaN where they do not exist in it."""
    import numpy as np
    from rasterio._err import CPLE_BaseError  # What a failed transformation raises; not public.
    from rasterio.errors import RasterioError
    from rasterio.warp import transform

    try:
        found = np.column_stack(transform(source, target, *points.T.tolist()))
    except (RasterioError, CPLE_BaseError, SystemError):
        # rasterio raises SystemError if GDAL fails without a message.
        return np.full(points.shape, np.nan)
    return np.where(np.isfinite(found), found, np.nan)


def _apart(one: Any, other: Any, *, is_geographic: bool) -> Any:
    """Return how far points are apart: in radii of the Earth, or in units of their crs."""
    import numpy as np

    if is_geographic:
        one, other = (_on_sphere(np.radians(each)) for each in (one, other))
    return np.nan_to_num(np.linalg.norm(one - other, axis=1), nan=np.inf)


def _on_sphere(radians: Any) -> Any:
    """Return the unit vectors of (longitude, latitude): at a pole, all longitudes are one place."""
    import numpy as np

    longitude, latitude = radians.T
    across = np.cos(latitude)
    return np.column_stack(
        [across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)]
    )


def _outlines(region: Any) -> tuple[str, Any]:
    """Return the crs of a region, and its polygons or its box as shapely's."""
    import numpy as np
    import shapely
    from shapely.geometry import shape

    if isinstance(region, dict):
        crs = region["crs"]["properties"]["name"] if "crs" in region else WGS84
        return crs, np.array([shape({key: region[key] for key in ("type", "coordinates")})])
    polygon = shapely.Polygon(region) if isinstance(region[0], list) else shapely.box(*region)
    return WGS84, np.array([polygon])
