"""Functions of a pixel's neighbours: gradients, and the slopes and shades of elevations.

A gradient is half the difference of the neighbours to the right and left, and above and below, on
the grid that is computed, for each metre; a pixel is masked if any of the four is.
Source: the descriptions in the algorithm list, for the four neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from airflow_provider.earthengine.emulator.expressions.functions.image import DEFAULT_PROJECTION
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.computed_pixels import Numbers
from airflow_provider.earthengine.emulator.values.geojson import WGS84
from airflow_provider.earthengine.emulator.values.grids import PixelGrid
from airflow_provider.earthengine.emulator.values.images import Band, Image, PixelType
from airflow_provider.earthengine.emulator.values.pixels import Pixels
from airflow_provider.earthengine.emulator.values.projections import (
    METRES_PER_DEGREE,
    is_geographic,
    metres_per_unit,
)

_FLOAT = PixelType("float32")


@dataclass(frozen=True, eq=False)
class _SlopePixels:
    """Something that is computed of the gradients of a band.

    :param compute: takes how much the values rise per metre eastwards and northwards.
    """

    band: Band
    compute: Callable[[Numbers, Numbers], Numbers]

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        if not grid.projection.is_axis_aligned:
            raise unsupported("gradients on a rotated grid")
        wider = PixelGrid(grid.projection.offset(-1, -1), grid.width + 2, grid.height + 2)
        pixels = self.band.render(wider)
        values, is_valid = pixels.values.astype(np.float64), pixels.is_valid
        across, down = _metres_per_pixel(grid)
        with np.errstate(all="ignore"):  # for masked pixels, whose values are meaningless
            east = (values[1:-1, 2:] - values[1:-1, :-2]) / (2 * across)
            north = (values[2:, 1:-1] - values[:-2, 1:-1]) / (2 * down)
            result = self.compute(east, north).astype(dtype)
        around = is_valid[1:-1, 2:] & is_valid[1:-1, :-2] & is_valid[2:, 1:-1] & is_valid[:-2, 1:-1]
        return Pixels(result, around & is_valid[1:-1, 1:-1])


def _metres_per_pixel(grid: PixelGrid) -> tuple[Numbers, Numbers]:
    """Return how many metres a pixel is wide eastwards and high northwards, with their signs."""
    transform = grid.projection.transform
    if not is_geographic(grid.projection.crs):
        unit = metres_per_unit(grid.projection.crs)
        return np.asarray(transform.a * unit), np.asarray(transform.e * unit)
    latitudes = np.radians(grid.centres_in(WGS84)[1])
    return (
        transform.a * METRES_PER_DEGREE * np.cos(latitudes),
        np.asarray(transform.e * METRES_PER_DEGREE),
    )


def _of_band(name: str, band: Band, compute: Callable[[Numbers, Numbers], Numbers]) -> Band:
    return Band(name, _FLOAT, band.projection, band.footprint, _SlopePixels(band, compute))


def slope(east: Numbers, north: Numbers) -> Numbers:
    """Return how steep it is, in degrees."""
    return np.asarray(np.degrees(np.arctan(np.hypot(east, north))))


def aspect(east: Numbers, north: Numbers) -> Numbers:
    """Return where it faces: degrees from north, clockwise, of the way down."""
    return np.asarray(np.degrees(np.arctan2(-east, -north)) % 360)


def _shade(azimuth: float, elevation: float) -> Callable[[Numbers, Numbers], Numbers]:
    zenith = math.radians(90 - elevation)

    def compute(east: Numbers, north: Numbers) -> Numbers:
        steepness = np.radians(slope(east, north))
        turned = np.radians(azimuth - aspect(east, north))
        light = np.cos(zenith) * np.cos(steepness)
        light = light + np.sin(zenith) * np.sin(steepness) * np.cos(turned)
        return np.asarray(np.maximum(light, 0) * 255)

    return compute


def _first_band(function: str, image: Image) -> Band:
    if not image.bands:
        raise invalid_argument(f"{function}: The image has no bands.")
    band = image.bands[0]
    if band.projection == DEFAULT_PROJECTION and band.footprint is None:
        raise unsupported(f"{function} of an image without a projection of its own")
    return band


def _terrain(name: str, compute: Callable[[Numbers, Numbers], Numbers]) -> Function:
    full_name = f"Terrain.{name}"

    def call(session: Session, arguments: Arguments) -> Image:
        image: Image = arguments["input"]
        band = _first_band(full_name, image)
        return Image((_of_band(name, band, compute),), image.properties)

    return Function(full_name, (Parameter("input", IMAGE),), IMAGE, _ELEVATION, call)


def _hillshade(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["input"]
    shade = _shade(float(arguments["azimuth"]), float(arguments["elevation"]))
    band = _first_band("Terrain.hillshade", image)
    return Image((_of_band("hillshade", band, shade),), image.properties)


def _products(function: str) -> Function:
    def call(session: Session, arguments: Arguments) -> Image:
        image: Image = arguments["input"]
        heights = [band for band in image.bands if band.id == "elevation"] or list(image.bands)
        if len(image.bands) > 1 and heights[0].id != "elevation":
            raise invalid_argument(
                f"{function}: There are several bands, of which none is elevation."
            )
        band = _first_band(function, replace(image, bands=tuple(heights)))
        products = (_of_band("slope", band, slope), _of_band("aspect", band, aspect))
        shade = replace(_of_band("hillshade", band, _shade(270, 45)), pixel_type=PixelType("uint8"))
        return replace(image, bands=(*image.bands, *products, shade))

    return Function(function, (Parameter("input", IMAGE),), IMAGE, _ELEVATION, call)


def _gradient(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["input"]
    band = _first_band("Image.gradient", image)
    if len(image.bands) > 1:
        raise unsupported("Image.gradient of several bands")
    return Image(
        (
            _of_band("x", band, lambda east, north: east),
            _of_band("y", band, lambda east, north: north),
        )
    )


_ELEVATION = "a DAG that derives slopes from elevations"

FUNCTIONS = (
    Function("Image.gradient", (Parameter("input", IMAGE),), IMAGE, _ELEVATION, _gradient),
    _terrain("slope", slope),
    _terrain("aspect", aspect),
    _products("Terrain.products"),
    _products("Terrain"),
    Function(
        "Terrain.hillshade",
        (
            Parameter("input", IMAGE),
            Parameter("azimuth", "Float", 270.0),
            Parameter("elevation", "Float", 45.0),
        ),
        IMAGE,
        _ELEVATION,
        _hillshade,
    ),
)
