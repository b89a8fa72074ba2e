"""Smooth noise over a plane, computed from nothing but the place and a salt."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.emulator.catalog.stored_pixels import mix

Values = npt.NDArray[np.float64]
Indexes = npt.NDArray[np.int64]

_PERSISTENCE = 0.55
# Fields are not laid out from north to south.
_FIELD_COSINE, _FIELD_SINE = math.cos(0.3), math.sin(0.3)


def fractal(
    eastings: Values, northings: Values, wavelength: float, octaves: int, salt: int
) -> Values:
    """Return noise from 0 to 1, mean 0.5: octaves of half the wavelength and less height each.

    :param eastings: of the columns, in metres.
    :param northings: of the rows.
    :param wavelength: of the coarsest octave, in metres.
    """
    total = np.zeros((northings.size, eastings.size))
    weight, sum_of_weights = 1.0, 0.0
    for octave in range(octaves):
        total += weight * _smooth(eastings / wavelength, northings / wavelength, salt + octave)
        sum_of_weights += weight
        weight *= _PERSISTENCE
        wavelength /= 2
    return total / sum_of_weights


def cell_noise(
    eastings: Values, northings: Values, width: float, height: float, salt: int
) -> Values:
    """Return a number from 0 to 1 for each rectangle of a turned grid with shifted columns."""
    across = eastings[np.newaxis, :] * _FIELD_COSINE - northings[:, np.newaxis] * _FIELD_SINE
    along = eastings[np.newaxis, :] * _FIELD_SINE + northings[:, np.newaxis] * _FIELD_COSINE
    columns = np.floor(across / width).astype(np.int64)
    shift = _uniform(mix(columns + salt))
    rows = np.floor(along / height + shift * 7).astype(np.int64)
    return _uniform(_hash(rows, columns, salt))


def pixel_noise(eastings: Values, northings: Values, salt: int) -> Values:
    """Return a number from 0 to 1 for each pixel."""
    rows = np.floor(northings).astype(np.int64)[:, np.newaxis]
    columns = np.floor(eastings).astype(np.int64)[np.newaxis, :]
    return _uniform(_hash(rows, columns, salt))


def _smooth(across: Values, along: Values, salt: int) -> Values:
    """Return noise that is random at whole coordinates and interpolated between them."""
    columns, column_share = _split(across)
    rows, row_share = _split(along)
    corners = _uniform(
        _hash(
            np.arange(rows.min(), rows.max() + 2)[:, np.newaxis],
            np.arange(columns.min(), columns.max() + 2)[np.newaxis, :],
            salt,
        )
    )
    top = rows - rows.min()
    lines = corners[top] + (corners[top + 1] - corners[top]) * row_share[:, np.newaxis]
    left = columns - columns.min()
    between: Values = lines[:, left] + (lines[:, left + 1] - lines[:, left]) * column_share
    return between


def _split(coordinates: Values) -> tuple[Indexes, Values]:
    """Return the whole parts, and the rest eased so that slopes are continuous."""
    whole = np.floor(coordinates)
    rest = coordinates - whole
    return whole.astype(np.int64), rest * rest * (3 - 2 * rest)


def _hash(rows: Indexes, columns: Indexes, salt: int) -> npt.NDArray[np.uint32]:
    return mix(mix(rows + 7919 * salt).astype(np.int64) + columns)


def _uniform(numbers: npt.NDArray[np.uint32]) -> Values:
    return numbers.astype(np.float64) * 2.0**-32
