"""Computed bands that look like a landscape under clouds: for demos, whose pictures people look at.

Hills, lakes, woods and fields that follow the seasons are the same in every image; clouds and
noise are the image's own. A pixel depends only on its place and its image, so that tiles fit
together, bands of several resolutions show the same place, and another sensor sees it too. No pixel
is a measurement of anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine

from airflow_provider.earthengine.emulator.catalog.noise import cell_noise, fractal, pixel_noise
from airflow_provider.earthengine.emulator.catalog.stored_pixels import inside
from airflow_provider.earthengine.emulator.values.pixels import Pixels, Window

Values = npt.NDArray[np.float64]

# Reflectance of water, soil, plants and clouds, in the order of typical textbook curves.
_SPECTRA = {
    "coastal": (0.055, 0.07, 0.025, 0.62),
    "blue": (0.050, 0.09, 0.030, 0.62),
    "green": (0.048, 0.12, 0.065, 0.60),
    "red": (0.030, 0.165, 0.035, 0.60),
    "red_edge_1": (0.025, 0.185, 0.11, 0.61),
    "red_edge_2": (0.020, 0.205, 0.28, 0.63),
    "red_edge_3": (0.018, 0.220, 0.36, 0.64),
    "near_infrared": (0.015, 0.240, 0.41, 0.65),
    "narrow_near_infrared": (0.014, 0.255, 0.42, 0.65),
    "water_vapour": (0.012, 0.255, 0.42, 0.55),
    "short_infrared_1": (0.008, 0.320, 0.20, 0.50),
    "short_infrared_2": (0.006, 0.270, 0.10, 0.42),
}
# Surface temperature in kelvin, of the same four.
_KELVIN = (287.0, 304.0, 295.0, 268.0)
# What a band may show besides a reflectance.
OTHERS = ("temperature", "scene_class", "qa_pixel", "cloud_percent", "clear_share")
SHOWN = (*_SPECTRA, *OTHERS)

# The classes of Sentinel-2's SCL that occur here.
# Source: https://developers.google.com/earth-engine/datasets/catalog/COPERNICUS_S2_SR_HARMONIZED
# (2025-08)
_SHADOW, _PLANTS, _SOIL, _WATER, _MEDIUM_CLOUD, _CLOUD = 3, 4, 5, 6, 8, 9
# Landsat's QA_PIXEL for the same: clear land, clear water, cloud, cloud shadow.
# Source: https://developers.google.com/earth-engine/datasets/catalog/LANDSAT_LC08_C02_T1_L2
# (2025-08)
_QA_LAND, _QA_WATER, _QA_CLOUD, _QA_SHADOW = 21824, 21952, 22280, 23888

_HILLS, _MOISTURE, _FIELDS, _CLOUDS = 11, 23, 37, 53
_LAKE_LEVEL, _FIELD_LEVEL, _WOOD_MOISTURE = 0.37, 0.56, 0.52
_RELIEF_METRES = 900.0
# Where the shadow of a cloud lies, seen from the cloud.
_SHADOW_EAST, _SHADOW_NORTH = -400.0, 500.0
# The spread of the fractal noise of clouds, measured over a large area.
_CLOUD_SPREAD = NormalDist(0.5, 0.118)
_CLOUD_EDGE = 0.03


@dataclass(frozen=True)
class Scene:
    """What distinguishes one image of a landscape from another.

    :param seed: of clouds and noise.
    :param day_of_year: for the seasons, 1 to 366.
    :param cloud_percent: the share of the area under clouds, about.
    """

    seed: int = 0
    day_of_year: int = 180
    cloud_percent: float = 0.0


@dataclass(frozen=True)
class Shown:
    """What a band shows, and how it is stored: physical value = stored * scale + offset."""

    name: str
    scale: float = 0.0001
    offset: float = 0.0


@dataclass(frozen=True)
class LandscapeRaster:
    """One band of one image.

    :param transform: of its pixels, to metres; not rotated.
    :param masked: the windows without valid pixels.
    """

    shown: Shown
    scene: Scene
    transform: Affine
    width: int
    height: int
    dtype: np.dtype[np.generic]
    masked: tuple[Window, ...] = ()

    def read(self, window: Window) -> Pixels:
        eastings, northings = self._centres(window)
        view = _View(eastings, northings, self.transform.a, self.scene)
        physical = _show(self.shown.name, view)
        if self.dtype.kind == "f":
            values = physical.astype(self.dtype)
        else:
            stored = np.rint((physical - self.shown.offset) / self.shown.scale)
            limits = np.iinfo(self.dtype.name)
            values = np.clip(stored, limits.min, limits.max).astype(self.dtype)
        return Pixels(values, ~inside(self.masked, window))

    def _centres(self, window: Window) -> tuple[Values, Values]:
        columns = np.arange(window.left, window.left + window.width) + 0.5
        rows = np.arange(window.top, window.top + window.height) + 0.5
        east, south = float(self.transform.a), float(self.transform.e)
        left, top = float(self.transform.c), float(self.transform.f)
        return (left + columns * east).astype(np.float64), (top + rows * south).astype(np.float64)


@dataclass(frozen=True, eq=False)
class _View:
    """Where the pixels are, in metres, and when they are looked at."""

    eastings: Values
    northings: Values
    pixel_metres: float
    scene: Scene


def _show(name: str, view: _View) -> Values:
    cloud, shadow = _clouds(view)
    if name == "cloud_percent":
        percent: Values = np.rint(cloud * 100)
        return percent
    if name == "clear_share":
        clear: Values = np.clip(1 - np.maximum(cloud, 0.8 * shadow), 0, 1)
        return clear
    level, slope = _hills(view)
    is_water = level < _LAKE_LEVEL
    plants = _plants(view, level)
    if name in {"scene_class", "qa_pixel"}:
        return _classes(name, is_water, plants, cloud, shadow)
    water_value, soil, plant, white = _SPECTRA.get(name, _KELVIN)
    ground = np.where(is_water, water_value, soil + (plant - soil) * plants)
    light = np.where(is_water, 1.0, np.clip(1 + slope, 0.45, 1.5)) * (1 - 0.55 * shadow)
    if name == "temperature":
        warmth: Values = ground + 3 * (light - 1) + (white - ground) * cloud
        return warmth
    grain = 1 + 0.05 * (pixel_noise(view.eastings, view.northings, view.scene.seed) - 0.5)
    seen: Values = (ground * light * (1 - cloud) + white * cloud) * grain
    return seen


def _hills(view: _View) -> tuple[Values, Values]:
    """Return the height, 0 to 1, and how much a slope is turned to the sun in the south-east."""
    step = view.pixel_metres
    # One pixel more on each side, so that a slope at the edge of a window is the same as inside.
    east = np.concatenate(([view.eastings[0] - step], view.eastings, [view.eastings[-1] + step]))
    north = np.concatenate(
        ([view.northings[0] + step], view.northings, [view.northings[-1] - step])
    )
    level = fractal(east, north, 9000.0, 6, _HILLS)
    rise = _RELIEF_METRES / (2 * step)
    to_south = (level[:-2, 1:-1] - level[2:, 1:-1]) * rise
    to_east = (level[1:-1, :-2] - level[1:-1, 2:]) * rise
    return level[1:-1, 1:-1], 0.9 * to_south + 0.7 * to_east


def _plants(view: _View, level: Values) -> Values:
    """Return the share of the ground under plants: fields in the plains, woods and grass above."""
    moisture = fractal(view.eastings, view.northings, 2600.0, 4, _MOISTURE)
    season = 2 * math.pi * (view.scene.day_of_year - 100) / 365.25
    grass = np.clip(0.45 + 0.25 * math.cos(season) + 1.2 * (moisture - 0.5), 0.05, 0.9)
    wild = np.where(moisture > _WOOD_MOISTURE, 0.95, grass)
    phase = cell_noise(view.eastings, view.northings, 260.0, 180.0, _FIELDS)
    crops = 0.08 + 0.87 * (0.5 + 0.5 * np.cos(season + 2 * math.pi * phase))
    return np.where(level < _FIELD_LEVEL, crops, wild)


def _clouds(view: _View) -> tuple[Values, Values]:
    """Return how dense clouds are, and their shadows, 0 to 1."""
    share = min(view.scene.cloud_percent, 99.5) / 100
    if share <= 0:
        nothing = np.zeros((view.northings.size, view.eastings.size))
        return nothing, nothing
    threshold = _CLOUD_SPREAD.inv_cdf(1 - share)
    salt = _CLOUDS + 101 * view.scene.seed

    def density(east: Values, north: Values) -> Values:
        amount: Values = (fractal(east, north, 5000.0, 5, salt) - threshold) / _CLOUD_EDGE
        return np.clip(amount, 0, 1)

    cloud = density(view.eastings, view.northings)
    above = density(view.eastings - _SHADOW_EAST, view.northings - _SHADOW_NORTH)
    return cloud, above * (1 - cloud)


def _classes(
    name: str, is_water: npt.NDArray[np.bool_], plants: Values, cloud: Values, shadow: Values
) -> Values:
    conditions: list[Any] = [cloud > 0.6, cloud > 0.15, shadow > 0.3, is_water]
    if name == "qa_pixel":
        flags = [_QA_CLOUD, _QA_CLOUD, _QA_SHADOW, _QA_WATER]
        quality: Values = np.select(conditions, flags, _QA_LAND).astype(np.float64)
        return quality
    classes: list[Any] = [_CLOUD, _MEDIUM_CLOUD, _SHADOW, _WATER]
    land = np.where(plants > 0.35, _PLANTS, _SOIL)
    found: Values = np.select(conditions, classes, land).astype(np.float64)
    return found
