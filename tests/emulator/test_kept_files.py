"""Files that the emulator writes once, and the level at which it writes them fastest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ee
import numpy as np
import pytest
from rasterio.io import MemoryFile

from airflow_provider.earthengine.emulator.api.downloads import Encoding
from airflow_provider.earthengine.emulator.faults import Damage
from airflow_provider.earthengine.emulator.formats.kept_files import KeptFiles
from airflow_provider.earthengine.emulator.server import serve
from tests.emulator.official_client import download, initialised, members
from tests.support.expected import SENTINEL2_ID, sentinel2_values

CATALOG = Path(__file__).parents[1] / "data/catalog"
WINDOW: dict[str, Any] = {
    "bands": ["B3"],
    "filePerBand": False,
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 499980 + 1000, 0, -10, 4200000 - 2000],
    "dimensions": "300x200",
}


def served(params: dict[str, Any]) -> bytes:
    return download(image=ee.Image(SENTINEL2_ID), **params)


def member(body: bytes) -> bytes:
    """Return the one file of a zip, or what is no zip as it is."""
    return next(iter(members(body).values())) if body[:2] == b"PK" else body


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["NPY", "GEO_TIFF", "ZIPPED_GEO_TIFF"])
def test_a_request_that_was_answered_before_is_answered_from_its_file(
    tmp_path: Path, file_format: str
) -> None:
    encoding = Encoding(kept=KeptFiles(tmp_path))
    with serve(CATALOG, encoding=encoding) as server, initialised(server.url):
        params = WINDOW | {"format": file_format}
        first = served(params)
        (kept,) = tmp_path.iterdir()
        assert kept.read_bytes() == member(first)
        kept.write_bytes(b"something else")
        assert member(served(params)) == b"something else"
        assert member(served(params | {"dimensions": "300x201"})) != b"something else"


def test_a_damaged_file_is_not_kept(tmp_path: Path) -> None:
    encoding = Encoding(kept=KeptFiles(tmp_path))
    with serve(CATALOG, encoding=encoding) as server, initialised(server.url):
        with server.fault("thumbnails.getPixels", Damage("grid_size")):
            wide = served(WINDOW | {"format": "GEO_TIFF"})
        assert list(tmp_path.iterdir()) == []
        assert served(WINDOW | {"format": "GEO_TIFF"}) != wide


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 1, 6])
def test_every_level_of_compression_holds_the_same_pixels(level: int) -> None:
    with serve(CATALOG, encoding=Encoding(level)) as server, initialised(server.url):
        body = served(WINDOW | {"format": "GEO_TIFF"})
    with MemoryFile(body) as memory, memory.open() as raster:
        np.testing.assert_array_equal(raster.read(1), sentinel2_values("B3", 100, 200, 300, 200))
