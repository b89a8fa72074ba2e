"""A tile's body -> pixels, in memory that serves one tile after the other."""

import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from isal import isal_zlib
from rasterio.io import MemoryFile

from airflow_provider.earthengine.download.fields.params import (
    GEO_TIFF,
    ZIPPED_GEO_TIFF_PER_BAND,
)
from airflow_provider.earthengine.download.raster.decode import PixelBuffer, decode_body
from airflow_provider.earthengine.download.raster.integrity import check_body
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


@pytest.mark.parametrize(
    ("bits", "dtype"), [(12, "uint16"), (4, "uint8"), (1, "uint8"), (20, "uint32")]
)
@pytest.mark.parametrize("bands", [1, 3])
def test_samples_of_odd_lengths_are_left_to_gdal(
    tmp_path: Path, bits: int, dtype: str, bands: int
) -> None:
    wanted = np.random.default_rng(3).integers(0, 2**bits, (bands, 300, 270)).astype(dtype)
    with rasterio.open(
        tmp_path / "tile", "w", driver="GTiff", width=270, height=300, count=bands, dtype=dtype,
        crs="EPSG:32610", transform=TRANSFORM, compress="deflate", nbits=bits, tiled=True,
        blockxsize=256, blockysize=256, interleave="pixel",
    ) as dataset:  # fmt: skip
        dataset.write(wanted)
    raster = decode_body(tmp_path / "tile", GEO_TIFF, MOST, PixelBuffer())
    np.testing.assert_array_equal(raster.array, wanted)


@pytest.mark.parametrize(
    "how",
    [{"predictor": 2}, {"compress": "lzw"}, {"interleave": "band"}, {"tiled": False}],
    ids=lambda how: "-".join(map(str, *how.items())),
)
def test_what_earth_engine_does_not_write_today_is_left_to_gdal(
    tmp_path: Path, how: dict[str, object]
) -> None:
    wanted = np.random.default_rng(3).integers(0, 500, (2, 300, 270)).astype("uint16")
    usual = {"compress": "deflate", "interleave": "pixel", "tiled": True}
    if how.get("tiled") is not False:
        usual |= {"blockxsize": 256, "blockysize": 256}
    with rasterio.open(
        tmp_path / "tile", "w", driver="GTiff", width=270, height=300, count=2, dtype="uint16",
        crs="EPSG:32610", transform=TRANSFORM, **{**usual, **how},
    ) as dataset:  # fmt: skip
        dataset.write(wanted)
    raster = decode_body(tmp_path / "tile", GEO_TIFF, MOST, PixelBuffer())
    np.testing.assert_array_equal(raster.array, wanted)


@pytest.mark.parametrize("kept", [0, 1, 100, 65_535, 65_537, 70_000])
def test_a_block_that_ends_early_or_late_is_truncated(tmp_path: Path, kept: int) -> None:
    """Its checksum is right: it is a whole block of another length."""
    pixels = np.random.default_rng(5).integers(0, 99, (1, 256, 512)).astype("uint8")
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=512, height=256, count=1, dtype="uint8", compress="deflate",
            crs="EPSG:32610", transform=TRANSFORM, tiled=True, blockxsize=256, blockysize=256,
        ) as dataset:  # fmt: skip
            dataset.write(pixels)
        content = bytearray(memory.read())
    with MemoryFile(bytes(content)) as memory, memory.open() as dataset:
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
        byte_count = int(dataset.get_tag_item("BLOCK_SIZE_0_0", "TIFF", bidx=1))
    block = isal_zlib.compress(bytes(kept))
    assert len(block) <= byte_count
    content[offset : offset + len(block)] = block
    (tmp_path / "tile").write_bytes(content)
    with pytest.raises(TruncatedBodyError):
        decode_body(tmp_path / "tile", GEO_TIFF, MOST, PixelBuffer())


def test_a_zip_directory_that_no_download_needs_is_not_read(tmp_path: Path) -> None:
    """In memory it takes many times its length."""
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number:0100}.tif", b"")
    with pytest.raises(TruncatedBodyError, match="directory has 3,000,000 bytes"):
        check_body(tmp_path / "zip", ZIPPED_GEO_TIFF_PER_BAND, MOST)
