"""Every pixel that goes in comes out of the COG, as GDAL reads it, bit by bit, at every level."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.support.drawn import examples
from tests.unit.download.raster.written_cogs import (
    DTYPES,
    Array,
    Tile,
    expected_half,
    opened,
    same_bits,
    shuffled,
    tiles_of,
    write_cog,
)

SIDES = (1, 2, 3, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 1537)
COMPRESSIONS = ("deflate", "zstd", "none")

ONE_FIXTURE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def pixels_of(dtype: str, shape: tuple[int, int, int], seed: int, kind: str) -> Array:
    """Draw pixels: any bits at all, a smooth slope, or the same everywhere."""
    random = np.random.default_rng(seed)
    if kind == "bits":
        count = np.dtype(dtype).itemsize * int(np.prod(shape))
        return np.frombuffer(random.bytes(count), dtype).reshape(shape)
    if kind == "constant":
        return np.full(shape, random.integers(0, 100), dtype)
    bands, rows, columns = np.indices(shape)
    return (bands * 7 + rows * 3 + columns % 101).astype(dtype)


def assert_levels(file: bytes, pixels: Array) -> None:
    """Compare full resolution with the pixels, and each overview with half of the level below."""
    with opened(file) as dataset:
        got = dataset.read()
        level_count = len(dataset.overviews(1))
    assert same_bits(got, pixels)
    # The order of the sum may be another one, and numbers may nearly cancel out.
    tolerance = {"float32": 2e-7, "float64": 1e-12}.get(pixels.dtype.name, 0.0)
    for level in range(level_count):
        expected = expected_half(got)
        with opened(file, level) as dataset:
            got = dataset.read()
        np.testing.assert_allclose(got, expected, rtol=tolerance)
    assert max(got.shape[1:]) <= 512


def without_minus_infinity(pixels: Array) -> Array:
    """Return what the COG holds of floats: -inf is Earth Engine's mask, which becomes NaN."""
    if pixels.dtype.kind == "f":
        pixels = pixels.copy()
        pixels[pixels == -np.inf] = np.nan
    return pixels


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@examples(14, suppress_health_check=ONE_FIXTURE)
@given(data=st.data())
def test_any_raster_is_read_back_bit_by_bit_with_its_overviews(
    dtype: str, tmp_path: Path, data: Any
) -> None:
    shape = (
        data.draw(st.integers(1, 3), "bands"),
        data.draw(st.sampled_from(SIDES), "rows"),
        data.draw(st.sampled_from(SIDES), "columns"),
    )
    kind = data.draw(st.sampled_from(["bits", "slope", "constant"]))
    pixels = pixels_of(dtype, shape, data.draw(st.integers(0, 99)), kind)
    tiles = tiles_of(pixels, *(data.draw(st.integers(1, 3)) for _ in range(3)))
    sink, cog = write_cog(
        pixels,
        tmp_path,
        data.draw(st.sampled_from(COMPRESSIONS), "compression"),
        tiles=shuffled(tiles, data.draw(st.integers(0, 99))),
        threads=data.draw(st.sampled_from([1, 3]), "threads"),
    )
    assert len(sink.file) == cog.byte_count
    assert_levels(sink.file, without_minus_infinity(pixels))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_nan_infinity_and_negative_zero_keep_their_bits(
    dtype: str, compression: str, tmp_path: Path
) -> None:
    special = np.array(
        [np.nan, np.inf, -0.0, 0.0, np.finfo(dtype).max, np.finfo(dtype).tiny, -np.nan], dtype
    )
    special[-1:].view(f"u{special.itemsize}")[:] |= 12345  # A NaN with a payload.
    pixels = np.resize(special, (1, 600, 600))
    sink, _ = write_cog(pixels, tmp_path, compression)
    with opened(sink.file) as dataset:
        assert same_bits(dataset.read(), pixels)


@pytest.mark.parametrize("nodata", [None, -np.inf, np.nan])
def test_masked_floats_become_nan_whatever_earth_engine_called_them(
    nodata: float | None, tmp_path: Path
) -> None:
    pixels = np.arange(600 * 700, dtype="float32").reshape(1, 600, 700)
    pixels[0, 100:300, 200:500] = -np.inf
    sink, _ = write_cog(pixels, tmp_path, nodata=nodata)
    with opened(sink.file) as dataset:
        assert np.isnan(dataset.nodata)
        assert np.array_equal(np.isnan(dataset.read()), np.isneginf(pixels))
        assert np.array_equal(dataset.read_masks(1) == 0, np.isneginf(pixels[0]))
    assert_levels(sink.file, without_minus_infinity(pixels))


def test_masked_pixels_stay_as_rare_in_overviews_as_they_are(tmp_path: Path) -> None:
    pixels = np.ones((1, 2048, 2048), "float32")
    masked = np.random.default_rng(1).random(pixels.shape) < 0.0093
    pixels[masked] = -np.inf
    sink, _ = write_cog(pixels, tmp_path)
    for level in range(2):
        with opened(sink.file, level) as dataset:
            got = dataset.read()
        assert np.isnan(got).mean() < 1e-6
        assert (got[np.isfinite(got)] == 1).all()


def test_a_nodata_value_takes_no_part_in_averages(tmp_path: Path) -> None:
    pixels = np.full((1, 1024, 1024), 6, "float64")
    pixels[0, :, 1::2] = -9999
    pixels[0, :512, :512] = -9999
    pixels[0, 700, 700] = np.nan
    sink, _ = write_cog(pixels, tmp_path, nodata=-9999.0)
    with opened(sink.file) as dataset:
        assert dataset.nodata == -9999
        assert same_bits(dataset.read(), pixels)
    with opened(sink.file, 0) as dataset:
        half = dataset.read(1)
    assert (half[:256, :256] == -9999).all()
    assert (half[256:] == 6).all()


def test_averages_of_huge_numbers_do_not_overflow(tmp_path: Path) -> None:
    for dtype in ("float32", "float64"):
        pixels = np.full((1, 600, 600), np.finfo(dtype).max, dtype)
        pixels[0, 0, 0] = -np.inf
        sink, _ = write_cog(pixels, tmp_path)
        with opened(sink.file, 0) as dataset:
            assert (dataset.read() == np.finfo(dtype).max).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_raster_that_is_masked_everywhere_stays_so_at_every_level(
    dtype: str, tmp_path: Path
) -> None:
    is_float = np.dtype(dtype).kind == "f"
    value = -np.inf if is_float else np.iinfo(dtype).min
    pixels = np.full((2, 700, 1100), value, dtype)
    sink, _ = write_cog(pixels, tmp_path, nodata=None if is_float else value)
    assert_levels(sink.file, without_minus_infinity(pixels))
    for level in (None, 0, 1):
        with opened(sink.file, level) as dataset:
            assert not dataset.read_masks().any()


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 3000), (1, 3000, 1), (3, 2, 2), (1, 513, 1)])
def test_narrow_rasters_have_overviews_too(shape: tuple[int, int, int], tmp_path: Path) -> None:
    pixels = pixels_of("int16", shape, 0, "bits")
    sink, _ = write_cog(pixels, tmp_path)
    assert_levels(sink.file, pixels)


@pytest.mark.slow
def test_64_bands_of_doubles_may_come_in_groups_of_bands(tmp_path: Path) -> None:
    pixels = pixels_of("float64", (64, 520, 30), 3, "slope")
    tiles = shuffled(tiles_of(pixels, rows=1, bands=23), 5)
    sink, _ = write_cog(pixels, tmp_path, "zstd", tiles=tiles, threads=2)
    assert_levels(sink.file, without_minus_infinity(pixels))


def test_the_bytes_do_not_depend_on_the_order_of_tiles_or_threads(tmp_path: Path) -> None:
    pixels = pixels_of("uint16", (2, 2600, 1100), 7, "slope")
    wanted, cog = write_cog(pixels, tmp_path)
    for seed in range(3):
        tiles = shuffled(tiles_of(pixels, columns=1 + seed, rows=2, bands=1 + seed), seed)
        got, again = write_cog(pixels, tmp_path, tiles=tiles, threads=4)
        assert got.file == wanted.file
        assert again == cog


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("seed", range(3))
def test_tiles_that_end_inside_of_blocks_make_the_same_file(
    dtype: str, seed: int, tmp_path: Path
) -> None:
    pixels = pixels_of(dtype, (2, 1300, 1100), seed, "slope")
    wanted, cog = write_cog(pixels, tmp_path)
    cuts = random.Random(seed)
    rows = [0, *sorted(cuts.sample(range(1, 1300), 4)), 1300]
    columns = [0, *sorted(cuts.sample(range(1, 1100), 3)), 1100]
    tiles = [
        Tile(left, top, band, right - left, bottom - top, 1)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
        for band in range(2)
    ]
    got, again = write_cog(pixels, tmp_path, tiles=shuffled(tiles, seed), threads=4)
    assert got.file == wanted.file
    assert again == cog


@pytest.mark.parametrize("dtype", [">u2", ">f8"])
def test_tiles_may_come_in_the_other_byte_order(dtype: str, tmp_path: Path) -> None:
    pixels = pixels_of(dtype[1:], (1, 1100, 1100), 1, "slope")
    wanted, _ = write_cog(pixels, tmp_path)
    got, _ = write_cog(pixels.astype(dtype), tmp_path, tiles=tiles_of(pixels, rows=1))
    assert got.file == wanted.file
