"""Whether an image can have pixels where pixels were asked for: denied only where it is certain."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from pyproj import Transformer

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.overlap import may_meet

SINUSOIDAL = (
    'PROJCS["sinusoidal",GEOGCS["sphere",DATUM["sphere",SPHEROID["sphere",6371007.181,0]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Sinusoidal"],'
    'PARAMETER["longitude_of_center",0],PARAMETER["false_easting",0],'
    'PARAMETER["false_northing",0],UNIT["metre",1]]'
)


def grid(crs: str, step: float, left: float, top: float, width: int, height: int) -> PixelGrid:
    return PixelGrid(crs, (step, 0.0, left, 0.0, -step, top), width, height)


CALIFORNIA = grid("EPSG:32610", 10, 499_980, 4_200_000, 10_980, 10_980)
FIJI = grid("EPSG:32701", 1000, 100_000, 8_300_000, 200, 300)
GLOBE = grid("EPSG:4326", 0.25, -180, 84, 1440, 560)
ARCTIC = grid("EPSG:3413", 1000, -2_000_000, 2_000_000, 4000, 4000)


@pytest.mark.parametrize(
    ("asked", "image"),
    [
        (GLOBE, grid("EPSG:3035", 1000, 900_000, 5_500_000, 6500, 4600)),
        (GLOBE, CALIFORNIA),
        (GLOBE, FIJI),
        (GLOBE, ARCTIC),
        (grid("EPSG:3857", 10_000, -20_037_508, 20_037_508, 4007, 4007), CALIFORNIA),
        (grid("EPSG:4326", 1e-4, -122.9, 37.5, 100, 100), CALIFORNIA),
        (grid("EPSG:4326", 0.01, 179.5, -16, 50, 100), FIJI),
        (grid("EPSG:4326", 0.01, 181, -16, 100, 100), FIJI),
        (grid("EPSG:4326", 0.01, -10, 5, 100, 100), grid("EPSG:4326", 1, 0, 90, 360, 180)),
        (grid("EPSG:4326", 0.1, 10, 88, 100, 30), ARCTIC),
        (ARCTIC, grid("EPSG:4326", 0.1, 10, 88, 100, 30)),
        (ARCTIC, grid("EPSG:4326", 1, -180, 90, 360, 180)),
        (grid("EPSG:4326", 0.01, -122, 38, 100, 100),
         grid(SINUSOIDAL, 463.3127165, -11_119_505, 4_447_802, 2400, 2400)),
        (grid("EPSG:32611", 10, 200_000, 4_200_000, 1000, 1000),
         grid("EPSG:32610", 10, 699_980, 4_200_000, 10_980, 10_980)),
    ],
)  # fmt: skip
def test_what_meets_is_never_denied_whatever_the_projections_do(
    asked: PixelGrid, image: PixelGrid
) -> None:
    assert may_meet(asked, image)


@pytest.mark.parametrize(
    ("asked", "image"),
    [
        (grid("EPSG:4326", 1e-3, 10, 50.1, 100, 100), CALIFORNIA),
        (grid("EPSG:4326", 1e-4, -124.3, 37.5, 100, 100), CALIFORNIA),
        (grid("EPSG:32611", 10, 600_000, 4_200_000, 1000, 1000), CALIFORNIA),
        (grid("EPSG:32610", 10, 400_000, 4_200_000, 1000, 1000), CALIFORNIA),
        (grid("EPSG:4326", 0.01, -10, 5, 100, 100), grid("EPSG:4326", 0.1, 20, 30, 100, 100)),
        (ARCTIC, grid("EPSG:4326", 0.1, 10, -60, 100, 30)),
        (grid("EPSG:32610", 10, 500_400, 4_098_000, 90, 112),
         PixelGrid("EPSG:4326", (1, 0, 0, 0, 1, 0), 1, 1)),
        (grid("EPSG:32610", 10, 500_400, 4_098_000, 0, 0), CALIFORNIA),
    ],
)  # fmt: skip
def test_what_is_certainly_apart_is_told(asked: PixelGrid, image: PixelGrid) -> None:
    assert not may_meet(asked, image)


@pytest.mark.parametrize(
    "image",
    [
        None,
        grid("SR-ORG:9999", 463, 0, 0, 10, 10),
        grid("EPSG:32610", float("nan"), 0, 0, 10, 10),
        grid("EPSG:32610", 1e300, 1e308, 0, 10**17, 10**17),
        PixelGrid("EPSG:32610", (0, 0, 0, 0, 0, 0), 5, 5),
    ],
)
def test_what_cannot_be_known_is_earth_engines_to_answer(image: PixelGrid | None) -> None:
    assert may_meet(grid("EPSG:4326", 1e-4, 20, 50, 100, 100), image)


STEPS = {"EPSG:4326": 0.01, "EPSG:32610": 1000, "EPSG:32760": 1000, "EPSG:3035": 1000,
         "EPSG:3413": 1000, "EPSG:3857": 1000}  # fmt: skip


@cache
def between(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def drawn(chance: random.Random, longitude: float, latitude: float) -> PixelGrid:
    """Return a grid around a place, as far as its crs knows the place."""
    while True:
        crs = chance.choice(list(STEPS))
        x, y = between("EPSG:4326", crs).transform(longitude, latitude)
        if np.isfinite([x, y]).all():
            break
    width, height = (chance.choice((3, 40, 400, 4000)) for _ in range(2))
    left, top = x - STEPS[crs] * width / 2, y + STEPS[crs] * height / 2
    return grid(crs, STEPS[crs], left, top, width, height)


def shares_a_point(asked: PixelGrid, image: PixelGrid) -> bool:
    """Judge by many points of one grid, in the pixels of the other; of what has a place there."""
    a, _, c, _, e, f = asked.transform
    shares = np.linspace(0, 1, 50)
    columns, rows = np.meshgrid(asked.width * shares, asked.height * shares)
    xs, ys = a * columns + c, e * rows + f
    moved = between(asked.crs, image.crs).transform(xs, ys)
    home = between(image.crs, asked.crs).transform(*moved)
    is_sound = np.isfinite(moved).all(axis=0) & (np.abs(home[1] - ys) < abs(a))
    a, _, c, _, e, f = image.transform
    column, row = (moved[0] - c) / a, (moved[1] - f) / e
    inside = (column > 0) & (column < image.width) & (row > 0) & (row < image.height)
    return bool((inside & is_sound).any())


@pytest.mark.slow
def test_no_two_grids_that_share_a_point_are_denied_and_most_that_share_none_are() -> None:
    chance = random.Random(20_261_126)
    meeting = denied = apart = 0
    for _ in range(80):
        longitude, latitude = chance.uniform(-180, 180), chance.uniform(-80, 80)
        image = drawn(chance, longitude, latitude)
        away = chance.choice((1, 10, 60))
        asked = drawn(
            chance,
            (longitude + chance.uniform(-away, away) + 180) % 360 - 180,
            max(-85, min(85, latitude + chance.uniform(-away, away))),
        )
        if shares_a_point(asked, image) or shares_a_point(image, asked):
            meeting += 1
            assert may_meet(asked, image), (asked, image)
        else:
            apart += 1
            denied += not may_meet(asked, image)
    assert meeting > 15
    assert denied > 0.7 * apart > 15
