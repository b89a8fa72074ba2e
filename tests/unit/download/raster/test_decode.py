"""A tile's body -> pixels, in memory that serves one tile after the other."""

import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from airflow_provider.earthengine.download.fields.params import GEO_TIFF
from airflow_provider.earthengine.download.raster.decode import PixelBuffer, decode_body
from airflow_provider.earthengine.emulator.formats.geotiff import write_geotiff
from airflow_provider.earthengine.exceptions import TruncatedBodyError
from tests.support.tiff_blocks import with_last_block

TRANSFORM = Affine(10, 0, 500_000, 0, -10, 4_200_000)
MOST = 1 << 24


def write_tile(path: Path, shape: tuple[int, int, int], dtype: str) -> np.ndarray:
    """Write a file as Earth Engine does, and return its pixels: (bands, rows, columns)."""
    rng = np.random.default_rng(7)
    samples = rng.integers(0, 120, shape).astype(dtype)
    path.write_bytes(write_geotiff(samples, TRANSFORM, "EPSG:32610", None, level=1))
    return samples.transpose(2, 0, 1)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (256, 512, 1), (300, 257, 4), (127, 600, 13)])
def test_pixels_are_those_of_the_file(
    tmp_path: Path, shape: tuple[int, int, int], dtype: str
) -> None:
    wanted = write_tile(tmp_path / "tile", shape, dtype)
    raster = decode_body(tmp_path / "tile", GEO_TIFF, MOST, PixelBuffer())
    assert raster.array.dtype == wanted.dtype
    np.testing.assert_array_equal(raster.array, wanted)


def test_one_buffer_takes_tiles_of_any_size_one_after_the_other(tmp_path: Path) -> None:
    buffer = PixelBuffer()
    for rows in (300, 20, 700, 300):
        wanted = write_tile(tmp_path / "tile", (rows, 300, 2), "uint16")
        raster = decode_body(tmp_path / "tile", GEO_TIFF, MOST, buffer)
        np.testing.assert_array_equal(raster.array, wanted)


def test_memory_is_taken_again_where_it_is_enough() -> None:
    buffer = PixelBuffer()
    large = buffer.take((3, 100, 100), np.dtype("float64"))
    assert np.shares_memory(large, buffer.take((2, 10, 10), np.dtype("uint8")))
    assert not np.shares_memory(large, buffer.take((4, 100, 100), np.dtype("float64")))


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_flipped_byte_of_a_block_is_seen(tmp_path: Path, place: float) -> None:
    path = tmp_path / "tile"
    write_tile(path, (256, 256, 1), "uint16")
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(TruncatedBodyError):
        decode_body(path, GEO_TIFF, MOST, PixelBuffer())


@pytest.mark.parametrize("byte_count", [0, 1, 256 * 256 * 2 - 1, 256 * 256 * 2 + 1, 1 << 27])
def test_a_block_of_another_length_than_its_pixels_is_refused(
    tmp_path: Path, byte_count: int
) -> None:
    path = tmp_path / "tile"
    write_tile(path, (256, 512, 1), "uint16")
    path.write_bytes(with_last_block(path, zlib.compress(bytes(byte_count))))
    tracemalloc.start()
    with pytest.raises(TruncatedBodyError, match="truncated or too long"):
        decode_body(path, GEO_TIFF, MOST, PixelBuffer())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20  # 128 MiB of zeros are not inflated to their end.


def test_a_block_of_many_bands_is_never_in_memory_whole(tmp_path: Path) -> None:
    path = tmp_path / "tile"
    wanted = write_tile(path, (256, 512, 20), "float64")  # Two blocks of 10 MiB.
    buffer = PixelBuffer()
    decode_body(path, GEO_TIFF, 1 << 26, buffer)
    tracemalloc.start()
    raster = decode_body(path, GEO_TIFF, 1 << 26, buffer)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(raster.array, wanted)
    assert peak < 6 << 20
