"""Bands without pixels get some: in a common file, those of the other bands."""

from __future__ import annotations

from typing import Any

from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.plan.apart import place_bands
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo

FIRST = PixelGrid("EPSG:32610", (10, 0, 600_000, 0, -10, 4_100_000), 20, 10)
# On the same lattice, 100 m to the east and the south.
SECOND = PixelGrid("EPSG:32610", (10, 0, 600_100, 0, -10, 4_099_900), 20, 10)
NOTHING = PixelGrid("EPSG:32610", (10, 0, 600_000, 0, -10, 4_100_000), 0, 0)
PARAMS = read_params({"format": "GEO_TIFF"})


def grids_of(*grids: PixelGrid | None) -> list[PixelGrid | None]:
    """Return the grids that bands with these are given; nothing is asked for them."""
    bands = tuple(BandInfo(f"b{number}", "uint8", grid) for number, grid in enumerate(grids))
    client: Any = None
    _, params, placed = place_bands(client, None, PARAMS, bands)
    assert params == PARAMS
    assert [band.id for band in placed] == [band.id for band in bands]
    return [band.grid for band in placed]


def test_bands_with_pixels_are_as_they_were() -> None:
    assert grids_of(FIRST, SECOND, None) == [FIRST, SECOND, None]


def test_a_band_without_pixels_gets_those_of_all_others() -> None:
    around = PixelGrid("EPSG:32610", (10, 0, 600_000, 0, -10, 4_100_000), 30, 20)
    assert grids_of(FIRST, NOTHING, SECOND) == [FIRST, around, SECOND]


def test_where_the_others_share_no_lattice_it_gets_those_of_the_first() -> None:
    other = PixelGrid("EPSG:32611", (10, 0, 600_000, 0, -10, 4_100_000), 20, 10)
    assert grids_of(NOTHING, FIRST, other) == [FIRST, FIRST, other]
