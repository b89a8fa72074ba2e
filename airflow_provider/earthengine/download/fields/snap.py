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

    columns, rows = lattice.steps_to(*_points_in(region, lattice.crs, name))
    if not (np.isfinite(columns).all() and np.isfinite(rows).all()):
        raise DownloadParamsError(
            f"region reaches places that the crs of {name}, {shown(lattice.crs)}, does not have; "
            "use a smaller region, or another crs.",
            field="region",
        )
    left, top = (math.floor(each.min() + _PIXEL_TOLERANCE) for each in (columns, rows))
    right, bottom = (math.ceil(each.max() - _PIXEL_TOLERANCE) for each in (columns, rows))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _points_in(region: Region, crs: str, name: str) -> Any:
    """Return the x and the y of points along a region's edges, in another crs."""
    import numpy as np
    import shapely
    from rasterio.warp import transform

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
    west, south, east, north = shapely.total_bounds(shapes)
    longest = max(east - west, north - south) / _STEPS
    points = shapely.get_coordinates(shapely.segmentize(shapes, longest))
    if source != target:
        xs, ys = transform(source, target, *points.T.tolist())
        return np.asarray(xs, dtype="float64"), np.asarray(ys, dtype="float64")
    return points[:, 0], points[:, 1]


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
