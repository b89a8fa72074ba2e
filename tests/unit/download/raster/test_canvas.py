"""Pieces of an array, in any order and in groups of bands, are the one file that they are of."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo
from airflow_provider.earthengine.download.plan.raster_plan import GridAsk, RasterPlan
from airflow_provider.earthengine.download.raster.canvas import NpyCanvas
from airflow_provider.earthengine.download.raster.decode import DecodedRaster
from airflow_provider.earthengine.exceptions import RasterMismatchError

TRANSFORM = (10.0, 0.0, 499980.0, 0.0, -10.0, 4200000.0)
GRID = PixelGrid("EPSG:32610", TRANSFORM, 70, 50)
TYPES = {"a": "<u2", "b": "<f4", "c": "<i2"}
PLAN = RasterPlan(".npy", tuple(BandInfo(name, TYPES[name][1:], GRID) for name in TYPES), GridAsk())


def whole() -> np.ndarray:
    rng = np.random.default_rng(11)
    array = np.empty((GRID.height, GRID.width), list(TYPES.items()))
    for name, dtype in TYPES.items():
        array[name] = rng.integers(0, 30_000, array.shape).astype(dtype)
    return array


def piece(array: np.ndarray, column: int, row: int, names: list[str]) -> DecodedRaster:
    cut = array[row : row + 20, column : column + 30]
    packed = np.empty(cut.shape, [(name, TYPES[name]) for name in names])
    for name in names:
        packed[name] = cut[name]
    return DecodedRaster(packed, None, None)


@pytest.mark.parametrize("groups", [[["a", "b", "c"]], [["c"], ["a", "b"]]])
def test_an_array_is_written_in_any_order_of_pieces_and_groups(
    groups: list[list[str]], tmp_path: Path
) -> None:
    array = whole()
    order = list(TYPES)
    pieces = [
        (column, row, names) for column in (0, 30, 60) for row in (0, 20, 40) for names in groups
    ]
    random.Random(3).shuffle(pieces)
    with closing(NpyCanvas(tmp_path / "array.npy", PLAN, GRID)) as canvas:
        for column, row, names in pieces:
            places = {position: order.index(name) + 1 for position, name in enumerate(names)}
            canvas.write(piece(array, column, row, names), column, row, places)
        facts = canvas.describe()
        canvas.finish()
    np.testing.assert_array_equal(np.load(facts.path), array)
    assert [band.dtype for band in facts.bands] == ["uint16", "float32", "int16"]
    highest = [band.statistics.maximum for band in facts.bands]
    assert highest == [array[name].max() for name in TYPES]


def test_a_piece_of_another_type_is_refused_by_its_field(tmp_path: Path) -> None:
    array = whole()
    with closing(NpyCanvas(tmp_path / "array.npy", PLAN, GRID)) as canvas:
        canvas.write(piece(array, 0, 0, list(TYPES)), 0, 0, {0: 1, 1: 2, 2: 3})
        other = np.zeros((20, 30), [("a", "<u2"), ("b", "<f8"), ("c", "<i2")])
        with pytest.raises(RasterMismatchError) as raised:
            canvas.write(DecodedRaster(other, None, None), 30, 0, {0: 1, 1: 2, 2: 3})
    facts = raised.value.facts
    assert (facts["field"], facts["wanted"], facts["got"]) == ("field b", "<f4", "<f8")
