"""The first piece says what a COG is; a piece that contradicts it is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo
from airflow_provider.earthengine.download.plan.raster_plan import GridAsk, RasterPlan
from airflow_provider.earthengine.download.raster.cog_canvas import (
    CogCanvas,
    CogForm,
    copy_to_canvas,
)
from airflow_provider.earthengine.download.raster.decode import DecodedRaster
from airflow_provider.earthengine.download.raster.facts import BandFacts, RasterFacts
from airflow_provider.earthengine.exceptions import RasterMismatchError
from tests.unit.download.raster.written_cogs import CollectedParts

TRANSFORM = (10.0, 0.0, 499980.0, 0.0, -10.0, 4200000.0)
# Earth Engine's own name of a projection that PROJ does not know.
UNKNOWN = "SR-ORG:6974"
SINUSOIDAL = CRS.from_string("+proj=sinu +R=6371007.181 +units=m")


def canvas_of(crs: str, folder: Path) -> tuple[CogCanvas, CollectedParts]:
    grid = PixelGrid(crs, TRANSFORM, 1024, 512)
    plan = RasterPlan(".tif", (BandInfo("b", "int16", grid),), GridAsk())
    sink = CollectedParts()
    return CogCanvas(folder, plan, grid, CogForm("none", {}), sink), sink


def piece(crs: CRS | None, dtype: str = "int16") -> DecodedRaster:
    return DecodedRaster(np.ones((1, 512, 512), dtype), TRANSFORM, crs)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32", "float64"])
def test_a_tile_of_another_dtype_than_the_first_is_refused(dtype: str, tmp_path: Path) -> None:
    canvas, sink = canvas_of("EPSG:32610", tmp_path)
    utm = CRS.from_epsg(32610)
    canvas.write(piece(utm), 0, 0, {0: 1})
    with pytest.raises(RasterMismatchError) as raised:
        canvas.write(piece(utm, dtype), 512, 0, {0: 1})
    canvas.close()
    facts = raised.value.facts
    assert (facts["field"], facts["wanted"], facts["got"]) == ("dtype", "int16", dtype)
    assert (sink.whole, sink.parts) == (None, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", [CRS.from_epsg(32611), CRS.from_epsg(4326), None])
@pytest.mark.parametrize(
    ("name", "first"), [("EPSG:32610", CRS.from_epsg(32610)), (UNKNOWN, SINUSOIDAL)]
)
def test_a_tile_of_another_crs_than_the_first_is_refused(
    name: str, first: CRS, other: CRS | None, tmp_path: Path
) -> None:
    canvas, _ = canvas_of(name, tmp_path)
    canvas.write(piece(first), 0, 0, {0: 1})
    with pytest.raises(RasterMismatchError) as raised:
        canvas.write(piece(other), 512, 0, {0: 1})
    canvas.close()
    assert raised.value.facts["field"] == "crs"


@pytest.mark.parametrize("count", [1, 40], ids=["all bands at once", "some bands at a time"])
def test_a_file_that_came_whole_is_the_same_in_the_canvas(count: int, tmp_path: Path) -> None:
    served = tmp_path / "served.tif"
    pixels = np.arange(count * 1100 * 700, dtype="int16").reshape(count, 1100, 700)
    form = {"driver": "GTiff", "width": 700, "height": 1100, "count": count, "dtype": "int16"}
    with rasterio.open(
        served, "w", **form, crs="EPSG:32610", transform=Affine(*TRANSFORM)
    ) as dataset:
        dataset.write(pixels)
    grid = PixelGrid("EPSG:32610", TRANSFORM, 700, 1100)
    described = tuple(BandInfo(f"b{number}", "int16", grid) for number in range(count))
    plan = RasterPlan(".tif", described, GridAsk())
    bands = tuple(BandFacts(band.id, "int16", None, None) for band in described)
    sink = CollectedParts()
    canvas = CogCanvas(tmp_path, plan, grid, CogForm("none", {}), sink)
    copy_to_canvas(RasterFacts(served, plan, grid, bands, ()), canvas)
    canvas.describe()
    canvas.finish()
    canvas.close()
    with MemoryFile(sink.file) as file, file.open() as cog:
        np.testing.assert_array_equal(cog.read(), pixels)


def test_a_raster_that_lacks_a_tile_is_refused(tmp_path: Path) -> None:
    canvas, sink = canvas_of("EPSG:32610", tmp_path)
    first = piece(CRS.from_epsg(32610))
    canvas.write(replace(first, nodata=0.0), 0, 0, {0: 1})
    with pytest.raises(RasterMismatchError, match="524,288"):
        canvas.describe()
    canvas.close()
    assert sink.whole is None
