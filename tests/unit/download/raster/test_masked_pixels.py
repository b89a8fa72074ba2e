"""What counts as masked, for every kind of nodata value and of pixel."""

import math

import numpy as np
import pytest

from airflow_provider.earthengine.download.raster.facts import BandStatistics, StatisticsGatherer
from airflow_provider.earthengine.download.raster.masked_pixels import (
    as_stored,
    is_valid,
    nodata_of_cog,
)

INF, NAN = math.inf, math.nan
PIXELS = [-INF, NAN, INF, -9999.0, 0.0, 2.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("nodata", "tag", "stored", "valid"),
    [
        (None, NAN, [NAN, NAN, INF, -9999, 0, 2], [0, 0, 1, 1, 1, 1]),
        (-INF, NAN, [NAN, NAN, INF, -9999, 0, 2], [0, 0, 1, 1, 1, 1]),
        (NAN, NAN, [NAN, NAN, INF, -9999, 0, 2], [0, 0, 1, 1, 1, 1]),
        (-9999.0, -9999, PIXELS, [1, 0, 1, 0, 1, 1]),
        (0.0, 0, PIXELS, [1, 0, 1, 1, 0, 1]),
    ],
)
def test_of_floats_nan_is_the_mask_unless_a_finite_value_is(
    dtype: str, nodata: float | None, tag: float, stored: list[float], valid: list[int]
) -> None:
    pixels = np.array([PIXELS], dtype)
    got = nodata_of_cog(dtype, nodata)
    np.testing.assert_array_equal(got, tag)
    np.testing.assert_array_equal(as_stored(pixels, got), [stored])
    assert as_stored(pixels, got).dtype == dtype
    # The same pixels are valid before and after.
    for values, value in ((pixels, nodata), (as_stored(pixels, got), got)):
        np.testing.assert_array_equal(is_valid(values, value), [np.array(valid, bool)])


@pytest.mark.parametrize("nodata", [None, 0.0, 7.0, -1.0])
def test_whole_numbers_stay_as_they_are(nodata: float | None) -> None:
    pixels = np.array([[0, 7, 255]], "uint8")
    assert nodata_of_cog("uint8", nodata) == nodata
    assert as_stored(pixels, nodata) is pixels
    np.testing.assert_array_equal(
        is_valid(pixels, nodata), pixels != (300 if nodata is None else nodata)
    )


def test_pixels_without_a_mask_are_not_copied() -> None:
    pixels = np.array([[1.0, INF]])
    assert as_stored(pixels[:, :1], NAN).base is pixels


def test_a_nan_that_signals_is_masked_without_a_warning() -> None:
    pixels = np.array([[0x7F800001, 0x7FC00000, 0x3F800000]], "uint32").view("float32")
    np.testing.assert_array_equal(is_valid(pixels, None), [[False, False, True]])
    np.testing.assert_array_equal(is_valid(pixels, 1.0), [[False, False, False]])
    np.testing.assert_array_equal(as_stored(pixels, NAN), [[NAN, NAN, 1]])


@pytest.mark.parametrize(
    ("nodata", "statistics"),
    [
        # +inf is data, and no number that an item can hold.
        (None, BandStatistics(-9999, 2, -9997 / 3, 100 * 4 / 6)),
        (-9999.0, BandStatistics(0, 2, 1, 100 * 4 / 6)),
    ],
)
def test_statistics_are_of_finite_pixels_and_infinite_ones_count_as_valid(
    nodata: float | None, statistics: BandStatistics
) -> None:
    gatherer = StatisticsGatherer(nodata)
    gatherer.add(np.array([PIXELS[:3]]))
    other = StatisticsGatherer(nodata)
    other.add(np.array([PIXELS[3:]]))
    gatherer.merge(other)
    assert gatherer.statistics() == statistics


@pytest.mark.parametrize(("pixel", "percent"), [(INF, 100), (NAN, 0), (-INF, 0)])
def test_a_band_without_a_number_has_no_mean(pixel: float, percent: float) -> None:
    gatherer = StatisticsGatherer(None)
    gatherer.add(np.full((2, 2), pixel))
    assert gatherer.statistics() == BandStatistics(None, None, None, percent)
