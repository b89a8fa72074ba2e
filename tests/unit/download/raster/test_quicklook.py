"""The picture of some bands, pixel for pixel: what numpy's own percentiles make of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rasterio.io import MemoryFile

from airflow_provider.earthengine.download.raster.quicklook import (
    Quicklook,
    SmallBand,
    draw_quicklook,
)

# A picture has no place on Earth.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
Array = npt.NDArray[Any]

# The ends and the middle of viridis.
DARK, MIDDLE, BRIGHT = (68, 1, 84), (33, 145, 140), (253, 231, 37)
MOST = 48 << 10


def read(quicklook: Quicklook) -> Array:
    """Return red, green, blue and opacity; a file of three bands is opaque."""
    with MemoryFile(quicklook.content) as file, file.open() as picture:
        assert picture.driver == {"image/png": "PNG", "image/webp": "WEBP"}[quicklook.media_type]
        assert (picture.width, picture.height) == (quicklook.width, quicklook.height)
        pixels: Array = picture.read()
    opaque = np.full((1, *pixels.shape[1:]), 255, np.uint8)
    return np.concatenate([pixels, opaque])[:4]


def stretched(band: Array, valid: Array) -> Array:
    """The band between its 2nd and 98th percentile, as 0 to 255, each pixel by itself."""
    ordered = sorted(band[valid].tolist())

    def percentile(share: float) -> float:
        place = share * (len(ordered) - 1)
        below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
        return float(below + (above - below) * (place - math.floor(place)))

    low, high = percentile(0.02), percentile(0.98)
    shares = [(min(max(float(each), low), high) - low) / (high - low) for each in band.ravel()]
    return np.array(shares).reshape(band.shape) * 255


def ramp(rows: int, columns: int, dtype: str, turn: int = 0) -> Array:
    values = np.roll(np.arange(rows * columns), turn).reshape(rows, columns)
    return (values * 3 + 5).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
def test_three_bands_are_stretched_one_by_one_and_masked_pixels_are_transparent(
    dtype: str,
) -> None:
    bands = [ramp(7, 12, dtype, turn) for turn in (0, 11, 37)]
    bands[0][2, 3] = bands[1][4, 5] = 0
    valid = np.all([band != 0 for band in bands], axis=0)
    picture = read(draw_quicklook([SmallBand(band, 0) for band in bands]))
    assert (picture[3] == np.where(valid, 255, 0)).all()
    for got, band in zip(picture, bands, strict=False):
        assert np.abs(got[valid] - stretched(band, valid)[valid]).max() <= 0.51
        assert not got[~valid].any()


def test_one_band_has_a_ramp_of_colors_from_dark_to_bright() -> None:
    band = np.arange(101, dtype="float32").reshape(1, 101)
    picture = read(draw_quicklook([SmallBand(band, math.nan)]))
    assert tuple(picture[:3, 0, 0]) == tuple(picture[:3, 0, 2]) == DARK
    assert tuple(picture[:3, 0, 50]) == MIDDLE
    assert tuple(picture[:3, 0, 100]) == tuple(picture[:3, 0, 98]) == BRIGHT
    brightness = picture[:3, 0].astype(float).sum(axis=0)
    assert (np.diff(brightness) >= -1).all()
    assert (picture[3] == 255).all()


def test_what_is_no_number_is_transparent_and_moves_no_percentile() -> None:
    band = ramp(6, 10, "float64")
    odd = band.copy()
    odd[0, 0], odd[5, 9] = math.nan, -math.inf
    valid = np.isfinite(odd)
    picture = read(draw_quicklook([SmallBand(odd, math.nan)]))
    assert (picture[3] == np.where(valid, 255, 0)).all()
    others = read(draw_quicklook([SmallBand(np.where(valid, band, -1), -1.0)]))
    np.testing.assert_array_equal(picture, others)


@pytest.mark.parametrize("infinite", [math.inf, -math.inf])
def test_infinity_that_is_data_is_as_bright_or_dark_as_anything(infinite: float) -> None:
    band = ramp(6, 10, "float32")
    band[3, 3] = infinite
    picture = read(draw_quicklook([SmallBand(band, -9999.0)]))
    assert tuple(picture[:, 3, 3]) == ((*BRIGHT, 255) if infinite > 0 else (*DARK, 255))


@pytest.mark.parametrize(
    ("values", "color"),
    [
        ([[7]], MIDDLE),
        ([[7] * 5] * 4, MIDDLE),
        ([[-1.7e308, 1.7e308]], None),
        ([[0, 2**63]], None),
    ],
)
def test_one_value_is_shown_as_the_middle_and_huge_ones_are_shown(
    values: list[list[float]], color: tuple[int, ...] | None
) -> None:
    picture = read(draw_quicklook([SmallBand(np.array(values), None)]))
    assert (picture[3] == 255).all()
    if color:
        assert {tuple(pixel) for pixel in picture[:3].reshape(3, -1).T} == {color}
    else:
        assert tuple(picture[:3, 0, 0]) == DARK
        assert tuple(picture[:3, 0, 1]) == BRIGHT


@pytest.mark.parametrize("pixels", [np.full((4, 4), math.nan), np.full((4, 4), -9.0)])
def test_without_a_valid_pixel_the_picture_is_transparent(pixels: Array) -> None:
    assert not read(draw_quicklook([SmallBand(pixels, -9.0)])).any()


def test_what_earth_engine_says_is_masked_is_transparent_whatever_its_values() -> None:
    zeros = np.zeros((3, 4), "uint8")
    assert read(draw_quicklook([SmallBand(zeros, None)]))[3].all()
    assert not read(draw_quicklook([SmallBand(zeros, None)], is_all_masked=True)).any()


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1), (1, 512), (26, 512), (512, 512), (512, 300)])
@pytest.mark.parametrize("count", [1, 3])
def test_even_noise_is_small_and_keeps_its_proportions(shape: tuple[int, int], count: int) -> None:
    noise = np.random.default_rng(7).integers(0, 65536, (count, *shape)).astype("uint16")
    quicklook = draw_quicklook([SmallBand(band, None) for band in noise])
    assert len(quicklook.content) <= MOST * 3 // 4  # In base64, it takes a third more.
    step = round(shape[1] / quicklook.width)
    assert (quicklook.height, quicklook.width) == (-(-shape[0] // step), -(-shape[1] // step))
    assert read(quicklook)[3].all()


def test_a_lossy_picture_is_near_to_what_numpy_makes_of_the_bands() -> None:
    rows, columns = np.mgrid[:512, :512]
    noise = np.random.default_rng(3).normal(0, 60, (512, 512))
    smooth = 3000 + 1500 * np.sin(rows / 40) + 900 * np.cos(columns / 55) + noise
    quicklook = draw_quicklook([SmallBand(smooth.astype("uint16"), None)] * 3)
    assert quicklook.media_type == "image/webp"
    step = 512 // quicklook.width
    band = smooth.astype("uint16")
    wanted = stretched(band, np.ones(band.shape, bool))[::step, ::step]
    assert np.abs(read(quicklook)[0] - wanted).mean() < 12
