"""Where a raster's pixels are: what the file says, compared with the request and the prediction.

A raster that misses an explicit request (crs, crs_transform, dimensions) fails. Deviations from the
predicted grid are reported as warnings.

Earth Engine places pixels in the crs of its description. That crs is published; what the file names
is compared with it. If PROJ does not know the description's crs, the file's is published, and the
record says that it is unchecked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from airflow_provider.earthengine.download.crs import misnamed_crs, name_of_crs, resolve_crs
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.raster.facts import mismatch

_SHOWN_LENGTH = 80


@dataclass(frozen=True)
class Placement:
    """Where a raster's pixels are.

    :param grid: as read, in the crs that its pixels are in.
    :param crs: rasterio's, of the grid; None for none.
    :param warnings: deviations from the prediction, and what could not be checked, one sentence
        each.
    :param is_misnamed: whether the file itself names another crs, as some of Earth Engine's do.
    """

    grid: PixelGrid
    crs: Any
    warnings: tuple[str, ...] = ()
    is_misnamed: bool = False


def place_raster(plan: RasterPlan, grid: PixelGrid, named: Any) -> Placement:
    """Return where the pixels of a GeoTIFF are.

    :param grid: as read; its crs is ignored.
    :param named: rasterio's crs that the file names; None for none.
    :raises RasterMismatchError: if that is not what was requested.
    """
    wanted = resolve_crs(plan.crs)
    if is_named_by(grid, plan.crs, named):
        placed = _place(wanted, grid, is_misnamed=not grid.is_alike_in(wanted, named))
    elif wanted and not plan.ask.crs:
        warning = f"The crs is {_shown(named)}, but {_shown(plan.crs)} was predicted."
        placed = _place(named or wanted, grid, warning)
    elif wanted or (plan.crs and not named):
        raise mismatch("crs", _shown(plan.crs), _shown(named))
    else:
        placed = _place(named, grid, _unchecked(plan, named))
    _check_asks(plan, placed.grid)
    if plan.grid and not grid.is_close_to(plan.grid):
        unmet = f"The grid is {placed.grid}, but {plan.grid} was predicted."
        placed = replace(placed, warnings=(unmet, *placed.warnings))
    return placed


def place_array(grid: PixelGrid) -> Placement:
    """Return where the pixels of an array are, which does not say it.

    :param grid: as predicted.
    """
    crs = resolve_crs(grid.crs)
    if crs or not grid.crs:
        return _place(crs, grid)
    warning = f"PROJ does not know {_shown(grid.crs)}, so the item has no geometry."
    return Placement(grid, None, (warning,))


def is_named_by(grid: PixelGrid, name: str | None, named: Any) -> bool:
    """Return whether a file names this crs, correctly or as Earth Engine misnames it.

    :param name: of the crs.
    :param named: rasterio's crs that the file names; None for none.
    """
    known = [crs for crs in (resolve_crs(name), misnamed_crs(name)) if crs]
    return named in known or any(grid.is_alike_in(crs, named) for crs in known)


def _place(crs: Any, grid: PixelGrid, warning: str = "", *, is_misnamed: bool = False) -> Placement:
    placed = replace(grid, crs=name_of_crs(crs))
    return Placement(placed, crs or None, (warning,) if warning else (), is_misnamed)


def _unchecked(plan: RasterPlan, named: Any) -> str:
    if not plan.crs:
        return ""
    return (
        f"PROJ does not know {_shown(plan.crs)}, so the file's crs, {_shown(named)}, is published "
        "unchecked."
    )


def _check_asks(plan: RasterPlan, grid: PixelGrid) -> None:
    """Raise if the raster is not what was explicitly requested.

    :raises RasterMismatchError: if its transform or dimensions differ from the request.
    """
    if plan.ask.crs_transform and not grid.is_on_lattice_of(plan.ask.crs_transform):
        raise mismatch("crs_transform", list(plan.ask.crs_transform), list(grid.transform))
    if plan.ask.dimensions and plan.ask.dimensions != (grid.width, grid.height):
        raise mismatch("dimensions", plan.ask.dimensions, (grid.width, grid.height))
    # Together they fix the first pixel; without dimensions, the region does.
    if plan.ask.crs_transform and plan.ask.dimensions:
        a, b, c, d, e, f = plan.ask.crs_transform
        if not grid.is_close_to(replace(grid, transform=(a, b, c, d, e, f))):
            raise mismatch("crs_transform", list(plan.ask.crs_transform), list(grid.transform))


def _shown(crs: Any) -> str:
    """Return a crs, or its name, as logs and errors show it."""
    name = crs if isinstance(crs, str) else name_of_crs(crs)
    # PROJ's terms say more than the first characters of WKT.
    terms = "" if isinstance(crs, str) or "[" not in name else crs.to_proj4()
    return (terms or name)[:_SHOWN_LENGTH] or "none"
