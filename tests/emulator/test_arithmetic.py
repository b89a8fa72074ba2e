"""Random programs of elementwise functions against numpy, under the typing table of the README."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ee
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.emulator.official_client import Tiff
from tests.support.drawn import examples
from tests.support.expected import SENTINEL2_ID, formula_values, sentinel2_values

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator

WIDTH, HEIGHT = 9, 7
GRID = {
    "crsCode": "EPSG:32610",
    "affineTransform": {"scaleX": 10, "translateX": 500980, "scaleY": -10, "translateY": 4198000},
    "dimensions": {"width": WIDTH, "height": HEIGHT},
}
INTEGER_TYPES = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
    "uint32": (0, 2**32 - 1),
    "int32": (-(2**31), 2**31 - 1),
}
ARITHMETIC = ("add", "subtract", "multiply", "max", "min")
CONDITIONS = ("eq", "neq", "lt", "lte", "gt", "gte", "And", "Or")
CASTS = {"toUint8": "uint8", "toInt16": "int16", "toInt32": "int32", "toFloat": "float32",
         "toDouble": "float64"}  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """What a program must give: values, where they are valid, and their type with its range."""

    image: Any
    values: npt.NDArray[Any]
    is_valid: npt.NDArray[np.bool_]
    dtype: str
    low: float = 0
    high: float = 0

    @property
    def is_integer(self) -> bool:
        return self.dtype in INTEGER_TYPES


def smallest(low: float, high: float) -> str:
    """Return the smallest integer type of a range; 64-bit floats beyond 32 bits."""
    fits = (n for n, (least, most) in INTEGER_TYPES.items() if least <= low and high <= most)
    return next(fits, "float64")


def typed(image: Any, values: Any, valid: Any, low: float, high: float, dtype: str) -> Expected:
    if dtype in INTEGER_TYPES:
        limits = INTEGER_TYPES[dtype]
        whole = np.nan_to_num(np.trunc(values))
        fitted = np.clip(whole, *limits)
    else:
        fitted = values
    return Expected(image, np.asarray(fitted).astype(dtype), valid, dtype, low, high)


def band(name: str) -> Expected:
    values = sentinel2_values(name, 100, 200, WIDTH, HEIGHT)
    dtype = values.dtype.name
    everywhere = np.ones((HEIGHT, WIDTH), dtype=bool)
    image = ee.Image(SENTINEL2_ID).select([name], ["x"])
    return Expected(image, values, everywhere, dtype, *INTEGER_TYPES[dtype])


def constant(value: float) -> Expected:
    dtype = smallest(value, value) if isinstance(value, int) else "float64"
    everywhere = np.ones((HEIGHT, WIDTH), dtype=bool)
    values = np.full((HEIGHT, WIDTH), value, dtype=dtype)
    return Expected(ee.Image(value).rename("x"), values, everywhere, dtype, value, value)


def wide(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values.astype(np.float64 if values.dtype.kind == "f" else np.int64)


def arithmetic(name: str, a: Expected, b: Expected) -> Expected:
    compute = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply,
               "max": np.maximum, "min": np.minimum}[name]  # fmt: skip
    image = getattr(a.image, name)(b.image)
    with np.errstate(all="ignore"):
        values = compute(a.values.astype(float), b.values.astype(float))
    valid = a.is_valid & b.is_valid
    if not (a.is_integer and b.is_integer):
        floats = [part.dtype for part in (a, b) if not part.is_integer]
        return typed(image, values, valid, 0, 0, "float64" if "float64" in floats else "float32")
    corners = [_exact(name, int(x), int(y)) for x in (a.low, a.high) for y in (b.low, b.high)]
    low, high = min(corners), max(corners)
    return typed(image, values, valid, low, high, smallest(low, high))


def _exact(name: str, x: int, y: int) -> int:
    return {"add": x + y, "subtract": x - y, "multiply": x * y, "max": max(x, y),
            "min": min(x, y)}[name]  # fmt: skip


def quotient(a: Expected, b: Expected) -> Expected:
    with np.errstate(all="ignore"):
        values = np.where(b.values == 0, 0, wide(a.values) / wide(b.values))
    dtype = "float64" if "float64" in {a.dtype, b.dtype} else "float32"
    return typed(a.image.divide(b.image), values, a.is_valid & b.is_valid, 0, 0, dtype)


def condition(name: str, a: Expected, b: Expected) -> Expected:
    compute: Any = {"eq": np.equal, "neq": np.not_equal, "lt": np.less, "lte": np.less_equal,
                    "gt": np.greater, "gte": np.greater_equal, "And": np.logical_and,
                    "Or": np.logical_or}[name]  # fmt: skip
    values = compute(wide(a.values), wide(b.values))
    image = getattr(a.image, name)(b.image)
    return typed(image, values, a.is_valid & b.is_valid, 0, 1, "uint8")


def bits(a: Expected, b: Expected) -> Expected:
    values = wide(a.values) & wide(b.values)
    lows, highs = zip(*(INTEGER_TYPES[part.dtype] for part in (a, b)), strict=True)
    low, high = min(lows), max(highs)
    image = a.image.bitwiseAnd(b.image)
    return typed(image, values, a.is_valid & b.is_valid, low, high, smallest(low, high))


def cast(name: str, a: Expected) -> Expected:
    low, high = INTEGER_TYPES.get(CASTS[name], (0, 0))
    return typed(getattr(a.image, name)(), wide(a.values), a.is_valid, low, high, CASTS[name])


def mask(a: Expected, b: Expected) -> Expected:
    valid = a.is_valid & b.is_valid & (b.values != 0)
    return Expected(a.image.updateMask(b.image), a.values, valid, a.dtype, a.low, a.high)


LEAVES = st.one_of(
    st.sampled_from(["B3", "B8", "TCI_R"]).map(lambda name: ("band", name)),
    st.integers(-300, 70_000).map(lambda value: ("constant", value)),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: ("constant", float(value))),
)


def branches(programs: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = [*ARITHMETIC, *CONDITIONS, "divide", "bitwiseAnd", "mask"]
    return st.one_of(
        st.tuples(st.sampled_from(pairs), programs, programs),
        st.tuples(st.sampled_from(sorted(CASTS)), programs),
    )


PROGRAMS = st.recursive(LEAVES, branches, max_leaves=6)


def build(program: Any) -> Expected:
    name, *operands = program
    if name == "band":
        return band(operands[0])
    if name == "constant":
        return constant(operands[0])
    parts = [build(operand) for operand in operands]
    if name in CASTS:
        return cast(name, parts[0])
    if name == "divide":
        return quotient(*parts)
    if name == "bitwiseAnd":
        whole = [part if part.is_integer else cast("toInt32", part) for part in parts]
        return bits(*whole)
    if name == "mask":
        return mask(*parts)
    if name in ARITHMETIC:
        return arithmetic(name, *parts)
    return condition(name, *parts)


@pytest.mark.usefixtures("client")
@examples(40, suppress_health_check=list(HealthCheck))
@given(program=PROGRAMS)
def test_a_program_gives_what_numpy_gives(program: Any) -> None:
    expected = build(program)
    params = {"expression": expected.image, "fileFormat": "NPY", "grid": GRID}
    valid = {"expression": expected.image.mask(), "fileFormat": "NPY", "grid": GRID}
    array = ee.data.computePixels(params | {"fileFormat": "NUMPY_NDARRAY"})
    is_valid = ee.data.computePixels(valid | {"fileFormat": "NUMPY_NDARRAY"})
    (name,) = array.dtype.names
    assert array.dtype[name] == np.dtype(expected.dtype)
    np.testing.assert_array_equal(is_valid[name] != 0, expected.is_valid)
    np.testing.assert_array_equal(
        array[name], np.where(expected.is_valid, expected.values, np.zeros((), expected.dtype))
    )


@pytest.mark.usefixtures("client")
class TestSingleFunctions:
    def pixels(self, image: ee.Image) -> Tiff:
        params = {"expression": image, "fileFormat": "GEO_TIFF", "grid": GRID}
        return Tiff(ee.data.computePixels(params))

    def test_bits_of_floats_are_refused(self) -> None:
        with pytest.raises(ee.EEException, match="must be integer only"):
            self.pixels(ee.Image(1.5).bitwiseAnd(1))

    def test_clamping_and_magnitudes_narrow_the_type(self) -> None:
        b3 = ee.Image(SENTINEL2_ID).select("B3")
        clamped = self.pixels(b3.clamp(0, 200))
        values = sentinel2_values("B3", 100, 200, WIDTH, HEIGHT)
        assert clamped.dtypes == ("uint8",)
        np.testing.assert_array_equal(clamped.bands[0], np.clip(values, 0, 200))
        distance = self.pixels(b3.subtract(51_000).abs())
        np.testing.assert_array_equal(distance.bands[0], np.abs(values.astype(int) - 51_000))

    def test_unmasking_fills_and_where_replaces(self) -> None:
        b3 = ee.Image(SENTINEL2_ID).select("B3")
        values = sentinel2_values("B3", 100, 200, WIDTH, HEIGHT).astype(np.int64)
        is_high = values > np.median(values)
        masked = b3.updateMask(b3.gt(float(np.median(values))))
        filled = self.pixels(masked.unmask(-9))
        assert filled.dtypes == ("int32",)
        np.testing.assert_array_equal(filled.bands[0], np.where(is_high, values, -9))
        replaced = self.pixels(b3.where(b3.gt(float(np.median(values))), 7))
        np.testing.assert_array_equal(replaced.bands[0], np.where(is_high, 7, values))

    def test_unmasking_stops_at_the_footprint_unless_told(self) -> None:
        corner = GRID | {
            "affineTransform": {
                "scaleX": 10,
                "translateX": 499960,
                "scaleY": -10,
                "translateY": 4200000,
            }
        }
        b3 = ee.Image(SENTINEL2_ID).select("B3")
        inside, everywhere = (
            Tiff(
                ee.data.computePixels(
                    {"expression": image, "fileFormat": "GEO_TIFF", "grid": corner}
                )
            ).bands[0]
            for image in (b3.unmask(9), b3.unmask(9, False))
        )
        np.testing.assert_array_equal(inside[:, :2], 0)
        np.testing.assert_array_equal(everywhere[:, :2], 9)
        np.testing.assert_array_equal(inside[:, 2:], everywhere[:, 2:])

    def test_a_cast_float_says_what_is_masked(self) -> None:
        b3 = ee.Image(SENTINEL2_ID).select("B3")
        computed = self.pixels(b3.divide(2).updateMask(b3.gt(51_800)))
        cast_to = self.pixels(b3.divide(2).updateMask(b3.gt(51_800)).toFloat())
        assert (computed.nodata, cast_to.nodata) == (None, -np.inf)
        np.testing.assert_array_equal(computed.bands, cast_to.bands)

    def test_bands_go_by_name_then_by_place(self) -> None:
        scene = ee.Image(SENTINEL2_ID)
        named = self.pixels(scene.select(["B3", "B4"]).subtract(scene.select(["B4", "B3"])))
        assert not named.bands.any()
        placed = self.pixels(
            scene.select(["B3", "B4"]).subtract(scene.select(["B4", "B3"], ["p", "q"]))
        )
        b3, b4 = (sentinel2_values(b, 100, 200, WIDTH, HEIGHT).astype(int) for b in ("B3", "B4"))
        np.testing.assert_array_equal(placed.bands, np.stack([b3 - b4, b4 - b3]))
        with pytest.raises(ee.EEException, match="bands do not match"):
            self.pixels(scene.select(["B3", "B4"]).add(scene.select(["B2", "B3", "B4"])))

    def test_a_negative_value_masks_the_normalized_difference(self, client: Emulator) -> None:
        shape = {"dtype": "int16", "crs": "EPSG:32610", "dimensions": [400, 400],
                 "crs_transform": [10, 0, 500980, 0, -10, 4198000]}  # fmt: skip
        bands = [{"id": "a", **shape}, {"id": "b", **shape}]
        client.put_asset({"id": "signed", "kind": "formula", "bands": bands})
        try:
            grid = GRID | {"dimensions": {"width": 130, "height": 70}}
            image = ee.Image("signed").normalizedDifference()
            params = {"expression": image, "fileFormat": "GEO_TIFF", "grid": grid}
            read = Tiff(ee.data.computePixels(params)).bands[0]
        finally:
            client.remove_asset("signed")
        rows, columns = np.arange(70)[:, np.newaxis], np.arange(130)
        a, b = (formula_values(n, "int16", rows, columns).astype(float) for n in (0, 1))
        with np.errstate(all="ignore"):
            ratio = np.where(a + b == 0, 0, (a - b) / (a + b)).astype(np.float32)
        np.testing.assert_array_equal(read, np.where((a < 0) | (b < 0), -np.inf, ratio))
