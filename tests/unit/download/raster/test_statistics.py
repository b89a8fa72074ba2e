"""Statistics of a band, whatever its type, its nodata value, and how its pixels arrive."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from airflow_provider.earthengine.download.raster.facts import StatisticsGatherer
from tests.support.drawn import examples

WHOLE_NUMBERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32")


@st.composite
def bands(draw: st.DrawFn) -> tuple[Any, float | None]:
    """Draw pixels near an end of their type or zero, and a nodata value that some may have."""
    dtype = draw(st.sampled_from(WHOLE_NUMBERS))
    ends = np.iinfo(dtype)
    near = draw(st.sampled_from([ends.min, ends.max, 0, 7]))
    values = st.integers(max(ends.min, near - 2), min(ends.max, near + 2))
    pixels = draw(
        arrays.arrays(dtype, arrays.array_shapes(min_dims=2, max_dims=2), elements=values)
    )
    chosen = [
        None,
        *map(float, {int(pixels.min()), int(pixels.max()), near}),
        0.5,
        -9999.0,
        math.nan,
    ]
    return pixels, draw(st.sampled_from(chosen))


@examples(300)
@given(bands())
def test_whole_numbers_are_counted_without_the_masked_ones(band: tuple[Any, float | None]) -> None:
    pixels, nodata = band
    gatherer = StatisticsGatherer(nodata)
    gatherer.add(pixels)
    valid = [int(value) for value in pixels.flat if nodata is None or value != nodata]
    ends = (min(valid), max(valid)) if valid else (math.inf, -math.inf)
    assert gatherer.figures == (pixels.size, len(valid), len(valid), sum(valid), *ends)


@pytest.mark.parametrize("dtype", [*WHOLE_NUMBERS, "float32", "float64"])
@pytest.mark.parametrize("nodata", [None, 3.0])
def test_many_rows_are_counted_as_if_they_were_one(dtype: str, nodata: float | None) -> None:
    pixels = (np.arange(1500 * 700) % 101).reshape(1500, 700).astype(dtype)
    gatherer = StatisticsGatherer(nodata)
    gatherer.add(pixels)
    valid = pixels if nodata is None else pixels[pixels != 3]
    assert gatherer.figures == (pixels.size, valid.size, valid.size, valid.sum(dtype="f8"), 0, 100)


def test_rows_without_a_number_do_not_hide_the_others() -> None:
    pixels = np.zeros((2000, 600), "float32")
    pixels[:1000], pixels[1500, 3] = -math.inf, math.inf
    pixels[1999] = 2
    gatherer = StatisticsGatherer(None)
    gatherer.add(pixels)
    assert gatherer.figures == (1_200_000, 600_000, 599_999, 1200, 0, 2)


def test_pixels_in_the_order_of_bytes_of_other_machines_are_counted_too() -> None:
    gatherer = StatisticsGatherer(-5.0)
    gatherer.add(np.array([[-5, -300, 2], [-5, 7, 300]], ">i2"))
    assert gatherer.figures == (6, 4, 4, 9, -300, 300)
    gatherer = StatisticsGatherer(-300.0)
    gatherer.add(np.array([[-5, -300, 2]], ">i2"))
    assert gatherer.figures == (3, 2, 2, -3, -5, 2)
