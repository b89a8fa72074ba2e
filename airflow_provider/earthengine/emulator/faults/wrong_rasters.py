"""Downloads that are not what was requested: well formed, complete, and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider.earthengine.emulator.values.computed_pixels import ComputedPixels, Numbers
from airflow_provider.earthengine.emulator.values.grids import PixelGrid
from airflow_provider.earthengine.emulator.values.images import Band, PixelType


def other_type(band: Band) -> Band:
    """Return a band with the same values in a wrong type."""
    kind = PixelType("float32" if band.pixel_type.is_integer else "int16")

    def same(values: Numbers) -> Numbers:
        return values

    return replace(band, pixel_type=kind, source=ComputedPixels((band,), kind, same))


def shifted(grid: PixelGrid) -> PixelGrid:
    """Return the grid shifted by one pixel to the right."""
    return replace(grid, projection=grid.projection.offset(1, 0))


def widened(grid: PixelGrid) -> PixelGrid:
    """Return the grid with one more column."""
    return replace(grid, width=grid.width + 1)


def damaged_members(
    members: Sequence[tuple[str, bytes]], damage: str | None
) -> list[tuple[str, bytes]]:
    """Return the members of a zip, one of them wrong."""
    (name, content), *rest = members
    match damage:
        case "zip_extra":
            return [*members, ("extra.tif", content)]
        case "zip_missing":
            return list(members)[:-1]
        case "zip_absolute":
            return [(f"/{name}", content), *rest]
        case "zip_parent":
            return [(f"../{name}", content), *rest]
    return list(members)
