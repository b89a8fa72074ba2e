"""Statistics of values of which some are masked: per pixel over many bands, or over a region.

Means, sums and deviations of a region weigh each pixel by the part of it that is inside.
Source: https://developers.google.com/earth-engine/guides/reducers_weighting (2026-11).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.emulator.values.images import PixelType, integer_type, union_of

Numbers = npt.NDArray[Any]
Validity = npt.NDArray[np.bool_]
Weights = npt.NDArray[np.float64]

_DOUBLE = PixelType("float64")
_BOOLEAN = PixelType("uint8", 0, 1)


@dataclass(frozen=True)
class Statistic:
    """One output of a reducer.

    :param kind: the type of the result, from the types of the inputs.
    :param over_bands: takes values and validity, both (bands, rows, columns), at least one band.
    :param over_region: takes the valid values of a region, at least one, and their weights.
    :param of_nothing: the result for a region without valid pixels.
    :param is_weighted: whether pixels that are only partly inside a region count in part.
    """

    kind: Callable[[Sequence[PixelType]], PixelType]
    over_bands: Callable[[Numbers, Validity], Numbers]
    over_region: Callable[[Numbers, Weights], float]
    of_nothing: float | None = None
    is_weighted: bool = False


def median(values: Numbers, is_valid: Validity) -> Numbers:
    """Return the middle of the valid values, or the mean of the two in the middle."""
    return percentile(50, values, is_valid)


def percentile(percent: float, values: Numbers, is_valid: Validity) -> Numbers:
    """Return the value below which a percentage of the valid ones lie, between neighbours."""
    ordered = np.sort(np.where(is_valid, values, np.inf), axis=0)
    place = (np.maximum(is_valid.sum(axis=0), 1) - 1) * (percent / 100)
    below = np.floor(place).astype(np.int64)
    low = np.take_along_axis(ordered, below[np.newaxis], axis=0)[0]
    high = np.take_along_axis(ordered, np.ceil(place).astype(np.int64)[np.newaxis], axis=0)[0]
    between = low + np.where(high > low, (high - low) * (place - below), 0)
    return np.where(is_valid.any(axis=0), between, 0.0)


def total(values: Numbers, is_valid: Validity) -> Numbers:
    """Return the sum of the valid values."""
    summed: Numbers = np.where(is_valid, values, 0).sum(axis=0)
    return summed


def mean(values: Numbers, is_valid: Validity) -> Numbers:
    """Return the mean of the valid values."""
    divided: Numbers = np.where(is_valid, values, 0).sum(axis=0, dtype=np.float64) / np.maximum(
        is_valid.sum(axis=0), 1
    )
    return divided


def variance(values: Numbers, is_valid: Validity) -> Numbers:
    """Return the mean square of the valid values' distances from their mean."""
    distance = np.where(is_valid, values - mean(values, is_valid), 0.0)
    return mean(distance**2, is_valid)


def least(values: Numbers, is_valid: Validity) -> Numbers:
    """Return the smallest valid value."""
    worst = np.inf if values.dtype.kind == "f" else np.iinfo(values.dtype).max
    chosen = np.where(is_valid, values, worst).min(axis=0)
    return np.where(is_valid.any(axis=0), chosen, 0)


def greatest(values: Numbers, is_valid: Validity) -> Numbers:
    """Return the largest valid value."""
    worst = -np.inf if values.dtype.kind == "f" else np.iinfo(values.dtype).min
    chosen = np.where(is_valid, values, worst).max(axis=0)
    return np.where(is_valid.any(axis=0), chosen, 0)


def _all_non_zero(values: Numbers, is_valid: Validity) -> Numbers:
    return np.asarray(np.where(is_valid, values != 0, True).all(axis=0))


def _any_non_zero(values: Numbers, is_valid: Validity) -> Numbers:
    return np.asarray((is_valid & (values != 0)).any(axis=0))


def _first(values: Numbers, is_valid: Validity) -> Numbers:
    place = is_valid.argmax(axis=0)[np.newaxis]
    return np.asarray(np.take_along_axis(values, place, axis=0)[0])


def _count_type(types: Sequence[PixelType]) -> PixelType:
    return integer_type(0, len(types))


def _total_type(types: Sequence[PixelType]) -> PixelType:
    if not all(kind.is_integer for kind in types):
        return union_of(types)
    lows, highs = zip(*(kind.bounds for kind in types), strict=True)
    return integer_type(min(0, sum(lows)), max(0, sum(highs)))


def _weighted_variance(values: Numbers, weights: Weights) -> float:
    middle = np.average(values, weights=weights)
    return float(np.average((values - middle) ** 2, weights=weights))


def _double(types: Sequence[PixelType]) -> PixelType:
    return _DOUBLE


def _boolean(types: Sequence[PixelType]) -> PixelType:
    return _BOOLEAN


def percentile_statistic(percent: float) -> Statistic:
    """Return the statistic that is a percentile."""
    return Statistic(
        _double,
        partial(percentile, percent),
        lambda values, weights: float(np.percentile(values, percent)),
    )


STATISTICS = {
    "mean": Statistic(
        _double,
        mean,
        lambda values, weights: float(np.average(values, weights=weights)),
        is_weighted=True,
    ),
    "median": percentile_statistic(50),
    "min": Statistic(union_of, least, lambda values, weights: values.min().item()),
    "max": Statistic(union_of, greatest, lambda values, weights: values.max().item()),
    "first": Statistic(union_of, _first, lambda values, weights: values[0].item()),
    "count": Statistic(
        _count_type,
        lambda values, is_valid: is_valid.sum(axis=0),
        lambda values, weights: len(values),
        of_nothing=0,
    ),
    "sum": Statistic(
        _total_type,
        total,
        lambda values, weights: float((values * weights).sum()),
        of_nothing=0,
        is_weighted=True,
    ),
    "variance": Statistic(_double, variance, _weighted_variance, is_weighted=True),
    "stdDev": Statistic(
        _double,
        lambda values, is_valid: np.sqrt(variance(values, is_valid)),
        lambda values, weights: _weighted_variance(values, weights) ** 0.5,
        is_weighted=True,
    ),
    "allNonZero": Statistic(
        _boolean, _all_non_zero, lambda values, weights: int((values != 0).all())
    ),
    "anyNonZero": Statistic(
        _boolean, _any_non_zero, lambda values, weights: int((values != 0).any())
    ),
}
