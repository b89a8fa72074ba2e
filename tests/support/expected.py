"""What a download must hold, computed without the project: formulas, grids and projections.

Nothing here imports the project, and the map projection is written out rather than asked of the
library that the emulator asks: a mistake on one side cannot hide on the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

# Band ids of the formula asset COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG, in their
# order (their place is the band number of the formula), with metres per pixel and type.
SENTINEL2_ID = "COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG"
SENTINEL2_ORIGIN = (499980.0, 4200000.0)
SENTINEL2_BANDS = {
    "B1": (60, "uint16"),
    "B2": (10, "uint16"),
    "B3": (10, "uint16"),
    "B4": (10, "uint16"),
    "B5": (20, "uint16"),
    "B6": (20, "uint16"),
    "B7": (20, "uint16"),
    "B8": (10, "uint16"),
    "B8A": (20, "uint16"),
    "B9": (60, "uint16"),
    "B11": (20, "uint16"),
    "B12": (20, "uint16"),
    "AOT": (10, "uint16"),
    "WVP": (10, "uint16"),
    "SCL": (20, "uint8"),
    "TCI_R": (10, "uint8"),
    "TCI_G": (10, "uint8"),
    "TCI_B": (10, "uint8"),
    "MSK_CLDPRB": (20, "uint8"),
    "MSK_SNWPRB": (20, "uint8"),
    "QA10": (10, "uint16"),
    "QA20": (20, "uint32"),
    "QA60": (60, "uint16"),
}

_NOISE_BITS = {
    "int8": 4,
    "uint8": 4,
    "int16": 8,
    "uint16": 8,
    "int32": 16,
    "uint32": 16,
    "float32": 8,
    "float64": 24,
}
_WORD = 0xFFFFFFFF


def formula_values(
    band_number: int, dtype: str, rows: npt.ArrayLike, columns: npt.ArrayLike, seed: int = 0
) -> npt.NDArray[np.generic]:
    """Return the values of a formula band at pixels (rows and columns broadcast).

    :param band_number: the band's 0-based place in its asset's description.
    :param seed: an image's 1-based number in its collection, gaps counted; 0 outside of one.
    """
    row, column = (np.asarray(part, dtype=np.int64) for part in (rows, columns))
    noise_bits = _NOISE_BITS[dtype]
    word = _mix(2 * row + band_number * 2**24) ^ _mix(2 * column + 1)
    word = word ^ _mix(np.asarray([2 * seed], dtype=np.int64))
    noise = _times(word, 0x85EBCA77) // 2 ** (32 - noise_bits)
    raw = formula_levels(band_number, row, column, seed) * 2**noise_bits + noise
    sign = 1 - 2 * ((row // 64 + column // 64) % 2)
    if dtype.startswith("float"):
        return (sign * (raw / 2.0**noise_bits)).astype(dtype)
    bits = int(dtype.lstrip("uint"))
    if dtype.startswith("u"):
        return (raw % 2**bits).astype(dtype)
    return (sign * (raw % 2 ** (bits - 1))).astype(dtype)


def formula_levels(
    band_number: int, rows: npt.ArrayLike, columns: npt.ArrayLike, seed: int = 0
) -> Integers:
    """Return the levels of a formula band, which a band with ``values`` takes those by."""
    row, column = (np.asarray(part, dtype=np.int64) for part in (rows, columns))
    return row // 16 * 3 + column // 16 * 5 + band_number * 101 + seed * 37


def _mix(numbers: Integers) -> Integers:
    """Return 32 mixed bits in 64-bit arithmetic, cut to 32 bits after each product."""
    word = _times(numbers & _WORD, 0x9E3779B1)
    word = _times(word ^ (word >> 15), 0x2C1B3C6D)
    word = _times(word ^ (word >> 12), 0x297A2D39)
    return word ^ (word >> 15)


def _times(word: Integers, factor: int) -> Integers:
    """Return the product modulo 2**32, by halves, so that 64 bits never overflow."""
    low, high = factor & 0xFFFF, factor >> 16
    return (word * low + ((word * high & 0xFFFF) << 16)) & _WORD


def sentinel2_values(
    band_id: str, left: int, top: int, width: int, height: int
) -> npt.NDArray[np.generic]:
    """Return a window of the Sentinel-2 formula asset, in the band's own pixels."""
    number = list(SENTINEL2_BANDS).index(band_id)
    rows = np.arange(top, top + height)[:, np.newaxis]
    columns = np.arange(left, left + width)[np.newaxis, :]
    return formula_values(number, SENTINEL2_BANDS[band_id][1], rows, columns)


def mean_of_2x2(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return the means of the aligned 2 x 2 blocks, integers rounded half up."""
    height, width = values.shape
    blocks = values.astype(np.float64).reshape(height // 2, 2, width // 2, 2)
    means = blocks.mean(axis=(1, 3))
    if values.dtype.kind in "iu":
        means = np.floor(means + 0.5)
    return means.astype(values.dtype)


@dataclass(frozen=True)
class Extent:
    """Whole pixels of a grid: its first column and row, and how many."""

    left: int
    top: int
    width: int
    height: int


def pixels_around(
    west: float, south: float, east: float, north: float, origin: tuple[float, float], step: float
) -> Extent:
    """Return the pixels of a north-up grid that a box touches (all in the units of its CRS).

    :param origin: the outer corner of pixel 0, 0: x, y.
    :param step: the side of a pixel.
    """
    left, right = math.floor((west - origin[0]) / step), math.ceil((east - origin[0]) / step)
    top, bottom = math.floor((origin[1] - north) / step), math.ceil((origin[1] - south) / step)
    return Extent(left, top, right - left, bottom - top)


def utm_box(
    west: float, south: float, east: float, north: float, zone: int, is_southern: bool = False
) -> tuple[float, float, float, float]:
    """Return the box in UTM around a box of longitudes and latitudes: west, south, east, north."""
    steps = [number / 100 for number in range(101)]
    points = [(west + (east - west) * s, lat) for s in steps for lat in (south, north)]
    points += [(lon, south + (north - south) * s) for s in steps for lon in (west, east)]
    projected = [utm(lon, lat, zone, is_southern) for lon, lat in points]
    xs, ys = [x for x, _ in projected], [y for _, y in projected]
    return min(xs), min(ys), max(xs), max(ys)


def utm(
    longitude: float, latitude: float, zone: int, is_southern: bool = False
) -> tuple[float, float]:
    """Return easting and northing (metres, WGS84), by Krueger's series: below a millimetre.

    Source: https://arxiv.org/abs/1002.1417 (Karney 2011, equations 7 to 11 and 35).
    """
    flattening = 1 / 298.257223563
    n = flattening / (2 - flattening)
    radius = 6378137.0 / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    alpha = (
        n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16 + 41 * n**4 / 180,
        13 * n**2 / 48 - 3 * n**3 / 5 + 557 * n**4 / 1440,
        61 * n**3 / 240 - 103 * n**4 / 140,
        49561 * n**4 / 161280,
    )
    eccentricity = math.sqrt(flattening * (2 - flattening))
    phi = math.radians(latitude)
    lam = math.radians(longitude - (zone * 6 - 183))
    tau = math.tan(phi)
    sigma = math.sinh(eccentricity * math.atanh(eccentricity * math.sin(phi)))
    tau_prime = tau * math.hypot(1, sigma) - sigma * math.hypot(1, tau)
    xi_prime = math.atan2(tau_prime, math.cos(lam))
    eta_prime = math.asinh(math.sin(lam) / math.hypot(tau_prime, math.cos(lam)))
    xi, eta = xi_prime, eta_prime
    for j, coefficient in enumerate(alpha, start=1):
        xi += coefficient * math.sin(2 * j * xi_prime) * math.cosh(2 * j * eta_prime)
        eta += coefficient * math.cos(2 * j * xi_prime) * math.sinh(2 * j * eta_prime)
    northing = 0.9996 * radius * xi + (10_000_000 if is_southern else 0)
    return 500_000 + 0.9996 * radius * eta, northing


def total_pixel_bytes(width: int, height: int, dtypes: list[str]) -> int:
    """Return what Earth Engine counts for a request: each sample and its mask byte."""
    return width * height * sum(np.dtype(dtype).itemsize + 1 for dtype in dtypes)
