"""A block is as short as GDAL's, in a form that GDAL decodes; a predictor only where it helps."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_provider.earthengine.download.raster.block_encoder import (
    FLOAT_PREDICTOR,
    HORIZONTAL_PREDICTOR,
    NO_PREDICTOR,
    BlockEncoder,
)
from airflow_provider.earthengine.download.raster.cog_layout import CogLayout
from tests.unit.download.raster.written_cogs import DTYPES, Array


def slope(dtype: str) -> Array:
    rows, columns = np.indices((512, 512))
    return (rows * 3.5 + columns * 1.25).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_smooth_slope_is_much_shorter_with_the_predictor_of_its_type(dtype: str) -> None:
    pixels = slope(dtype)
    encoder = BlockEncoder("deflate", dtype, pixels[np.newaxis])
    is_float = np.dtype(dtype).kind == "f"
    assert encoder.predictor == (FLOAT_PREDICTOR if is_float else HORIZONTAL_PREDICTOR)
    assert len(encoder.encode(pixels)) < pixels.nbytes / 8


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("compression", ["deflate", "zstd"])
def test_a_few_distinct_values_are_shorter_without_predictor(dtype: str, compression: str) -> None:
    random = np.random.default_rng(0)
    values = random.permutation(100)[:20].astype(dtype)
    if values.dtype.kind == "f":
        values = np.sqrt(values)  # So that all bits count.
    pixels = random.choice(values, (3, 700, 700))
    encoder = BlockEncoder(compression, dtype, pixels)
    usual = BlockEncoder(compression, dtype)
    assert encoder.predictor == NO_PREDICTOR
    assert usual.predictor in (HORIZONTAL_PREDICTOR, FLOAT_PREDICTOR)
    block = pixels[0, :512, :512]
    assert len(encoder.encode(block)) < 0.95 * len(usual.encode(block))


def test_a_sample_may_be_smaller_than_a_block() -> None:
    assert BlockEncoder("zstd", "uint8", np.zeros((1, 1, 1), "uint8")).predictor == 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("compression", ["deflate", "zstd", "none"])
def test_noise_takes_no_more_than_was_reckoned_with(dtype: str, compression: str) -> None:
    byte_count = 512 * 512 * np.dtype(dtype).itemsize
    noise = np.frombuffer(np.random.default_rng(0).bytes(byte_count), dtype).reshape(512, 512)
    encoded = BlockEncoder(compression, dtype).encode(noise)
    assert len(encoded) + 8 <= CogLayout(512, 512, 1, dtype).max_byte_count(0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("compression", ["deflate", "zstd", "none"])
def test_how_the_pixels_are_in_memory_does_not_show(dtype: str, compression: str) -> None:
    encoder = BlockEncoder(compression, dtype)
    pixels = slope(dtype)
    wanted = encoder.encode(pixels)
    interleaved = np.stack([pixels, pixels], axis=-1)[:, :, 1]
    for same in (
        np.asfortranarray(pixels),
        interleaved,
        pixels.astype(pixels.dtype.newbyteorder(">")),
    ):
        assert encoder.encode(same) == wanted
