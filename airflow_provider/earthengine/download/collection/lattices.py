"""One lattice of pixels for each band of a collection: its rasters stack without resampling.

The lattice is that of the first item: where one pixel is, and how pixels follow each other; not how
many of them a raster has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.exceptions import DownloadParamsError

Grids = Mapping[str, PixelGrid]
"""A grid by the id of its band."""


def read_grids(value: Foreign) -> dict[str, PixelGrid]:
    """Return the grids that a collection's document has.

    :raises ForeignValueError: if they are none.
    """
    return {
        band: _read_grid(Foreign(each, f"the grid of {band}"))
        for band, each in value.fields().items()
    }


def write_grids(grids: Grids) -> dict[str, Any]:
    """Return the grids for the document."""
    return {
        band: {
            "crs": grid.crs,
            "transform": list(grid.transform),
            "shape": [grid.height, grid.width],
        }
        for band, grid in grids.items()
    }


def check_same_lattices(collection_uri: str, known: Grids, grids: Grids, what: str) -> None:
    """Raise if the pixels of a band do not lie on the collection's lattice of that band.

    A band that is new to the collection must have the crs of one of the others.

    :param what: that has ``grids``, for the message.
    :raises DownloadParamsError: if they do not.
    """
    for band, grid in grids.items():
        if band in known:
            wanted, fits = known[band], _is_on_lattice(grid, known[band])
        else:
            wanted = next(iter(known.values()), grid)
            fits = not known or any(each.is_in(grid.crs) for each in known.values())
        if not fits:
            raise DownloadParamsError(
                f"The pixels of {band} in {what} are {grid}, which is not the lattice of the "
                f"collection {collection_uri}, {wanted}; use the same crs, pixels and origin, "
                "another id and prefix in collection, or collection['mixed_grids'].",
                field="collection",
            )


def _is_on_lattice(grid: PixelGrid, lattice: PixelGrid) -> bool:
    return grid.is_on_lattice_of(lattice.transform) and lattice.is_in(grid.crs)


def _read_grid(value: Foreign) -> PixelGrid:
    a, b, c, d, e, f = (each.finite() for each in value.at("transform").items(6))
    height, width = (each.whole(least=1) for each in value.at("shape").items(2))
    grid = PixelGrid(value.at("crs").text(), (a, b, c, d, e, f), width, height)
    if not grid.is_placed:
        raise ForeignValueError(f"{value.place} places no pixel")
    return grid
