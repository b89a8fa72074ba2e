"""A block that is decoded holds the pixels that were encoded, whatever its codec and predictor."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_provider.earthengine.download.raster.block_decoder import decode_block
from airflow_provider.earthengine.download.raster.block_encoder import BlockEncoder
from tests.unit.download.raster.written_cogs import DTYPES

ROWS, COLUMNS = 300, 512


@pytest.mark.parametrize("compression", ["deflate", "zstd", "none"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("is_flat", [False, True])
def test_the_pixels_come_back(dtype: str, compression: str, is_flat: bool) -> None:
    pixels = (np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) * 7919 % 251 - 40).astype(dtype)
    # A sample of few values leaves out the predictor.
    sample = [np.tile(np.array([7, 90, 3, 41], dtype), (ROWS, COLUMNS // 4))] if is_flat else None
    encoder = BlockEncoder(compression, dtype, sample)
    decoded = decode_block(
        encoder.encode(pixels), dtype, encoder.compression, encoder.predictor
    )  # fmt: skip
    assert decoded.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(decoded[:ROWS], pixels)
    assert not decoded[ROWS:].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_no_number_comes_back_too(dtype: str) -> None:
    pixels = np.full((512, 512), np.nan, dtype)
    pixels[0, :4] = np.inf, -np.inf, -0.0, np.finfo(dtype).tiny
    encoder = BlockEncoder("deflate", dtype)
    decoded = decode_block(encoder.encode(pixels), dtype, encoder.compression, encoder.predictor)
    assert decoded.tobytes() == pixels.tobytes()
