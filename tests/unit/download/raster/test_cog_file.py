"""What GDAL and rio-cogeo say of the file: valid, with names, place, nodata and tags."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rio_cogeo.cogeo import cog_validate

from airflow_provider.earthengine.download.raster import cog_header
from airflow_provider.earthengine.download.raster.cog_header import BlockPlaces, CogHeader
from airflow_provider.earthengine.download.raster.cog_layout import CogLayout
from airflow_provider.earthengine.download.raster.cog_tags import tags_of
from airflow_provider.earthengine.download.raster.integrity import expect_pixel_coordinates
from tests.unit.download.raster.written_cogs import (
    DTYPES,
    NORTH_UP,
    Array,
    description_of,
    opened,
    same_bits,
    write_cog,
)

SHAPES = [(1, 1, 1), (1, 512, 512), (3, 513, 700), (5, 1025, 600), (2, 1, 3000)]


def ramp(dtype: str, shape: tuple[int, int, int]) -> Array:
    bands, rows, columns = np.indices(shape)
    return (bands * 31 + rows + columns * 2).astype(dtype)


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["deflate", "zstd", "none"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_the_cog_is_valid_by_the_strictest_rules(
    dtype: str, shape: tuple[int, int, int], compression: str, tmp_path: Path
) -> None:
    sink, _ = write_cog(ramp(dtype, shape), tmp_path, compression)
    path = tmp_path / "cog.tif"
    path.write_bytes(sink.file)
    is_valid, errors, warnings = cog_validate(path, strict=True, quiet=True)
    assert (is_valid, errors, warnings) == (True, [], [])


@pytest.mark.parametrize("dtype", DTYPES)
def test_gdal_is_told_what_the_file_is(dtype: str, tmp_path: Path) -> None:
    sink, _ = write_cog(
        ramp(dtype, (2, 600, 700)),
        tmp_path,
        nodata=7.0,
        band_names=("red edge", "température"),
        tags={"earthengine_id": "A/B", "quoted": '<a href="x">&amp;</a>', "lines": "one\ntwo"},
    )
    with opened(sink.file) as dataset:
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        assert structure["LAYOUT"] == "COG"
        assert structure["COMPRESSION"] == "DEFLATE"
        is_told = tuple(map(int, rasterio.__gdal_version__.split(".")[:2])) >= (3, 11)
        assert structure["INTERLEAVE"] == ("TILE" if is_told else "BAND")
        assert structure["PREDICTOR"] == ("3" if dtype.startswith("float") else "2")
        assert dataset.dtypes == (dtype, dtype)
        assert dataset.block_shapes == [(512, 512)] * 2
        assert dataset.nodatavals == (7.0, 7.0)
        assert dataset.descriptions == ("red edge", "température")
        assert dataset.crs == CRS.from_epsg(32725)
        assert tuple(dataset.transform)[:6] == NORTH_UP
        tags = dataset.tags()
        assert tags["earthengine_id"] == "A/B"
        assert tags["quoted"] == '<a href="x">&amp;</a>'
        assert tags["lines"] == "one\ntwo"
        assert tags["AREA_OR_POINT"] == "Area"
        assert dataset.overviews(1) == dataset.overviews(2) == [2]
    with opened(sink.file, 0) as overview:
        assert overview.nodatavals == (7.0, 7.0)


def test_no_nodata_is_no_tag_for_whole_numbers_and_nan_for_floats(tmp_path: Path) -> None:
    for dtype, wanted in (("uint16", None), ("float32", "nan")):
        sink, _ = write_cog(ramp(dtype, (1, 9, 9)), tmp_path)
        with opened(sink.file) as dataset:
            assert wanted == (None if dataset.nodata is None else str(dataset.nodata))


@pytest.mark.parametrize(
    "transform",
    [
        (30.0, 0.0, 5.0, 0.0, 30.0, 7.0),  # South up.
        (0.7, 0.7, 100.0, 0.7, -0.7, 200.0),  # Rotated by 45 degrees.
        (0.0, 10.0, 4e5, 10.0, 0.0, 5e6),  # Columns go north.
        (-30.0, 0.0, 5.0, 0.0, -30.0, 7.0),
        (8.983152841195215e-05, 0.0, -122.0, 0.0, -8.983152841195215e-05, 37.0),
        (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),  # Pixels at their own columns and rows.
        (1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
    ],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_any_transform_survives(transform: tuple[float, ...], tmp_path: Path) -> None:
    pixels = ramp("uint8", (1, 600, 30))
    sink, _ = write_cog(pixels, tmp_path, transform=transform)
    with opened(sink.file) as dataset:
        assert tuple(dataset.transform)[:6] == transform
        assert same_bits(dataset.read(), pixels)


def test_a_download_at_columns_and_rows_of_pixels_makes_no_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expect_pixel_coordinates()
        pixels = ramp("uint8", (1, 30, 30))
        sink, _ = write_cog(pixels, tmp_path, transform=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
        with opened(sink.file) as dataset:
            assert same_bits(dataset.read(), pixels)


@pytest.mark.parametrize(
    "crs",
    [
        "EPSG:4326",
        "EPSG:3857",
        "EPSG:3413",
        "EPSG:5070",
        "+proj=sinu +lon_0=0 +R=6371007.181 +units=m",
        "+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +datum=WGS84",
        None,
    ],
)
def test_any_crs_is_the_one_that_gdal_would_have_written(crs: str | None, tmp_path: Path) -> None:
    asked = CRS.from_user_input(crs) if crs else None
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=1, height=1, count=1, dtype="uint8", crs=asked,
            transform=rasterio.Affine(*NORTH_UP),
        ):  # fmt: skip
            pass
        with memory.open() as dataset:
            wanted = dataset.crs
    sink, _ = write_cog(ramp("uint8", (1, 5, 5)), tmp_path, crs=asked)
    with opened(sink.file) as dataset:
        assert dataset.crs == wanted
        assert (dataset.crs is None) == (crs is None)


@pytest.mark.parametrize(("band_count", "dtype"), [(3, "uint8"), (4, "uint8"), (4, "uint16")])
def test_no_band_is_taken_for_how_opaque_the_others_are(
    band_count: int, dtype: str, tmp_path: Path
) -> None:
    sink, _ = write_cog(ramp(dtype, (band_count, 20, 20)), tmp_path)
    with opened(sink.file) as dataset:
        assert ColorInterp.alpha not in dataset.colorinterp
        assert (dataset.read_masks() == 255).all()


def blocks_by_offset(
    dataset: Any, level: int | None
) -> list[tuple[int, int, tuple[int, int, int]]]:
    """Return offset, length and (row, column, band) of each block, as GDAL has them."""
    blocks = []
    for band in dataset.indexes:
        for (row, column), _ in dataset.block_windows(band):
            offset, length = (
                int(dataset.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=band))
                for what in ("OFFSET", "SIZE")
            )
            blocks.append((offset, length, (row, column, band)))
    return sorted(blocks)


def test_the_promises_of_the_ghost_area_are_kept(tmp_path: Path) -> None:
    pixels = ramp("uint16", (3, 1100, 1600))
    sink, _ = write_cog(pixels, tmp_path)
    file = sink.file
    size = int(file[8:].split(b"=", 1)[1][:6])
    promises = file[8 + 43 : 8 + 43 + size].decode().split("\n")
    assert promises == [
        "LAYOUT=IFDS_BEFORE_DATA",
        "BLOCK_ORDER=ROW_MAJOR",
        "BLOCK_LEADER=SIZE_AS_UINT4",
        "BLOCK_TRAILER=LAST_4_BYTES_REPEATED",
        "INTERLEAVE=TILE",
        "KNOWN_INCOMPATIBLE_EDITION=NO",
        " ",
    ]
    end = None
    for level in (1, 0, None):  # From the smallest to the largest.
        with opened(file, level) as dataset:
            blocks = blocks_by_offset(dataset, level)
        assert [place for _, _, place in blocks] == sorted(place for _, _, place in blocks)
        for offset, length, _ in blocks:
            assert end is None or offset == end + 4
            assert struct.unpack_from("<I", file, offset - 4) == (length,)
            assert file[offset + length :][:4] == file[offset + length - 4 :][:4]
            end = offset + length + 4
    assert end == len(file)


def test_a_bigtiff_is_read_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cog_header, "MAX_CLASSIC_BYTE_COUNT", 1000)
    pixels = ramp("float64", (3, 1100, 700))
    sink, _ = write_cog(pixels, tmp_path, tags={"a": "b"})
    assert sink.file.startswith(b"II+\0")
    path = tmp_path / "big.tif"
    path.write_bytes(sink.file)
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(path) as dataset:
        assert same_bits(dataset.read(), pixels)
        assert dataset.tags()["a"] == "b"


def header_of(layout: CogLayout) -> CogHeader:
    pixels = np.zeros((layout.band_count, 1, 1), layout.dtype)
    return CogHeader(layout, tags_of(description_of(pixels)), compression=1, predictor=1)


def test_directories_come_first_and_fit_into_the_first_request() -> None:
    layout = CogLayout(21_000, 21_000, 13, "uint16")
    counts = [level.block_count * layout.band_count for level in layout.levels]
    places = [BlockPlaces(*np.ones((2, count), np.int64)) for count in counts]
    header = header_of(layout).written(places, 1)
    start, starts = 4, []
    while (start := struct.unpack_from("<I", header, start)[0]) != 0:
        starts.append(start)
        start += 2 + 12 * struct.unpack_from("<H", header, start)[0]
    assert starts == sorted(starts)
    assert len(starts) == 7
    assert all(start % 2 == 0 for start in starts)
    assert starts[-1] < 16_384 < len(header)


def test_a_file_is_a_bigtiff_from_the_first_byte_on_that_32_bits_do_not_count() -> None:
    header = header_of(CogLayout(512, 512, 1, "uint8"))
    classic = header.byte_count(0)
    most = (1 << 32) - 1 - classic
    assert header.byte_count(most) == classic
    assert header.byte_count(most + 1) > classic


@pytest.mark.parametrize("sides", [(1, 1), (513, 513), (20_000, 100_000)])
def test_how_long_the_header_becomes_is_known_before(sides: tuple[int, int]) -> None:
    header = header_of(CogLayout(*sides, 7, "int8"))
    longest = header.byte_count(1 << 40)
    assert header.byte_count(0) < longest <= header.max_byte_count < longest + 500


def test_blocks_beyond_4_gib_are_found(tmp_path: Path) -> None:
    layout = CogLayout(1024, 512, 1, "uint8")
    header = header_of(layout)
    first, second = np.full((2, 512, 512), [[[1]], [[2]]], "uint8")
    start = 5 << 30
    places = [
        BlockPlaces(np.array([start, start + first.size]), np.array([first.size] * 2)),
        BlockPlaces(np.array([1 << 20]), np.array([first.size])),
    ]
    path = tmp_path / "sparse.tif"
    with path.open("wb") as file:  # The disk holds only what is written.
        file.write(header.written(places, start))
        file.seek(1 << 20)
        file.write(first.tobytes())
        file.seek(start)
        file.write(first.tobytes() + second.tobytes())
    with rasterio.open(path) as dataset:
        assert (dataset.read(1) == np.hstack([first, second])).all()
