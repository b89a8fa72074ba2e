"""Downloads that are not what was asked for: well formed, complete, and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider.earthengine.emulator.values.computed_pixels import ComputedPixels, Numbers
from airflow_provider.earthengine.emulator.values.grids import PixelGrid
from airflow_provider.earthengine.emulator.values.images import Band, PixelType


def other_type(band: Band) -> Band:
    """Returns a band with the same values in a type that it does not have."""
    kind = PixelType("float32" if band.pixel_type.is_integer else "int16")

    def same(values: Numbers) -> Numbers:
        return values

    return replace(band, pixel_type=kind, source=ComputedPixels((band,), kind, same))


def shifted(grid: PixelGrid) -> PixelGrid:
    """Returns the grid that lies one pixel to the right."""
    return replace(grid, projection=grid.projection.offset(1, 0))


def widened(grid: PixelGrid) -> PixelGrid:
    """Returns the grid that has one more column."""
    return replace(grid, width=grid.width + 1)


def damaged_members(
    members: Sequence[tuple[str, bytes]], damage: str | None
) -> list[tuple[str, bytes]]:
    """Returns the members of a zip, one of them wrong."""
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
